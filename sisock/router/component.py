"""Our component inside the router's worker: hardens it, takes new policies from the hub, renews the certificate."""

from collections import Counter

from autobahn.twisted.wamp import ApplicationSession
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import ComponentConfig, SessionDetails
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import LoopingCall

from sisock import lasting
from sisock.keys.tokens import sessions
from sisock.router.certificate import certificate
from sisock.router.doors import hosts
from sisock.router.ending import end_in_turn
from sisock.router.hardening import harden
from sisock.router.notes import notes
from sisock.router.policy import rights

_PAUSE = 1.0  # seconds between news of refusals in one name
_LOOK = 3600.0  # seconds between looks at the certificate


class Component(ApplicationSession):  # type: ignore[misc]  # autobahn is untyped to mypy
    """Offers `set_policy`. Crossbar starts it before it opens a port."""

    def __init__(self, config: ComponentConfig) -> None:
        super().__init__(config)
        self._rights = rights()
        self._told: dict[str, float] = {}  # when the hub last heard of a name
        self._untold: Counter[str] = Counter()
        harden()
        end_in_turn(reactor)
        lasting.settle()
        LoopingCall(self._renew).start(_LOOK, now=False)

    def onJoin(self, details: SessionDetails) -> "Deferred[object]":
        notes.tell = self._tell_refused
        uris = self._rights.settings.uris
        offered: Deferred[object] = DeferredList(
            [self.register(self.set_policy, uris.set_policy), self.register(self.sign_out, uris.sign_out)],
            fireOnOneErrback=True,
        )
        return offered

    def _tell_refused(self, name: str, reason: str) -> None:
        """Let the hub keep that somebody was refused in the name of a principal; of each name once a second at the most."""
        if name not in self._rights.policy.principals:
            return
        self._untold[name] += 1
        if reactor.seconds() - self._told.get(name, 0.0) >= _PAUSE:
            self._told[name] = reactor.seconds()
            self.publish(self._rights.settings.uris.refused, name, reason, self._untold.pop(name))

    def _renew(self) -> None:
        """See that the certificate lasts; the listeners take up a new one by themselves."""
        settings = self._rights.settings
        if settings.tls_port or settings.legacy_port:
            try:
                certificate(settings, hosts(settings))
            except Exception as error:  # noqa: BLE001  # whatever it is, it is tried again
                self.log.warn("the router's certificate cannot be renewed: {error}", error=error)

    def sign_out(self, ticket: object = None, *_: object, **__: object) -> None:
        """Forget the ticket of a session: nobody comes back with it. Only who has it can name it."""
        if isinstance(ticket, str):
            sessions(self._rights.settings.state).consume(ticket)

    def set_policy(self, snapshot: object = None, *_: object, **__: object) -> None:
        """Put the policy in force, keep it, and end the sessions of those that lost something."""
        try:
            ending = self._rights.replace(snapshot)
        except ValueError as error:
            raise ApplicationError(self._rights.settings.uris.error("bad_request"), str(error)) from error
        for name in sorted(ending):
            self.log.info("the rights of {name} changed: its sessions end", name=name)
            self.call("wamp.session.kill_by_authid", name, "wamp.close.normal", "your rights changed: sign in again")
