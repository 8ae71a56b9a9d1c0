"""A TOML file becomes data nodes: each of its tables is one."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_nodes.sources import url
from data_nodes.sources.command import Command
from data_nodes.sources.database import Database
from data_nodes.sources.file import File
from data_nodes.sources.serial import Serial
from data_nodes.sources.source import Source
from data_nodes.sources.spec import kind_of, read
from data_nodes.sources.url import Url
from sisock.uris import check_node

_CLASSES: Mapping[str, type[Source]] = {
    "command": Command, "file": File, "url": Url, "serial": Serial, "database": Database,
}  # fmt: skip


def nodes(path: Path) -> list[type[Source]]:
    """A class for each table of a file; raises ValueError with the cure for every mistake in it."""
    document = _document(path)
    kinds = kind_of(document)
    tables: Mapping[str, Any] = {path.stem: document} if kinds else document
    if not tables:
        raise ValueError(
            f'{path} is empty: write a table for each source, as [uptime] and below it command = ["uptime"]'
        )
    return [
        _class(name, f"{path}: [{name}]" if not kinds else str(path), table, path) for name, table in tables.items()
    ]


def named(path: Path, name: str) -> type[Source] | None:
    """The source that a table of a configuration describes; None where there is no such table, or it is of another node."""
    table = _document(path).get(name) if path.is_file() else None
    return _class(name, f"{path}: [{name}]", table, path) if isinstance(table, dict) and kind_of(table) else None


def _class(name: str, where: str, table: Any, path: Path) -> type[Source]:
    if not isinstance(table, dict):
        raise ValueError(f"{path}: {name!r:.60} stands in no table: write [NAME], the node's name, above it")
    try:
        check_node(name)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    spec = read(where, table, path.parent)
    if "url" in table:
        try:
            url.check(table["url"])
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    kind = _CLASSES[spec.kind]
    about = table.get("description") or f"{str(kind.__doc__).rstrip('.')}: {_shown(table[spec.kind])}"
    return type(name, (kind,), {
        "__doc__": about, "__module__": kind.__module__, "name": name, "sensitive": table.get("sensitive", False), "where": where, "table": table, "folder": path.parent,
    })  # fmt: skip


def _shown(value: Any) -> str:
    """What a source is of, without secrets that may stand in it."""
    if isinstance(value, list):
        return str(value[0])
    text = str(value)
    return text.rpartition("@")[2].partition("?")[0] if "://" in text else text


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 (byte {error.start + 1}): save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
