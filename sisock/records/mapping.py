"""Which keys of a record are what, as the configuration of a node says it."""

from collections.abc import Iterable
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sisock.times import NS, parse_duration
from sisock.uris import check_field

FORMS = ("", "json", "cbor")
UNITS = {"s": NS, "ms": 10**6, "us": 10**3, "ns": 1}
_TEXTS = ("time", "unit", "timeline", "device", "form")
_NAMES = ("leave", "identity")


@dataclass(frozen=True)
class Mapping:
    """What the keys of a record mean. Keys of objects within it are joined: {"a": {"b": 1}} has the key `a/b`.

    The defaults fit what our own outlets write. A key that is one of these behind underscores is a field: `_t` is `t`.
    """

    time: str = "t"  # the time; records without have the time of their message
    unit: str = ""  # of times that are numbers: s, ms, us or ns; "": by their size
    timeline: str = "timeline"  # the timeline; records without are on that of their message
    device: str = "node"  # what measured: fields and timelines begin with its name; "": theirs are as they are
    fields: Table[str, str] = field(default_factory=dict)  # key -> field; empty: all other keys are fields
    units: Table[str, str] = field(default_factory=dict)  # field -> its units
    leave: tuple[str, ...] = ("epoch", "seq")  # keys that are no fields
    identity: tuple[str, ...] = ("node", "timeline", "epoch", "seq")  # records equal in all of these are one sample
    form: str = ""  # json or cbor; "": by the first byte
    earliest: int = 0  # ns; times before are those of a wrong clock
    ahead: int = 86400 * NS  # ns after now; so are times after that

    @cached_property
    def own(self) -> frozenset[str]:
        """Keys that are no fields."""
        return frozenset({self.time, self.timeline, self.device, *self.leave} - {""})


def mapping(given: Table[str, Any], default: Mapping | None = None) -> Mapping:
    """The mapping of a table of the configuration. Raises ValueError with the cure for what cannot be one."""
    values = dict(vars(default or Mapping()))
    values.pop("own", None)
    for key, value in given.items():
        values[key] = _read(key, value)
    return Mapping(**values)


def _read(key: str, value: Any) -> Any:
    if key in _TEXTS and isinstance(value, str):
        return _one_of(key, value)
    if key in _NAMES and _are_texts(value):
        return tuple(value)
    if key == "fields":
        return _fields(value)
    if key == "units" and isinstance(value, Table) and _are_texts(value.values()):
        return dict(value)
    if key in ("earliest", "ahead") and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        return round((parse_duration(value) if isinstance(value, str) else value) * NS)
    known = ", ".join((*_TEXTS, "fields", "units", *_NAMES, "earliest", "ahead"))
    raise ValueError(f"{key} = {value!r:.80} says nothing about records: give texts for {known}, or leave it out")


def _one_of(key: str, value: str) -> str:
    may = {"unit": ("", *UNITS), "form": FORMS}.get(key)
    if may is not None and value not in may:
        raise ValueError(f"{key} = {value!r:.80} is unknown: give one of {', '.join(filter(None, may))}")
    return value


def _fields(value: Any) -> dict[str, str]:
    """A list of keys, or a table of the names that they get."""
    named = value if isinstance(value, Table) else {key: key for key in value} if isinstance(value, list) else None
    if named is None or not _are_texts(named) or not _are_texts(named.values()):
        raise ValueError(f"fields = {value!r:.80}: give a list of keys, or a table of the names that they get")
    return {key: check_field(name) for key, name in named.items()}


def _are_texts(values: Any) -> bool:
    return isinstance(values, Iterable) and not isinstance(values, str) and all(isinstance(v, str) for v in values)
