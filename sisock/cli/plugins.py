"""Find data nodes, by the name of an entry point or in a Python file, and configure them."""

import importlib.util
import inspect
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from sisock.cli.loading import loading
from sisock.nodes import DataNode, LiveNode
from sisock.nodes.base import name_of, tags_of
from sisock.uris import check_node

GROUP = "sisock.data_nodes"
FILES = "sisock.node_files"  # what makes nodes of a file, by the ending of its name
_NUMBERS = (int, float, "int", "float")  # annotations of settings that are numbers


class UnknownNode(ValueError):
    """There is no node of that name, or no such file."""


def find(word: str, config: Path | None = None) -> list[type[DataNode]]:
    """The classes that `word` stands for: those of FILE.py or FILE.toml, or the one of that name.

    A name may also be that of a table of `config` that describes a source. Raises ValueError with the cure if it cannot
    be loaded, UnknownNode if there is none.
    """
    if word.endswith(".py"):
        return _in_file(Path(word))
    if is_file(word):
        return _described(Path(word))
    return [_by_name(word, config)]


def is_file(word: str) -> bool:
    """True if this is a file of nodes, and no name."""
    return word.endswith(".py") or Path(word).suffix[1:] in _entry_points(FILES)


def names() -> list[str]:
    """The names under which packages of this machine offer data nodes."""
    return sorted(_entry_points())


def configured(kind: type[DataNode], path: Path, name: str | None = None) -> DataNode:
    """A node of this class, called `name`, with the keywords that its table of the configuration file gives.

    Any node takes `tags` and `kafka`, and any that measures now and then an `interval`, whatever its constructor takes.
    """
    name = check_node(name or kind.name or kind.__name__.lower())
    given, takes = _table(path, name), list(inspect.signature(kind).parameters)
    offered = ("tags", *(["interval"] if issubclass(kind, LiveNode) else []), "kafka")
    everyone = [each for each in offered if each not in takes]
    common = {each: given.pop(each) for each in everyone if each in given}
    try:
        inspect.signature(kind).bind(**given)
    except TypeError as error:
        known = ", ".join([*takes, *everyone])
        raise ValueError(f"{path}: table [{name}]: {error}; {kind.__name__} takes {known}") from error
    for each, parameter in inspect.signature(kind).parameters.items():
        if parameter.annotation in _NUMBERS and isinstance(given.get(each), (str, list, dict)):
            raise ValueError(f"{path}: table [{name}]: {each} = {given[each]!r:.60} cannot be: give a number")
    node = kind(**given)
    if name_of(node) != name:
        node.name = name
    for each, value in common.items():
        setattr(node, each, value)
    tags_of(node)
    if node.kafka is not False:
        from sisock.outlets.kafka import kafka

        try:
            kafka(node.kafka)
        except ValueError as error:
            raise ValueError(f"{path}: table [{name}]: {error}") from error
    return node


def _described(path: Path) -> list[type[DataNode]]:
    """The nodes of a file that is no Python."""
    if not path.is_file():
        raise UnknownNode(f"there is no file {path}: give the path of the file that describes the node")
    made: list[type[DataNode]] = _reader_of(path.suffix[1:]).nodes(path)
    return made


def _reader_of(ending: str) -> Any:
    with loading(f"what reads nodes from .{ending}"):
        return _entry_points(FILES)[ending].load()


def _by_name(word: str, config: Path | None) -> type[DataNode]:
    offered = _entry_points()
    if word not in offered:
        ending = "" if config is None else config.suffix[1:]
        source: type[DataNode] | None = (
            _reader_of(ending).named(config, word) if ending in _entry_points(FILES) else None
        )
        if source is not None:
            return source
        known = ", ".join(sorted(offered)) or "none is installed"
        raise UnknownNode(
            f"no data node is called {word!r}: there are {known}; or give a file, as in my_node.py or my_node.toml"
        )
    with loading(f"the data node {word!r}"):
        kind = offered[word].load()
    if not (isinstance(kind, type) and issubclass(kind, DataNode)):
        raise ValueError(f"{word}: {offered[word].value} is not a class derived from sisock.nodes.DataNode")
    return kind


def _entry_points(group: str = GROUP) -> dict[str, EntryPoint]:
    """Those of installed packages, and those of the checkout that this file lies in, installed or not."""
    checkout = Path(__file__).parents[2] / "pyproject.toml"
    ours: Mapping[str, str] = {}
    if checkout.is_file():
        project = tomllib.loads(checkout.read_text(encoding="utf-8")).get("project", {})
        ours = project.get("entry-points", {}).get(group, {})
    return {name: EntryPoint(name, value, group) for name, value in ours.items()} | {
        each.name: each for each in entry_points(group=group)
    }


def _in_file(path: Path) -> list[type[DataNode]]:
    if not path.is_file():
        raise UnknownNode(f"there is no file {path}: give the path of the node's Python file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # as an import would: dataclasses and pickling look there
    sys.path.insert(0, str(path.parent.resolve()))
    with loading(str(path), path):
        spec.loader.exec_module(module)
    found = list(_defined_in(module))
    if not found:
        raise ValueError(f"{path} defines no data node: derive a class from LiveNode, CommandNode or ArchivedNode")
    return found


def _defined_in(module: Any) -> Iterator[type[DataNode]]:
    for each in vars(module).values():
        if isinstance(each, type) and issubclass(each, DataNode) and each.__module__ == module.__name__:
            yield each


def _table(path: Path, name: str) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get(name, {})
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 (byte {error.start + 1}): save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:  # the latter: lists lie too deep in it
        raise ValueError(f"{path} is not TOML: {error}") from error
    if not isinstance(table, dict):
        raise ValueError(f"{path}: [{name}] must be a table of {name}'s configuration")
    return table
