"""Invitations: with one a new machine signs in once, to leave the public key that it has made.

An invitation is a text `sisock1:NAME@HOST:PORT:FINGERPRINT:SECRET`: the name that the machine will have, where the
router's TLS listener is, the SHA-256 of its authority's root certificate (64 hex digits; empty where the system's own
authorities will do), and the seed of an Ed25519 key (64 hex digits). Its public half is a principal that may do nothing but
enroll, and only for a while; the secret never crosses the wire.
"""

import contextlib
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nacl.signing import SigningKey

from sisock.keys.authority import Authority
from sisock.keys.certificates import read_request
from sisock.keys.files import write
from sisock.keys.key import Key, ensure_key, key_file, public_here
from sisock.keys.principals import PAGE, compile_policy, parse_policy
from sisock.keys.proof import is_signed, of_enrolling, sign
from sisock.parsing import from_json
from sisock.times import NS
from sisock.uris import NODE, check_principal

INVITED = ("data_node", "consumer", "recorder")  # roles of those that come from elsewhere
AUTHORITY = "ca.pem"  # under this name the router serves the certificate of its root
_WHAT = "sisock1"
_TEXT = re.compile(
    rf"{_WHAT}:(?P<name>{NODE.pattern})@(?P<address>([^\s:/@]+|\[[0-9a-fA-F:]+\]):\d+)"
    r":(?P<root>[0-9a-f]{64})?:(?P<secret>[0-9a-f]{64})"
)


class RefusedError(Exception):
    """Somebody may not enroll so; says why."""


class Invitation(NamedTuple):
    """Where to sign in, whom to trust, and the key to sign in with."""

    name: str  # of the principal that the machine will be
    address: str  # HOST:PORT
    root: str  # SHA-256 of the authority's root certificate, hex; or empty
    key: Key

    def __str__(self) -> str:
        return f"{_WHAT}:{self.name}@{self.address}:{self.root}:{self.key.private}"

    @property
    def principal(self) -> str:
        """The name by which it signs in."""
        return _principal(self.key.public)


def read(text: str) -> Invitation:
    """The invitation that a text is. Raises ValueError with the cure where it is none."""
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise ValueError("this is no invitation: copy all of what `sisock invite` printed, from sisock1: to the end")
    return Invitation(match["name"], match["address"], match["root"] or "", _key(match["secret"]))


def read_or_none(text: str) -> Invitation | None:
    """As `read`, None where the text is none."""
    with contextlib.suppress(ValueError):
        return read(text)
    return None


def invite(state: Path, name: str, entry: Mapping[str, Any], address: str, root: str, seconds: float) -> Invitation:
    """Invite a machine to be the principal `name` with these entries (role, names …), within so many seconds.

    Without entries it is one that is there, and gets another key. Raises ValueError with the cure where that cannot be.
    """
    known = compile_policy(state)["principals"].get(check_principal(name))
    if not entry and (known is None or known["role"] not in INVITED or name == PAGE):
        raise ValueError(f"only who is there, and comes from another machine, gets another key: {name!r} does not")
    if known is not None and known.get("keys") == [public_here(state, name)]:
        raise ValueError(
            f"{name} is of this machine: choose another name; or remove {key_file(state, name)} and `sisock revoke {name}` first"
        )
    if known is not None and entry:
        raise ValueError(
            f"there is a principal {name!r} already: give it another key by --rekey, or choose another name"
        )
    made = Invitation(name, address, root, _key(SigningKey.generate().encode().hex()))
    if read_or_none(str(made)) != made:
        raise ValueError(f"{address!r} is no address: give --at HOST:PORT")
    until = time.time_ns() + int(seconds * NS)
    whole = {
        "role": "enrolling",
        "keys": [made.key.public],
        "invites": {"name": name, "until": until, "entry": dict(entry)},
    }
    parse_policy({"v": 1, "principals": {made.principal: whole, name: {**(entry or known or {}), "keys": []}}})
    write(_path(state, made.principal), json.dumps(whole, indent=1) + "\n")
    return made


def proof(state: Path, invitation: Invitation) -> tuple[str, str, str]:
    """The name of this machine's principal, its public key, made at first use, and what proves that the private one is here."""
    name, key = invitation.name, ensure_key(state, invitation.name)
    return name, key.public, sign(key, of_enrolling(name, invitation.principal, key.public))


class Admitted(NamedTuple):
    """Who was admitted: its name, its role, and its certificate with the chain, PEM, where it asked for one."""

    name: str
    role: str
    certificate: str = ""


def accept(
    state: Path, principal: str | None, wanted: object, public: object, signature: object, request: object = None
) -> Admitted:
    """Make whoever holds an invitation a principal with its own key, and a certificate where it requests one (PKCS #10).

    `wanted` is the name that it takes the invitation for. Of two that come with one invitation only one may. Raises
    RefusedError, before the invitation is used up.
    """
    path = _path(state, check_principal(str(principal)))
    try:
        invited = from_json(path.read_text(encoding="utf-8"))["invites"]
        name, until, entry = invited["name"], int(invited["until"]), dict(invited["entry"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise RefusedError("there is no such invitation: it has been used, or taken back") from error
    if until <= time.time_ns():
        path.unlink(missing_ok=True)
        raise RefusedError("the invitation has ended: ask for a new one")
    if wanted != name:
        raise RefusedError(f"this invitation is for {name!r}, not for {wanted!r:.80}: enter it as it was printed")
    if not is_signed(public, of_enrolling(name, str(principal), str(public)), signature):
        raise RefusedError("its key is none, or it does not prove that it has the private one")
    known = compile_policy(state, lambda *_: {})["principals"].get(name)
    if known == {}:
        raise RefusedError(f"the file of {name} cannot be read, and is not overwritten: have it mended or removed")
    if known is not None and entry:
        raise RefusedError(f"there is another {name} by now: ask for an invitation with --rekey, or by another name")
    if known is None and not entry:
        raise RefusedError(f"there is no {name} any more: ask for an invitation without --rekey")
    if known is not None and public in known["keys"] and request is None:
        raise RefusedError(f"this is the key that {name} has: remove keys/{name}.key here, and enroll again")
    whole = {**(entry or known or {}), "keys": [public]}
    now = time.time_ns()
    chain = _certificate(state, name, request, needed=bool(whole.get("certificate")))
    if chain:
        whole["certificate"] = now  # those that another key had are worth nothing any more
    parse_policy({"v": 1, "principals": {name: whole}})
    try:
        path.unlink()
    except OSError as error:
        raise RefusedError("the invitation has just been used") from error
    write(_path(state, name), json.dumps(whole, indent=1) + "\n")
    return Admitted(name, str(whole["role"]), chain)


def _certificate(state: Path, name: str, request: object, *, needed: bool) -> str:
    """What was requested, signed by the authority; empty where nothing was, and nothing is needed."""
    if request is None:
        if needed:
            raise RefusedError(f"{name} has to have a certificate here: run `sisock enroll --key rsa4096`")
        return ""
    try:
        return Authority(state / "ca").issue_client(name, read_request(request, name))
    except ValueError as error:
        raise RefusedError(str(error)) from error


def sweep(state: Path) -> int:
    """Remove invitations that have ended; how many."""
    ended = [
        name
        for name, entry in compile_policy(state)["principals"].items()
        if "invites" in entry and entry["invites"]["until"] <= time.time_ns()
    ]
    for name in ended:
        _path(state, name).unlink(missing_ok=True)
    return len(ended)


def withdraw(state: Path, name: str) -> int:
    """Remove the principal of this name, and invitations to be it; how many. Other files may be broken."""
    path = _path(state, check_principal(name))
    there = path.exists()
    path.unlink(missing_ok=True)
    return there + withdraw_invitations(state, name)


def withdraw_invitations(state: Path, name: str) -> int:
    """Remove invitations to be the principal of this name; how many. Other files may be broken."""
    gone = []
    for path in (state / "principals").glob("enroll-*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            if from_json(path.read_text(encoding="utf-8"))["invites"]["name"] == name:
                gone.append(path)
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)


def _key(private: str) -> Key:
    return Key(private, SigningKey(bytes.fromhex(private)).verify_key.encode().hex())


def _principal(public: str) -> str:
    return f"enroll-{public[:16]}"


def _path(state: Path, principal: str) -> Path:
    return state / "principals" / f"{principal}.json"
