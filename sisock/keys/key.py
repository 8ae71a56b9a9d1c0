"""Ed25519 key files: what hub, bridge, nodes and consumers sign in with; and fingerprints of certificates."""

import contextlib
import re
import ssl
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from nacl.signing import SigningKey

from sisock.keys.files import write_once
from sisock.uris import check_principal

_HEX = re.compile(r"[0-9a-f]{64}")


class Key(NamedTuple):
    """A raw Ed25519 key pair, 64 hex digits each."""

    private: str
    public: str


class Ticket(NamedTuple):
    """A password or a token's secret: it crosses the wire, which has to be encrypted, or to stay on this machine."""

    text: str


class Secret(NamedTuple):
    """What WAMP-CRA proves to have: it never crosses the wire."""

    text: str


class Anonymous(NamedTuple):
    """Nothing to sign in with, for another's router that lets anybody in; ours does not."""


Credential = Key | Ticket | Secret | Anonymous


def ensure_key(state: Path, name: str) -> Key:
    """Return the key of a principal, made at first use; of two that make it at the same time both get the same."""
    path = key_file(state, name)
    if not path.exists():
        write_once(path, SigningKey.generate().encode().hex() + "\n")
    private = path.read_text(encoding="ascii", errors="replace").strip()
    if not _HEX.fullmatch(private):
        raise ValueError(f"{path} does not hold a key of 64 hex digits: restore it, or remove it and a new one is made")
    return Key(private, SigningKey(bytes.fromhex(private)).verify_key.encode().hex())


def key_file(state: Path, name: str) -> Path:
    """Where this machine keeps the key of a principal."""
    return state / "keys" / f"{check_principal(name)}.key"


def public_here(state: Path, name: str) -> str | None:
    """The public key of a principal whose private one this machine has; None where it has none that can be read."""
    if key_file(state, name).is_file():
        with contextlib.suppress(ValueError):
            return ensure_key(state, name).public
    return None


class Shown(NamedTuple):
    """Where a machine keeps the private key and the certificate, with its chain, that it shows at TLS, PEM."""

    key: Path
    chain: Path

    def is_there(self) -> bool:
        """Whether this machine has them."""
        return self.key.is_file() and self.chain.is_file()


def shown(state: Path, name: str) -> Shown:
    """Where this machine keeps what it shows as the principal `name`; `certificates` makes and reads it."""
    folder = state / "keys"
    return Shown(folder / f"{check_principal(name)}.tls.key", folder / f"{name}.tls.pem")


def check_public(key: object) -> str:
    """Return the public key; raise ValueError with the cure if it is not 64 hex digits."""
    if not isinstance(key, str) or not _HEX.fullmatch(key):
        raise ValueError(f"{key!r:.80} is not a public key: give 64 hex digits in lower case")
    return key


def one_certificate(pem: str) -> tuple[str, str]:
    """A certificate as PEM with nothing else beside it, and the SHA-256 of just that, 64 hex digits.

    What the text holds besides is left out: it was not looked at. Raises ValueError where the text is none.
    """
    der = ssl.PEM_cert_to_DER_cert(pem)
    return ssl.DER_cert_to_PEM_cert(der), sha256(der).hexdigest()
