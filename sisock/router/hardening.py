"""Puts our session, connection and authorizer in the place of Crossbar's own."""

import sys

from crossbar.router.auth import AUTHMETHOD_MAP
from crossbar.router.protocol import WampWebSocketServerFactory
from crossbar.router.role import RouterRoleDynamicAuth
from crossbar.router.session import RouterSessionFactory

from sisock.router import decoding
from sisock.router.authorizer import authorize
from sisock.router.connection import Connection
from sisock.router.session import QuietWampCra, Session

DEPTH = 1000  # frames; a library of Crossbar's raises the limit so far that one nested message stops the router


def harden() -> None:
    """Do it, before any port is open; without it every action is refused, since nobody offers the authorizer's URI."""
    sys.setrecursionlimit(DEPTH)
    decoding.replace()
    WampWebSocketServerFactory.protocol = Connection
    RouterSessionFactory.session = Session
    RouterRoleDynamicAuth.authorize = authorize
    AUTHMETHOD_MAP["wampcra"] = QuietWampCra
