"""The component inside the router's worker: decides every action, takes new policies, and hardens the worker."""

import sys
from typing import Any

from autobahn.twisted.wamp import ApplicationSession
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import ComponentConfig, SessionDetails
from crossbar.router.auth import AUTHMETHOD_MAP
from crossbar.router.protocol import WampWebSocketServerFactory
from crossbar.router.session import RouterSessionFactory
from twisted.internet.defer import Deferred, gatherResults

from sisock.router.connection import Connection
from sisock.router.policy import rights
from sisock.router.rules import Action, allows
from sisock.router.session import QuietWampCra, Session

DEPTH = 1000  # frames; a library of Crossbar's raises the limit so far that one nested message stops the router


class Authorizer(ApplicationSession):  # type: ignore[misc]  # autobahn has no types
    """Offers `authorize` to the router and `set_policy` to the hub."""

    def __init__(self, config: ComponentConfig) -> None:
        super().__init__(config)
        self._rights = rights()
        self._uris = self._rights.settings.uris
        harden()

    def onJoin(self, details: SessionDetails) -> Deferred:
        return gatherResults(
            [self.register(self.authorize, self._uris.authorize), self.register(self.set_policy, self._uris.set_policy)]
        )

    def authorize(self, session: dict[str, Any], uri: str, kind: str, options: dict[str, Any]) -> dict[str, bool]:
        """Whether the session may do this; never cached, since Crossbar's cache does not tell users apart."""
        allow = allows(self._rights.policy, self._uris, str(session["authid"]), Action(kind, uri, options or {}))
        answer = {"allow": allow, "cache": False}
        return {**answer, "disclose": True} if kind in ("call", "publish") else answer

    def set_policy(self, snapshot: object) -> None:
        """Put the policy in force, keep it, and end the sessions of those that lost something."""
        try:
            ending = self._rights.replace(snapshot)
        except ValueError as error:
            raise ApplicationError(self._uris.error("bad_request"), str(error)) from error
        for name in ending:
            self.log.info("the rights of {name} changed: its sessions end", name=name)
            self.call("wamp.session.kill_by_authid", name, "wamp.close.normal", "your rights changed: sign in again")


def harden() -> None:
    """Put our session and connection in the place of Crossbar's own, before any port is open."""
    sys.setrecursionlimit(DEPTH)
    RouterSessionFactory.session = Session
    WampWebSocketServerFactory.protocol = Connection
    AUTHMETHOD_MAP["wampcra"] = QuietWampCra
