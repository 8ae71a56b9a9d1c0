"""Who may join: machines by their key, the page by its token, existing clients by their secret."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from autobahn.wamp.exception import ApplicationError
from nacl.signing import SigningKey

from sisock.keys import Principal
from sisock.keys.principals import PAGE
from sisock.keys.tokens import Tokens
from sisock.router.policy import Rights, rights

SESSION = 12 * 3600.0  # seconds a session token of the page lasts
_NOBODY = SigningKey.generate().verify_key.encode().hex()  # its private key is already forgotten


class Authenticator:
    """Decides who may join; Crossbar asks it for every authentication method."""

    def __init__(self, shared: Rights) -> None:
        self._rights = shared
        folder = shared.settings.state / "router"
        self._page = Tokens(folder / "tokens")
        self._sessions = Tokens(folder / "sessions")

    def authenticate(self, realm: str | None, authid: str, details: Mapping[str, Any]) -> dict[str, Any]:
        """Return the principal as Crossbar wants it, or raise ApplicationError; its sentence is for the log only."""
        principal = self._rights.policy.principals.get(authid)
        match details.get("authmethod"):
            case "cryptosign":
                return self._by_key(authid, principal, details.get("authextra") or {})
            case "ticket":
                return self._by_token(authid, principal, details.get("ticket"))
            case _:
                return self._by_secret(authid, principal)

    def _by_key(self, authid: str, principal: Principal | None, extra: Mapping[str, Any]) -> dict[str, Any]:
        """Challenge whoever it is: a stranger cannot tell an unknown name from a wrong key."""
        public = extra.get("pubkey")
        known = principal is not None and public in principal.keys
        role = principal.role if principal is not None else "consumer"
        return self._principal(authid, role, pubkey=public if known else _NOBODY)

    def _by_token(self, authid: str, principal: Principal | None, token: object) -> dict[str, Any]:
        if authid != PAGE or principal is None:
            self._refuse("only the page signs in with a token")
        if not isinstance(token, str) or not token:
            self._refuse("it gave no token")
        expires = self._sessions.expires(token)
        if expires is None:
            if not self._page.consume(token):
                self._refuse("the token is unknown, used up or has ended: `sisock up` prints a new one")
            token = self._sessions.new(SESSION)
            expires = self._sessions.expires(token)
        return self._principal(authid, principal.role, extra={"session_token": token, "expires": expires})

    def _by_secret(self, authid: str, principal: Principal | None) -> dict[str, Any]:
        if principal is None or not principal.secret_file:
            self._refuse("no such name signs in with a secret")
        try:
            secret = Path(principal.secret_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            self._refuse(f"its secret cannot be read ({error.strerror}): see {principal.secret_file}")
        if not secret:
            self._refuse(f"{principal.secret_file} is empty: put the secret into it")
        return self._principal(authid, principal.role, secret=secret)

    def _principal(self, authid: str, role: str, **more: Any) -> dict[str, Any]:
        return {"realm": self._rights.settings.realm, "authid": authid, "role": role, **more}

    def _refuse(self, reason: str) -> NoReturn:
        raise ApplicationError(self._rights.settings.uris.error("not_authorized"), reason)


def create(config: Mapping[str, Any], controller: object) -> Any:
    """Make the authenticator; what Crossbar calls once for each worker."""
    return Authenticator(rights()).authenticate
