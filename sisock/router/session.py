"""A client's session inside the router, with what Crossbar's own leaves open."""

import hmac
import time
from typing import Any

from autobahn.wamp.exception import ProtocolError
from autobahn.wamp.message import Authenticate, Call, Hello
from autobahn.wamp.types import Accept, CloseDetails, Deny, HelloDetails, SessionDetails
from crossbar.router.auth import PendingAuthWampCra
from crossbar.router.session import RouterSession
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from sisock.keys import Principal
from sisock.router.authenticator import WITHOUT_CERTIFICATE, has_ended
from sisock.router.notes import SENTENCE, notes
from sisock.router.policy import rights
from sisock.times import NS

JOIN_WITHIN = 30.0  # seconds in which whoever connects must have joined
LEAVE_WITHIN = 1.0  # seconds that a session told to leave, or refused, keeps its connection
LONGEST = 200  # characters of a name that somebody claims
_EXTRA = ("pubkey", "channel_binding")  # what we want to hear of a client before it has joined


class Session(RouterSession):  # type: ignore[misc]  # Crossbar is untyped to mypy
    """Refuses with one sentence, and keeps no connection that does not join."""

    _claimed: str | None = None
    _key: str | None = None
    _said: list[type]  # HELLO and AUTHENTICATE, once each
    _before: Principal | None = None  # the principal when the sign-in began
    _ending: Any = None  # what ends the session in time

    def onOpen(self, transport: Any) -> None:
        super().onOpen(transport)
        self._said = []
        self._expect_join()

    def onHello(self, realm: str | None, details: HelloDetails) -> Any:
        extra = details.authextra if isinstance(details.authextra, dict) else {}
        details.authextra = {key: extra[key] for key in _EXTRA if isinstance(extra.get(key), str)}
        self._claimed, self._key = details.authid, details.authextra.get("pubkey")
        self._before = rights().policy.principals.get(str(self._claimed))
        ours = rights().settings.realm
        if not details.authid or len(details.authid) > LONGEST:
            return self._refuse("it gave no name" if not details.authid else "its name is too long")
        if realm not in (None, ours):
            return self._refuse(f"it wants the realm {realm!r:.80}, here is {ours!r}")
        return self._uniform(maybeDeferred(super().onHello, realm, details))

    def onAuthenticate(self, signature: str, extra: dict[str, Any]) -> Any:
        return self._uniform(maybeDeferred(super().onAuthenticate, signature, extra))

    def onMessage(self, msg: Any) -> None:
        if isinstance(msg, (Hello, Authenticate)):
            if type(msg) in self._said:  # Crossbar would join a session under two names
                raise ProtocolError("one sign-in a connection: connect again for another")
            self._said.append(type(msg))
        if getattr(msg, "forward_for", None):  # between routers; anybody else claims to be another by it
            raise ProtocolError("'forward_for' is not for clients")
        if isinstance(msg, Call) and self._in_flight(msg.request):  # Crossbar would lose count of its calls
            raise ProtocolError(
                f"the call {msg.request} still waits for its answer: give each call a number of its own"
            )
        super().onMessage(msg)

    def _in_flight(self, request: int) -> bool:
        return self._router is not None and (self._session_id, request) in self._router._dealer._invocations_by_call  # noqa: SLF001

    def onJoin(self, details: SessionDetails) -> None:
        if details.authextra:
            details.authextra.pop("session_token", None)  # the client has it; the hub's meta events shall not
        self._end_in_time(details.authid)
        self._transport.trust()
        super().onJoin(details)

    def _end_in_time(self, name: str | None) -> None:
        """End the session when its token, or its invitation, ends."""
        principal = rights().policy.principals.get(str(name))
        if principal is not None and principal.until is not None:
            seconds = max(0.0, (principal.until - time.time_ns()) / NS)
            self._ending = reactor.callLater(seconds, self.leave, "wamp.close.normal", "its right to be here has ended")

    def onLeave(self, details: CloseDetails) -> None:
        super().onLeave(details)
        if self._ending is not None and self._ending.active():
            self._ending.cancel()
        self._expect_join()

    def leave(self, reason: str | None = None, message: str | None = None) -> None:
        """Tell the client to leave, and see to it that it does."""
        super().leave(reason, message)
        reactor.callLater(LEAVE_WITHIN, self._close)

    def _uniform(self, answer: "Deferred[Any]") -> "Deferred[Any]":
        return answer.addCallbacks(self._answered, lambda failure: self._refuse(_cause(failure)))

    def _answered(self, answer: object) -> object:
        if isinstance(answer, Deny):
            return self._refuse(self._why() or answer.message)
        if isinstance(answer, Accept) and rights().policy.principals.get(str(self._claimed)) != self._before:
            return self._refuse("it was changed while it signed in")  # what it showed may be of before
        return answer

    def _why(self) -> str:
        """Say what is wrong with the key, which Crossbar cannot know: strangers sign for a key that nobody has."""
        if self._key is None:  # it came with a ticket: the authenticator has said why
            return ""
        principal = rights().policy.principals.get(str(self._claimed))
        if principal is None:
            return "there is no principal of this name"
        if self._key not in principal.keys:
            return f"its key {self._key:.16}… is not the principal's"
        if has_ended(principal):
            return f"its {principal.signs_in_by} has ended"
        return WITHOUT_CERTIFICATE if principal.certificate else ""

    def _refuse(self, reason: object) -> Deny:
        notes.refused(self._claimed, reason)
        self._pending_auth = None  # no second guess at the same challenge
        reactor.callLater(LEAVE_WITHIN, self._close_unless_joined)
        return Deny(rights().settings.uris.error("not_authorized"), SENTENCE)

    def _expect_join(self) -> None:
        reactor.callLater(JOIN_WITHIN, self._close_unless_joined)

    def _close_unless_joined(self) -> None:
        if self._session_id is None:
            self._close()

    def _close(self) -> None:
        if self._transport is not None and self._transport.isOpen():
            self._transport.close()


class QuietWampCra(PendingAuthWampCra):  # type: ignore[misc]  # likewise
    """WAMP-CRA that neither logs what it expected nor tells by its timing how near a guess was."""

    def authenticate(self, signature: object) -> Accept | Deny:
        expected, given = str(self._signature), str(signature)
        if self._signature and hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
            return self._accept()
        return Deny(message="its secret is wrong")


def _cause(failure: Failure) -> str:
    return f"{type(failure.value).__name__}: {failure.value}"
