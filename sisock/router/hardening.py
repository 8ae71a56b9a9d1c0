"""Puts our session, connection and authorizer in the place of Crossbar's own."""

import sys

from crossbar.common.twisted import endpoint
from crossbar.router.auth import AUTHMETHOD_MAP
from crossbar.router.protocol import WampWebSocketServerFactory
from crossbar.router.role import RouterRoleDynamicAuth
from crossbar.router.session import RouterSessionFactory
from twisted.internet import tcp

from sisock.router import decoding, sparing, tls
from sisock.router.authorizer import authorize
from sisock.router.connection import Connection
from sisock.router.session import QuietWampCra, Session

DEPTH = 1000  # frames; a library of Crossbar's raises the limit so far that one nested message stops the router

AT_ONCE = 4  # connections taken in a turn: those who have joined are served meanwhile, however many come


def harden() -> None:
    """Do it, before any port is open; without it every action is refused, since nobody offers the authorizer's URI."""
    sys.setrecursionlimit(DEPTH)
    decoding.replace()
    sparing.spare()
    WampWebSocketServerFactory.protocol = Connection
    RouterSessionFactory.session = Session
    RouterRoleDynamicAuth.authorize = authorize
    AUTHMETHOD_MAP["wampcra"] = QuietWampCra
    tcp.Port.numberAccepts = property(lambda _: AT_ONCE, lambda *_: None)  # Twisted takes ever more
    endpoint._create_tls_server_context = tls.context  # noqa: SLF001  # reads its files only once
