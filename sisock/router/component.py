"""Our component inside the router's worker: hardens it, and takes new policies from the hub."""

from autobahn.twisted.wamp import ApplicationSession
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import ComponentConfig, SessionDetails
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from sisock.router.ending import end_in_turn
from sisock.router.hardening import harden
from sisock.router.policy import rights


class Component(ApplicationSession):  # type: ignore[misc]  # autobahn is untyped to mypy
    """Offers `set_policy`. Crossbar starts it before it opens a port."""

    def __init__(self, config: ComponentConfig) -> None:
        super().__init__(config)
        self._rights = rights()
        harden()
        end_in_turn(reactor)

    def onJoin(self, details: SessionDetails) -> "Deferred[object]":
        registered: Deferred[object] = self.register(self.set_policy, self._rights.settings.uris.set_policy)
        return registered

    def set_policy(self, snapshot: object) -> None:
        """Put the policy in force, keep it, and end the sessions of those that lost something."""
        try:
            ending = self._rights.replace(snapshot)
        except ValueError as error:
            raise ApplicationError(self._rights.settings.uris.error("bad_request"), str(error)) from error
        for name in sorted(ending):
            self.log.info("the rights of {name} changed: its sessions end", name=name)
            self.call("wamp.session.kill_by_authid", name, "wamp.close.normal", "your rights changed: sign in again")
