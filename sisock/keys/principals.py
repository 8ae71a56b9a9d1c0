"""Principals: a file each that says who may sign in, how and as what; and the policy compiled from them."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sisock.keys import files
from sisock.keys.entry import Principal, parse, texts
from sisock.keys.files import write
from sisock.keys.key import key_file, public_here
from sisock.parsing import from_json
from sisock.uris import check_principal

PAGE = "page"  # the principal of everybody who comes with a token of `sisock up`


class AnothersError(ValueError):
    """The name is that of a node of another machine; says so, and the cure."""


def check_ours(state: Path, name: str) -> None:
    """Raise AnothersError where the hub's principals are here, and this one signs in by another key than this machine's."""
    keys = texts(name, load_principal(state, name) or {}, "keys", ()) if key_file(state, "hub").is_file() else ()
    if keys and public_here(state, name) not in keys:
        raise AnothersError(
            f"{name} is admitted by another key than this machine's: start this one under another name (--name), or "
            f"`sisock revoke {name}` first"
        )


def ensure_principal(state: Path, name: str, role: str, public: str | None, **more: Any) -> None:
    """Make sure that the principal exists, with this key among its keys.

    Role and entries are for one that is new: what its owner has said since stays, but for a data node that is sensitive by
    what it is, and so in any case.
    """
    with alone(state):
        _ensure(state, name, role, public, more)


def _ensure(state: Path, name: str, role: str, public: str | None, more: Mapping[str, Any]) -> None:
    existing = load_principal(state, name) or {}
    keys = list(texts(name, existing, "keys", ()))
    entry = {"role": role, **more, **existing, "keys": keys if public is None or public in keys else [*keys, public]}
    if entry["role"] == "data_node" and more.get("sensitive"):
        entry["sensitive"] = True
    if entry != existing:
        save_principal(state, name, entry)


def alone(state: Path) -> AbstractContextManager[None]:
    """Hold the principals against others who change them meanwhile."""
    return files.alone(state / "principals")


def load_principal(state: Path, name: str) -> dict[str, Any] | None:
    """The entry of a principal, None where there is none; raises ValueError with the file's name where it cannot be read."""
    path = _path(state, name)
    return _load(path) if path.exists() else None


def save_principal(state: Path, name: str, entry: Mapping[str, Any]) -> None:
    """Leave an entry where the hub finds it; raises ValueError with the cure where it is none."""
    parse(name, entry)
    write(_path(state, name), json.dumps(entry, indent=1) + "\n")


def _path(state: Path, name: str) -> Path:
    return state / "principals" / f"{check_principal(name)}.json"


def compile_policy(state: Path, instead: Callable[[str, Exception], Any] | None = None) -> dict[str, Any]:
    """Gather all principals into the snapshot that the router decides by; the page's is there by itself.

    Raises ValueError with the file's name where one cannot be read; or `instead` says what counts in its place, None for
    nothing.
    """
    principals: dict[str, Any] = {PAGE: {"role": "consumer", "keys": []}}
    for path in sorted((state / "principals").glob("*.json")):
        try:
            entry = _load(path)
            parse(_name(path), entry)
        except FileNotFoundError:  # dismissed just now
            continue
        except (OSError, ValueError) as error:
            if instead is None:
                raise
            entry = instead(path.stem, error)
        if entry is not None:
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
    return {check_principal(name): parse(name, entry) for name, entry in snapshot["principals"].items()}


def _name(path: Path) -> str:
    """Whose file it is. Raises ValueError where nobody can be called so."""
    try:
        return check_principal(path.stem)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; rename or remove it") from error


def _load(path: Path) -> dict[str, Any]:
    try:
        entry = from_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): correct or remove it") from error
    if not isinstance(entry, dict):
        raise ValueError(f"{path} does not hold a JSON object: correct or remove it")
    return entry
