"""The router of an observatory control system: where it is, and how to sign in there."""

from dataclasses import dataclass, replace
from pathlib import Path

from sisock.keys.key import Anonymous, Credential, Key, Secret, Ticket
from sisock.settings import Settings, is_address

WAYS = ("key", "anonymous", "ticket", "wampcra")
_LARGEST = 64 * 2**20  # bytes of a message from there; a larger one is left out


@dataclass(frozen=True)
class There:
    """What the configuration says of it."""

    router: str = ""  # empty: the one that the node itself joins
    realm: str = ""  # empty: the same
    ca: str = ""  # PEM file
    sign_in: str = ""
    user: str = ""
    secret_file: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError with the cure where that cannot be."""
        if self.router and not is_address(self.router):
            raise ValueError(
                f"router = {self.router!r:.80} is no address: write ws://HOST:PORT/ws or wss://HOST:PORT/ws"
            )
        if self.way not in WAYS:
            raise ValueError(f"sign_in = {self.sign_in!r:.80} is no way to sign in: it is one of {', '.join(WAYS)}")
        if self.way in ("ticket", "wampcra") and not (self.user and self.secret_file):
            raise ValueError(f"sign_in = {self.way!r} needs 'user' and 'secret_file'")
        if not self.router and self.way == "anonymous":
            raise ValueError("nobody is anonymous at our own router: give 'router', or leave 'sign_in' out")

    @property
    def way(self) -> str:
        """How to sign in: if nothing is said by the node's key at our own router, without a name at another."""
        return self.sign_in or ("anonymous" if self.router else "key")

    def settings(self, ours: Settings) -> Settings:
        """The settings with which a link gets there."""
        realm = self.realm or ours.realm
        if not self.router:
            return replace(ours, realm=realm)
        apart = ours.state / "ocs_feeds"  # our own authority and certificates are for our own router
        limit = max(_LARGEST, ours.message_limit)
        return replace(ours, router=self.router, realm=realm, router_ca=self.ca, state=apart, message_limit=limit)

    def credential(self, key: Key) -> Credential:
        """What to sign in with. Raises ValueError with the cure where the secret cannot be read."""
        match self.way:
            case "ticket":
                return Ticket(self._secret())
            case "wampcra":
                return Secret(self._secret())
            case "anonymous":
                return Anonymous()
        return key

    def _secret(self) -> str:
        try:
            text = Path(self.secret_file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(
                f"secret_file = {self.secret_file!r} cannot be read ({error}): put the secret there"
            ) from error
        if not text:
            raise ValueError(f"secret_file = {self.secret_file!r} is empty: put the secret into it")
        return text
