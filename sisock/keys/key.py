"""Ed25519 key files: what hub, bridge, nodes and consumers sign in with."""

import re
from pathlib import Path
from typing import NamedTuple

from nacl.signing import SigningKey

from sisock.keys.files import write_once
from sisock.uris import check_node

_HEX = re.compile(r"[0-9a-f]{64}")


class Key(NamedTuple):
    """A raw Ed25519 key pair, 64 hex digits each."""

    private: str
    public: str


def ensure_key(state: Path, name: str) -> Key:
    """Return the key of a principal, made at first use; of two that make it at the same time both get the same."""
    path = state / "keys" / f"{check_node(name)}.key"
    if not path.exists():
        write_once(path, SigningKey.generate().encode().hex() + "\n")
    private = path.read_text(encoding="ascii", errors="replace").strip()
    if not _HEX.fullmatch(private):
        raise ValueError(f"{path} does not hold a key of 64 hex digits: restore it, or remove it and a new one is made")
    return Key(private, SigningKey(bytes.fromhex(private)).verify_key.encode().hex())


def check_public(key: object) -> str:
    """Return the public key; raise ValueError with the cure if it is not 64 hex digits."""
    if not isinstance(key, str) or not _HEX.fullmatch(key):
        raise ValueError(f"{key!r:.80} is not a public key: give 64 hex digits in lower case")
    return key
