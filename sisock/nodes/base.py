"""What every data node has in common: what its author declares, and what it offers to whoever hosts it."""

import asyncio
import inspect
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, get_args, runtime_checkable

from sisock.batch import Batch
from sisock.frames import Answer, Field, Frame, Query, Timeline, Times, Type
from sisock.keys import Key
from sisock.nearest import Which
from sisock.nodes import health
from sisock.nodes.history import Past
from sisock.settings import Settings
from sisock.store.journal import Journal
from sisock.times import NS
from sisock.uris import NODE, check_field, check_node

Publish = Callable[[Frame], None]
Opener = Callable[[], Journal]
_LONGEST = 500  # characters of an author's error that are shown
_MOST_TAGS = 32
_LONGEST_NODE = 10_000  # characters of a node's description
_LONGEST_FIELD = 1_000  # characters of a field's description
_LONGEST_UNITS = 100  # characters
MOST_FIELDS = 10_000  # of a node, and in one call
RING = 6 * 2**20  # bytes of recent samples that a node remembers, unless told otherwise


class NoData(Exception):
    """Raised by an author's `sample` or `read`: nothing is wrong, there is just nothing to measure; says why."""


class Service(Protocol):
    """A node at work: what the seam to the router needs of it, and a test can call without one."""

    name: str
    description: str
    kind: str

    async def run(self, publish: Publish) -> None:
        """Work until cancelled, handing every new frame to `publish`."""

    async def get_fields(self, start: int, end: int) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """What the node has between two times in ns."""

    async def get_data(self, query: Query) -> Answer:
        """Samples of the fields asked for; unknown fields are left out."""

    async def get_sample(self, fields: Sequence[str], t: int, which: Which) -> Answer:
        """For each field the last sample that has a value at or before t ns, before it, or the first after it.

        One row on the axis `timeline::field` each; fields that are unknown or have no such sample are left out.
        """


@runtime_checkable
class Journaled(Protocol):
    """A node at work that may keep its samples on disk."""

    has_journal: bool

    async def read_from(self, epoch: str | None, position: int, limit: int) -> Batch:
        """What came to disk from a cursor on, of about `limit` bytes. Raises JournalError."""


@runtime_checkable
class Telling(Protocol):
    """A node at work that tells in its health what troubles those who work beside it."""

    beside: Callable[[], str | None]


@runtime_checkable
class Joining(Protocol):
    """A node at work that has more to do at the router than to answer: it joins by itself, too, with the same key."""

    def join(self, settings: Settings, key: Key) -> None:
        """Know where the router is, before `run`."""


@runtime_checkable
class Hosting(Protocol):
    """A node at work that brings further nodes, each with a name and a key of its own: they are served beside it."""

    host: "Host | None"  # set by who serves the node: serves another until cancelled, or raises what ended it


@runtime_checkable
class Remembering(Protocol):
    """A node at work that joins what a recorder keeps of it with what it has itself."""

    past: Past | None  # set by who serves the node


Host = Callable[["DataNode"], Awaitable[None]]


class DataNode:
    """What an author declares. The docstring of the class is the node's description."""

    name: str = ""  # default: the class's name in lower case
    role: str = "data_node"  # of its principal: what it may do at the router
    tags: Sequence[str] = ()  # words by which nodes are chosen together; the configuration may give others
    kafka: bool | Mapping[str, Any] = False  # whether its journal goes to Kafka, and where; the configuration says so
    sensitive: bool = False  # shown only to consumers that may see sensitive nodes
    home: Path | None = None  # the state directory, where whoever hosts the node says so

    @property
    def fields(self) -> Mapping[str, Field]:
        """Units and descriptions where there are any; most authors write a dict in its place."""
        return {}

    def service(self, *, ring: int = RING, journal: Opener | None = None) -> Service:
        """This node at work, with `ring` bytes of memory for recent samples.

        `journal` opens the journal on disk where samples survive the process; without it they are in memory only.
        """
        raise TypeError(
            f"{type(self).__name__} is neither a LiveNode, a CommandNode nor an ArchivedNode: derive from one"
        )


def check_written(node: DataNode, kind: type[DataNode], method: str) -> None:
    """Raise TypeError where the author of the node has not written the method that its kind leaves to them."""
    if getattr(getattr(node, method), "__func__", None) is getattr(kind, method):
        raise TypeError(f"{type(node).__name__} has no {method}(): write one, as docs/write-a-node.md shows")


def name_of(node: DataNode) -> str:
    """The node's name, checked."""
    return check_node(node.name or type(node).__name__.lower())


def tags_of(node: DataNode) -> list[str]:
    """The node's tags, checked."""
    if isinstance(node.tags, str) or not all(isinstance(tag, str) and NODE.fullmatch(tag) for tag in node.tags):
        raise ValueError(f"{node.tags!r:.80} cannot be tags: give a list of words, each named as a node may be")
    if len(node.tags) > _MOST_TAGS:
        raise ValueError(f"{len(node.tags)} tags are too many: give {_MOST_TAGS} at the most")
    return list(node.tags)


def description_of(node: DataNode) -> str:
    """The node's description: its class's own docstring as one paragraph, the beginning of a very long one."""
    return _cut(" ".join((type(node).__doc__ or "").split()), _LONGEST_NODE)


def declared(node: DataNode) -> dict[str, Field]:
    """The fields the author declared, checked; raises ValueError or TypeError with the cure."""
    return {check_field(name): _checked(name, field) for name, field in node.fields.items()}


def _checked(name: str, field: Any) -> Field:
    if not isinstance(field, Field):
        raise TypeError(f"the field {name!r} is declared with {type(field).__name__}: use Field(...)")
    if field.type not in get_args(Type):
        raise ValueError(
            f"the field {name!r} is declared as a {field.type!r:.80}: use one of {', '.join(get_args(Type))}"
        )
    check_field(field.timeline, "timeline")
    check_not_health(name, field.timeline)
    for what, text in (("description", field.description), ("units", field.units)):
        if not (text is None or isinstance(text, str)):
            raise TypeError(f"the {what} of the field {name!r} is of type {type(text).__name__}: give a text, or None")
    return field._replace(
        description=field.description and _cut(field.description, _LONGEST_FIELD),
        units=field.units and _cut(field.units, _LONGEST_UNITS),
    )


def check_not_health(name: str, timeline: str) -> None:
    """Raise ValueError for the fields and the timeline on which every node tells how it is."""
    if name in health.FIELDS or timeline == health.TIMELINE:
        raise ValueError(f"{name!r} on {timeline!r} is taken by the health that every node has: use other names")


def why_no_field(name: str) -> str | None:
    """Why an author's field cannot have this name; None where it can."""
    try:
        check_not_health(check_field(name), "")
    except ValueError as error:
        return str(error)
    return None


def timelines_of(fields: Mapping[str, Field], interval: Callable[[str], float | None]) -> dict[str, Timeline]:
    """The timelines that the fields are on, each with its interval in seconds."""
    names: dict[str, list[str]] = {}
    for name, field in fields.items():
        names.setdefault(field.timeline, []).append(name)
    return {timeline: Timeline(interval(timeline), tuple(of)) for timeline, of in names.items()}


def interval(t: Times) -> float | None:
    """Mean seconds between the samples at these times; None where there are not two."""
    return (int(t[-1]) - int(t[0])) / NS / (len(t) - 1) if len(t) > 1 else None


def sentence(error: BaseException) -> str:
    """An author's error: its type and what it says, in a length that can be shown."""
    text = said(error)
    return _cut(f"{type(error).__name__}: {text}" if text else type(error).__name__, _LONGEST)


def line_of(error: BaseException, node: DataNode) -> str:
    """Where in the file of the author's class it happened, as `magnet.py:14`; nothing where it was elsewhere."""
    file = getattr(sys.modules.get(type(node).__module__), "__file__", None)
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
    return f"{Path(file).name}:{lines[-1]}" if file and lines else ""


def said(error: BaseException) -> str:
    """What an author's error says, in a length that can be shown; nothing where it cannot say anything."""
    try:
        return _cut(str(error), _LONGEST)
    except Exception:  # noqa: BLE001  # it is an author's class, too
        return ""


def _cut(text: str, most: int) -> str:
    """The text, or the beginning of a longer one; what no UTF-8 can hold becomes a question mark."""
    sound = text[:most].encode("utf-8", "replace").decode()
    return sound if len(text) <= most else f"{sound[:-1]}…"


async def call(function: Callable[..., Any], *args: Any, run_in_thread: Callable[..., Awaitable[Any]]) -> Any:
    """Call an author's function: a coroutine here, anything else in a thread.

    Nothing that it raises ends the process: what is no Exception becomes a RuntimeError.
    """
    if not inspect.iscoroutinefunction(function):
        return await run_in_thread(function, *args)
    try:
        return await function(*args)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RuntimeError("it was cancelled from within") from error
    except (Exception, GeneratorExit):
        raise
    except BaseException as error:  # sys.exit() and the like
        raise RuntimeError(f"{type(error).__name__} raised: {said(error)}") from error
