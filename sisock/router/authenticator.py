"""Who may join: machines by their key, people by a password, scripts and the page by a token, existing clients by a secret."""

import hmac
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

from autobahn.wamp.exception import ApplicationError
from nacl.signing import SigningKey
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from sisock.keys import Principal, api_tokens
from sisock.keys.authority import EARLIER
from sisock.keys.entry import PEOPLE
from sisock.keys.principals import PAGE
from sisock.keys.tokens import Tokens, sessions
from sisock.router.passwords import Passwords
from sisock.router.policy import Rights, rights
from sisock.times import NS

SESSION = 12 * 3600.0  # seconds for which a page need not ask again who it is
WITHOUT_CERTIFICATE = "it does not show its certificate: it has to come by TLS, with the one that it enrolled with"
_NOBODY = SigningKey.generate().verify_key.encode().hex()  # its private key is already forgotten


class Authenticator:
    """Decides who may join; Crossbar asks it for every authentication method."""

    def __init__(self, shared: Rights) -> None:
        self._rights = shared
        state = shared.settings.state
        self._page = Tokens(state / "router" / "tokens")
        self._sessions = sessions(state)
        self._passwords = Passwords()

    def authenticate(
        self, realm: str | None, authid: str, details: Mapping[str, Any]
    ) -> "dict[str, Any] | Deferred[Any]":
        """Return the principal as Crossbar wants it, or raise ApplicationError; its sentence is for the log only."""
        principal = self._rights.policy.principals.get(authid)
        transport = details.get("transport") or {}
        since = principal.certificate if principal is not None else 0
        shown = not since or _is_shown(authid, since, transport.get("peer_cert"))
        method = details.get("authmethod")
        if method == "cryptosign":
            return self._by_key(authid, principal, details.get("authextra") or {}, shown=shown)
        if not shown:
            self._refuse(WITHOUT_CERTIFICATE)
        if method == "ticket":
            return self._by_ticket(authid, principal, details.get("ticket"), str(transport.get("peer")))
        return self._by_secret(authid, principal)

    def _by_key(
        self, authid: str, principal: Principal | None, extra: Mapping[str, Any], *, shown: bool
    ) -> dict[str, Any]:
        """Challenge whoever it is: a stranger cannot tell an unknown name from a wrong key."""
        public = extra.get("pubkey")
        known = shown and principal is not None and public in principal.keys and not has_ended(principal)
        role = principal.role if principal is not None else "consumer"
        return self._principal(authid, role, pubkey=public if known else _NOBODY)

    def _by_ticket(
        self, authid: str, principal: Principal | None, ticket: object, peer: str
    ) -> "dict[str, Any] | Deferred[Any]":
        if not isinstance(ticket, str) or not ticket:
            self._refuse("it gave no ticket")
        if principal is not None and (expires := self._sessions.expires(ticket, _owner(authid, principal))):
            return self._session(authid, principal, ticket, expires)
        if authid == PAGE and principal is not None:
            if not self._page.consume(ticket):
                self._refuse("the token is unknown, used up or has ended: `sisock up` prints a new one")
            return self._new_session(authid, principal)
        if api_tokens.looks_so(ticket):
            return self._by_token(authid, principal, ticket)
        return self._by_password(authid, principal, ticket, peer)

    def _by_token(self, authid: str, principal: Principal | None, token: str) -> dict[str, Any]:
        kept = principal.token if principal is not None else ""
        if principal is None or not hmac.compare_digest(sha256(token.encode()).hexdigest(), kept):
            self._refuse("no such token, or ticket of a session, or it has been taken back")
        if has_ended(principal):
            self._refuse("its token has ended: `sisock principal token` makes another")
        return self._principal(authid, principal.role)

    def _by_password(self, authid: str, principal: Principal | None, password: str, peer: str) -> "Deferred[Any]":
        """Compare with whatever there is: a stranger cannot tell an unknown name from a wrong password."""
        kept = principal.password if principal is not None and principal.role in PEOPLE else ""

        def checked(trouble: str) -> "Deferred[Any]":
            if trouble or principal is None:
                self._refuse(trouble)
            entered: Deferred[Any] = deferToThread(self._new_session, authid, principal)
            return entered

        answer: Deferred[Any] = self._passwords.check(authid, peer, kept, password)
        return answer.addCallback(checked)

    def _by_secret(self, authid: str, principal: Principal | None) -> dict[str, Any]:
        if principal is None or not principal.secret_file:  # the challenge comes as for any other
            return self._principal(authid, "consumer", secret=secrets.token_hex(32))
        try:
            secret = Path(principal.secret_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            self._refuse(f"its secret cannot be read ({error.strerror}): see {principal.secret_file}")
        if not secret:
            self._refuse(f"{principal.secret_file} is empty: put the secret into it")
        return self._principal(authid, principal.role, secret=secret)

    def _new_session(self, authid: str, principal: Principal) -> dict[str, Any]:
        """Let in, with a ticket for coming back."""
        owner = _owner(authid, principal)
        ticket = self._sessions.new(SESSION, owner)
        return self._session(authid, principal, ticket, self._sessions.expires(ticket, owner))

    def _session(self, authid: str, principal: Principal, ticket: str, expires: int | None) -> dict[str, Any]:
        return self._principal(authid, principal.role, extra={"session_token": ticket, "expires": expires})

    def _principal(self, authid: str, role: str, **more: Any) -> dict[str, Any]:
        return {"realm": self._rights.settings.realm, "authid": authid, "role": role, **more}

    def _refuse(self, reason: str) -> NoReturn:
        raise ApplicationError(self._rights.settings.uris.error("not_authorized"), reason)


def _is_shown(authid: str, since: int, certificate: Any) -> bool:
    """Whether it came with a certificate by its name that was made since (ns); TLS has seen that it is good, and ours."""
    if not isinstance(certificate, Mapping) or (certificate.get("subject") or {}).get("cn") != authid:
        return False
    try:
        begin = datetime.strptime(str(certificate.get("not_before")), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return begin + EARLIER >= datetime.fromtimestamp(since // NS, UTC)


def _owner(authid: str, principal: Principal) -> str:
    """Whose a session is: another password, or another person by the same name, is somebody else."""
    return f"{authid} {sha256(principal.password.encode()).hexdigest()[:16]}"


def has_ended(principal: Principal) -> bool:
    """Whether it is an invitation or a token that has ended."""
    return principal.until is not None and principal.until <= time.time_ns()


def create(config: Mapping[str, Any], controller: object) -> Any:
    """Make the authenticator; what Crossbar calls once for each worker."""
    return Authenticator(rights()).authenticate
