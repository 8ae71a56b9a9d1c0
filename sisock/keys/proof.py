"""Proofs that a private key is here: short texts, signed with Ed25519 (RFC 8032)."""

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from sisock.keys.key import Key, check_public


def sign(key: Key, text: str) -> str:
    """The signature of a text, 128 hex digits."""
    return SigningKey(bytes.fromhex(key.private)).sign(text.encode()).signature.hex()


def is_signed(public: object, text: str, signature: object) -> bool:
    """Whether the private half of this public key has signed the text."""
    try:
        VerifyKey(bytes.fromhex(check_public(public))).verify(text.encode(), bytes.fromhex(str(signature)))
    except (ValueError, BadSignatureError):
        return False
    return True


def of_node(name: str, session: int | None, nonce: str) -> str:
    """What a data node signs when the hub calls it back: who it is, in which session, and the hub's own random text."""
    return f"sisock node {name} {session} {nonce}"


def of_enrolling(name: str, principal: str, public: str) -> str:
    """What a new machine signs: the name that it will have, the invitation's principal, and the key that it leaves."""
    return f"sisock enroll {name} {principal} {public}"
