"""Principals: who may sign in, by which key, in which role; and the policy compiled from them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sisock.keys.files import write
from sisock.keys.key import check_public
from sisock.uris import check_node

ROLES = ("hub", "data_node", "recorder", "consumer")
PAGE = "page"  # the principal of everybody who comes with a token of `sisock up`


@dataclass(frozen=True)
class Principal:
    """What one principal is and may."""

    role: str
    keys: tuple[str, ...] = ()  # public keys
    names: tuple[str, ...] = ()  # data nodes it may offer
    sensitive: bool = False  # a data node: shown to few; a consumer: is one of these
    nodes: tuple[str, ...] = ("*",)  # patterns of the data nodes a consumer may see
    secret_file: str = ""  # an existing client's WAMP-CRA secret


def ensure_principal(state: Path, name: str, role: str, public: str | None, **more: Any) -> None:
    """Make sure that the principal exists with this role, this key among its keys, and these entries."""
    path = state / "principals" / f"{check_node(name)}.json"
    existing = _load(path) if path.exists() else {}
    keys = existing.get("keys", [])
    entry = {**existing, "role": role, **more, "keys": keys if public is None or public in keys else [*keys, public]}
    _parse(name, entry)
    if entry != existing:
        write(path, json.dumps(entry, indent=1) + "\n")


def compile_policy(state: Path) -> dict[str, Any]:
    """Gather all principals into the snapshot that the router decides by; the page's is there by itself.

    Raises ValueError with the file's name where one cannot be read.
    """
    principals: dict[str, Any] = {PAGE: {"role": "consumer", "keys": []}}
    for path in sorted((state / "principals").glob("*.json")):
        entry = _load(path)
        _parse(path.stem, entry)
        principals[path.stem] = entry
    return {"v": 1, "principals": principals}


def write_policy(state: Path) -> None:
    """Compile the policy and leave it where the router finds it."""
    save_policy(state, compile_policy(state))


def save_policy(state: Path, snapshot: Mapping[str, Any]) -> None:
    """Leave this policy where the router finds it at its next start."""
    write(policy_file(state), json.dumps(snapshot, indent=1) + "\n")


def policy_file(state: Path) -> Path:
    """Where the router keeps its policy."""
    return state / "router" / "policy.json"


def parse_policy(snapshot: object) -> dict[str, Principal]:
    """Read a policy; raise ValueError with the cure where it is not one."""
    if (
        not isinstance(snapshot, Mapping)
        or snapshot.get("v") != 1
        or not isinstance(snapshot.get("principals"), Mapping)
    ):
        raise ValueError("a policy is {'v': 1, 'principals': {name: {'role': …, 'keys': […]}}}: this is something else")
    return {check_node(name): _parse(name, entry) for name, entry in snapshot["principals"].items()}


def _load(path: Path) -> dict[str, Any]:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): correct or remove it") from error
    if not isinstance(entry, dict):
        raise ValueError(f"{path} does not hold a JSON object: correct or remove it")
    return entry


def _parse(name: str, entry: object) -> Principal:
    if not isinstance(entry, Mapping):
        raise ValueError(f"principal {name!r}: give an object with 'role' and 'keys'")
    unknown = set(entry) - {"role", "keys", "names", "sensitive", "nodes", "wampcra"}
    if unknown:
        raise ValueError(f"principal {name!r}: {min(map(str, unknown))!r} is not an entry: correct or remove it")
    role = entry.get("role")
    if role not in ROLES:
        raise ValueError(f"principal {name!r}: role {role!r} must be one of {', '.join(ROLES)}")
    sensitive = entry.get("sensitive", False)
    if not isinstance(sensitive, bool):
        raise ValueError(f"principal {name!r}: 'sensitive' must be true or false")
    return Principal(
        role=role,
        keys=tuple(check_public(key) for key in _texts(name, entry, "keys", ())),
        names=tuple(check_node(each) for each in _texts(name, entry, "names", (name,))),
        sensitive=sensitive,
        nodes=_texts(name, entry, "nodes", ("*",)),
        secret_file=_secret_file(name, entry.get("wampcra")),
    )


def _texts(name: str, entry: Mapping[str, Any], key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    texts = entry.get(key, default)
    if not isinstance(texts, (list, tuple)) or not all(isinstance(each, str) for each in texts):
        raise ValueError(f"principal {name!r}: {key!r} must be a list of texts")
    return tuple(texts)


def _secret_file(name: str, wampcra: object) -> str:
    if wampcra is None:
        return ""
    if not isinstance(wampcra, Mapping) or not isinstance(wampcra.get("secret_file"), str):
        raise ValueError(f"principal {name!r}: 'wampcra' must be {{'secret_file': path}}")
    return str(wampcra["secret_file"])
