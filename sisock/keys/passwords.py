"""Passwords of people: Argon2id (RFC 9106) with a salt of its own each, 64 MiB and two passes."""

import re
from functools import cache

from nacl import pwhash
from nacl.exceptions import CryptoError

from sisock.keys import api_tokens

SHORTEST, LONGEST = 10, 200  # characters
_HASH = re.compile(r"\$argon2id\$v=19\$m=65536,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}")


@cache
def nobodys() -> str:
    """What is compared for a name that nobody has; made at first use, as it takes time and memory."""
    return pwhash.argon2id.str(b"the password of nobody").decode()


def hashed(password: str) -> str:
    """What is kept of a password. Raises ValueError with the cure for one that is too short, too long, or like a token."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise ValueError(f"a password has {SHORTEST} to {LONGEST} characters: several words are easy to remember")
    if api_tokens.looks_so(password):
        raise ValueError("this looks like a token, 43 letters and digits: make it longer or shorter")
    return pwhash.argon2id.str(password.encode("utf-8", "surrogatepass")).decode()


def is_hash(text: object) -> bool:
    """Whether it is what `hashed` gives, and so costs no more to check than that."""
    return isinstance(text, str) and _HASH.fullmatch(text) is not None


def check(kept: str, password: str) -> bool:
    """Whether it is the password; nothing is where none is kept. It takes a tenth of a second and 64 MiB in any case."""
    try:
        return bool(
            pwhash.verify((kept or nobodys()).encode("ascii"), password.encode("utf-8", "surrogatepass"))
        ) and bool(kept)
    except (CryptoError, ValueError):
        return False
