"""A principal's entry in the policy: what it is, how it signs in, and what it may."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sisock.keys.key import check_public
from sisock.keys.passwords import is_hash
from sisock.uris import NODE, check_node

PEOPLE = ("viewer", "operator", "admin")  # see nodes; switch them, too; see all, and who may sign in
CONSUMERS = ("consumer", *PEOPLE)
ROLES = ("hub", "data_node", "recorder", *CONSUMERS, "enrolling")
TAG = "tag:"  # what a pattern begins with that means the nodes with a tag
_PATTERN = re.compile(r"[A-Za-z0-9_*?\[\]!-]{1,100}")  # of names, as fnmatch reads it
_WORD = re.compile(r"[A-Za-z0-9_-]{1,63}")
_LAST = 2**63  # ns, the year 2262: what a message carries
_HEX = re.compile(r"[0-9a-f]{64}")
_ENTRIES = frozenset(
    (
        "role",
        "keys",
        "names",
        "sensitive",
        "nodes",
        "switch",
        "tags",
        "hears",
        "tells",
        "wampcra",
        "password",
        "token",
        "certificate",
        "invites",
    )
)


@dataclass(frozen=True)
class Principal:
    """What one principal is and may."""

    role: str
    keys: tuple[str, ...] = ()  # public keys
    names: tuple[str, ...] = ()  # data nodes it may offer
    tags: tuple[str, ...] = ()  # a data node: words by which rights may name it
    sensitive: bool = False  # a data node: shown to few; a consumer: is one of these
    nodes: tuple[str, ...] = ("*",)  # patterns of the data nodes a consumer may see
    switch: tuple[str, ...] = ("*",)  # and, of these, may command where its role allows that
    hears: tuple[str, ...] = ()  # a data node: roots of observatory control systems whose feeds it may hear
    tells: tuple[str, ...] = ()  # and below which it may publish feeds of its own names
    certificate: int = 0  # shows a certificate of our authority, by its name, made since then (ns), at TLS, too
    secret_file: str = ""  # an existing client's WAMP-CRA secret
    password: str = ""  # a person's, hashed
    token: str = ""  # SHA-256 of an API token's secret, hex
    until: int | None = None  # when it ends, ns: an invitation, a token
    invites: str = ""  # an invitation: the name that who comes by it will have

    @property
    def signs_in_by(self) -> str:
        """By what it signs in, in a word."""
        if self.role == "enrolling":
            return "invitation"
        ways = {"password": self.password, "token": self.token, "secret": self.secret_file, "key": self.keys}
        return next((way for way, given in ways.items() if given), "link")


def parse(name: str, entry: object) -> Principal:
    """Read an entry. Raises ValueError with the cure where it is none."""
    if not isinstance(entry, Mapping):
        raise ValueError(f"principal {name!r}: give an object with 'role' and 'keys'")
    unknown = set(entry) - _ENTRIES
    if unknown:
        raise ValueError(f"principal {name!r}: {min(map(str, unknown))!r} is not an entry: correct or remove it")
    role = entry.get("role")
    if role not in ROLES:
        raise ValueError(f"principal {name!r}: role {role!r} must be one of {', '.join(ROLES)}")
    token, until = _token(name, role, entry.get("token"))
    return Principal(
        role=role,
        keys=tuple(check_public(key) for key in texts(name, entry, "keys", ())),
        names=tuple(check_node(each) for each in texts(name, entry, "names", (name,))),
        tags=tuple(check_tag(each) for each in texts(name, entry, "tags", ())),
        sensitive=_flag(name, entry, "sensitive"),
        hears=_roots(name, role, entry, "hears"),
        tells=_roots(name, role, entry, "tells"),
        certificate=_certificate(name, entry.get("certificate", False)),
        nodes=_patterns(name, entry, "nodes"),
        switch=_patterns(name, entry, "switch"),
        secret_file=_secret_file(name, entry.get("wampcra")),
        password=_password(name, role, entry.get("password")),
        token=token,
        until=_until(name, role, entry.get("invites")) if token == "" else until,
        invites=_invited(entry.get("invites")),
    )


def check_tag(tag: str) -> str:
    """Return the tag; raise ValueError with the cure if it is none."""
    if not _WORD.fullmatch(tag):
        raise ValueError(f"{tag!r:.80} is no tag: use up to 63 letters, digits, '_' or '-'")
    return tag


def _certificate(name: str, since: object) -> int:
    """Since when its certificates count: true is ever since, false that it needs none."""
    if not isinstance(since, int) or not (isinstance(since, bool) or _end(since)):
        raise ValueError(f"principal {name!r}: 'certificate' must be true, false or a time in ns")
    return int(since)


def _flag(name: str, entry: Mapping[str, Any], key: str) -> bool:
    flag = entry.get(key, False)
    if not isinstance(flag, bool):
        raise ValueError(f"principal {name!r}: {key!r} must be true or false")
    return flag


def _roots(name: str, role: str, entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """First words of topics, none of which is one of WAMP's own."""
    roots = texts(name, entry, key, ())
    for each in roots:
        if role != "data_node" or not _WORD.fullmatch(each) or each == "wamp":
            raise ValueError(f"principal {name!r}: {key!r} is for data nodes, a list of words such as 'observatory'")
    return roots


def _patterns(name: str, entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    patterns = texts(name, entry, key, ("*",))
    for each in patterns:
        if each.startswith(TAG):
            check_tag(each.removeprefix(TAG))
        elif not _PATTERN.fullmatch(each):
            raise ValueError(
                f"principal {name!r}: {each!r:.80} is no pattern: write names as in 'lab-*', or tags as in 'tag:cold'"
            )
    return patterns


def texts(name: str, entry: Mapping[str, Any], key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """The texts of this key of an entry. Raises ValueError with the cure where it is no list of texts."""
    found = entry.get(key, default)
    if not isinstance(found, (list, tuple)) or not all(isinstance(each, str) for each in found):
        raise ValueError(f"principal {name!r}: {key!r} must be a list of texts")
    return tuple(found)


def _secret_file(name: str, wampcra: object) -> str:
    if wampcra is None:
        return ""
    if not isinstance(wampcra, Mapping) or not isinstance(wampcra.get("secret_file"), str):
        raise ValueError(f"principal {name!r}: 'wampcra' must be {{'secret_file': path}}")
    return str(wampcra["secret_file"])


def _password(name: str, role: str, password: object) -> str:
    if password is None:
        return ""
    if role not in PEOPLE or not is_hash(password):
        raise ValueError(f"principal {name!r}: 'password' is for people, and made by `sisock principal password`")
    return str(password)


def _end(until: object) -> bool:
    """Whether it is a time that a calendar has."""
    return isinstance(until, int) and 0 <= until < _LAST


def _token(name: str, role: str, token: object) -> tuple[str, int | None]:
    """The hash of an API token's secret, and when it ends."""
    if token is None:
        return "", None
    sound = isinstance(token, Mapping) and _end(token.get("until"))
    if (
        role not in CONSUMERS
        or not isinstance(token, Mapping)
        or not sound
        or not _HEX.fullmatch(str(token.get("sha256")))
    ):
        raise ValueError(f"principal {name!r}: 'token' is for who sees nodes, and made by `sisock principal token`")
    return str(token["sha256"]), int(token["until"])


def _invited(invites: object) -> str:
    """The name that an invitation is for."""
    name = invites.get("name") if isinstance(invites, Mapping) else None
    return name if isinstance(name, str) and NODE.fullmatch(name) else ""


def _until(name: str, role: str, invites: object) -> int | None:
    """When an invitation ends."""
    if (role == "enrolling") != (invites is not None):
        raise ValueError(
            f"principal {name!r}: 'invites' and the role 'enrolling' belong together: `sisock invite` makes both"
        )
    if invites is None:
        return None
    if not isinstance(invites, Mapping) or not _end(invites.get("until")):
        raise ValueError(f"principal {name!r}: 'invites' must say 'until' when, in ns: `sisock invite` makes it")
    return int(invites["until"])
