"""A message of a feed as frames, and sentences on what of it cannot be taken."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, Literal, NamedTuple

import numpy as np

from data_nodes.names import as_field
from data_nodes.ocs_feeds import payloads
from sisock.frames import Column, Frame, Times, column, is_number
from sisock.nodes.base import MOST_FIELDS
from sisock.times import NS, utc

Unrecorded = Literal["fields", "text", "none"]
_MOST_BLOCKS = 1000  # of a message
_LONGEST_SECONDS = 9e9  # beyond which int64 nanoseconds end
_TAKEN = ("health", "received", "agent")  # names that every node has, or that we tell of the agent by


class Limits(NamedTuple):
    """How far from now a sample's own time may be, in ns."""

    behind: int = 31 * 86400 * NS
    ahead: int = 3600 * NS


class Decoded(NamedTuple):
    """Frames, sentences on what was refused, and notes that have to be kept with the frames."""

    frames: list[Frame]
    refused: list[str]
    notes: dict[str, str]


class Decoder:
    """What one agent sends. It remembers which block each field is in, so that a name always means the same field."""

    def __init__(
        self,
        before: str = "",
        unrecorded: Unrecorded = "fields",
        limits: Limits | None = None,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        """Names begin with `before`; `notes` are those of earlier messages."""
        self._before, self._unrecorded, self._limits = before, unrecorded, limits or Limits()
        self._mark = f"block of {before}"
        self._homes = {
            name.removeprefix(self._mark): home for name, home in (notes or {}).items() if name.startswith(self._mark)
        }
        self._told: dict[str, str] = {}

    def decode(self, feed: str, args: tuple[Any, ...], now: int) -> Decoded:
        """What an event of this feed says; `now`, in ns, is when it came. Never raises."""
        made = Decoded([], [], {})
        try:
            message, info = _event(args)
            self._take(f"{feed}_" if feed in _TAKEN else feed, message, info, now, made)
            self._agent(info, now, made)
        except ValueError as error:  # also a number with more digits than Python writes, as a key
            made.refused.append(str(error))
        except RecursionError:
            made.refused.append("lists and dictionaries lie too deep in it")
        return made

    def _take(self, feed: str, message: Any, info: Mapping[str, Any], now: int, made: Decoded) -> None:
        if info["record"]:
            self._blocks(feed, message, now, made)
        elif self._unrecorded != "none":
            self._payload(feed, message, now, made)

    # what is recorded

    def _blocks(self, feed: str, message: Any, now: int, made: Decoded) -> None:
        if not isinstance(message, Mapping) or not message:
            made.refused.append(f"{feed}: {_kind(message)} came where a dictionary of blocks has to be")
            return
        if len(message) > _MOST_BLOCKS:
            made.refused.append(f"{feed}: {len(message)} blocks came at once: {_MOST_BLOCKS} at the most")
        for key, block in islice(message.items(), _MOST_BLOCKS):
            name = block.get("block_name") if isinstance(block, Mapping) else None
            name = name if isinstance(name, str) and name else str(key)
            try:
                self._block(feed, name, block, now, made)
            except ValueError as error:
                made.refused.append(f"{feed}, block {name!r:.80}: {error}")

    def _block(self, feed: str, name: str, block: Any, now: int, made: Decoded) -> None:
        """Raises ValueError where the whole block is none."""
        data, stamps = (block.get(each) if isinstance(block, Mapping) else None for each in ("data", "timestamps"))
        if not isinstance(data, Mapping) or not isinstance(stamps, (list, tuple)):
            raise ValueError("it has no 'data' with a list for each field, or no list of 'timestamps'")
        t = _times(stamps)
        there = (t > now - self._limits.behind) & (t < now + self._limits.ahead)
        if not there.all():
            made.refused.append(_wrong_clock(feed, name, t[~there], len(t)))
        columns: dict[str, Column] = {}
        timeline, every = self._timeline(feed, name), bool(there.all())
        for field, values in islice(data.items(), MOST_FIELDS):
            try:
                one = _column(values, len(t))
                if one is not None:
                    self._add(columns, self._place(feed, timeline, str(field), made), one if every else one.rows(there))
            except ValueError as error:
                made.refused.append(f"{feed}, block {name!r:.80}, field {str(field)!r:.80}: {error}")
        if len(data) > MOST_FIELDS:
            made.refused.append(f"{feed}, block {name!r:.80}: {len(data)} fields came: {MOST_FIELDS} at the most")
        if columns and there.any():
            made.frames.append(Frame(timeline, t[there], columns))

    # what is not

    def _payload(self, feed: str, message: Any, now: int, made: Decoded) -> None:
        """One row, at the time when it came."""
        columns: dict[str, Column] = {}
        timeline = self._timeline(feed)
        for field, value in payloads.values(message, as_text=self._unrecorded == "text").items():
            try:
                self._add(columns, self._place(feed, timeline, field, made), column([value]))
            except ValueError as error:
                made.refused.append(f"{feed}, field {field!r:.80}: {error}")
        if columns:
            made.frames.append(Frame(timeline, np.array([now], np.int64), columns))

    def _agent(self, info: Mapping[str, Any], now: int, made: Decoded) -> None:
        """Who the agent says it is, when it begins and where that changes."""
        given = {
            "session": info.get("session_id"),
            "class": info.get("agent_class"),
            "address": info.get("agent_address"),
        }
        told = {
            name: str(value)[:200] for name, value in given.items() if isinstance(value, (str, int)) and value != ""
        }
        if not told or told == self._told:
            return
        self._told = told
        columns = {f"{self._before}agent.{name}": column([text]) for name, text in told.items()}
        made.frames.append(Frame(f"{self._before}agent", np.array([now], np.int64), columns))

    # names

    def _timeline(self, feed: str, block: str = "") -> str:
        return as_field(self._before + ".".join(filter(None, (feed, block))))

    def _place(self, feed: str, timeline: str, field: str, made: Decoded) -> str:
        """The field's name: that of its block is part of it where the same name is in another block already.

        Raises ValueError where there are too many.
        """
        name = as_field(f"{self._before}{feed}.{field}")
        home = self._homes.get(name)
        if home is None:
            if len(self._homes) >= MOST_FIELDS:
                raise ValueError(f"more than {MOST_FIELDS} fields of one agent: no further ones are taken")
            self._homes[name] = home = timeline
        if home == timeline:
            return name
        made.notes[f"{self._mark}{name}"] = home
        return as_field(
            f"{timeline}.{field}" if "." in timeline.removeprefix(self._before) else f"{timeline}.(message).{field}"
        )

    @staticmethod
    def _add(columns: dict[str, Column], name: str, one: Column) -> None:
        """Raises ValueError where the name is taken."""
        if name in columns:
            raise ValueError(f"another field of this message is called {name!r} already")
        columns[name] = one


def _event(args: tuple[Any, ...]) -> tuple[Any, Mapping[str, Any]]:
    """Message and feed_info of an event. Raises ValueError."""
    if len(args) != 1 or not isinstance(args[0], (list, tuple)) or len(args[0]) != 2:
        raise ValueError("this is no event of a feed: it has to be one list of a message and what the feed is")
    message, info = args[0]
    if not isinstance(info, Mapping) or not isinstance(info.get("record"), bool):
        raise ValueError("this is no event of a feed: it does not say whether the feed is recorded ('record')")
    return message, info


def _times(stamps: list[Any] | tuple[Any, ...]) -> Times:
    """Times in ns. Raises ValueError where one is none."""
    if not all(is_number(each) and abs(each) < _LONGEST_SECONDS for each in stamps):  # NaN is never less
        wrong = next(each for each in stamps if not (is_number(each) and abs(each) < _LONGEST_SECONDS))
        raise ValueError(f"{wrong!r:.80} is no time: timestamps are seconds since 1970")
    seconds = np.array(stamps, np.float64)
    whole = np.floor(seconds)
    return whole.astype(np.int64) * NS + np.rint((seconds - whole) * NS).astype(np.int64)


def _column(values: Any, count: int) -> Column | None:
    """The values of a field; None where there are none. Raises ValueError where they are not one for each time."""
    if not isinstance(values, (list, tuple)):
        raise ValueError(f"{_kind(values)} came where a list of values has to be")
    if len(values) != count:
        raise ValueError(f"{len(values)} values came for {count} timestamps")
    if all(each is None for each in values):
        return None
    try:
        return column(values)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _wrong_clock(feed: str, block: str, t: Times, of: int) -> str:
    return (
        f"{feed}, block {block!r:.80}: {len(t)} of {of} samples are of {utc(int(t[0]))}, which is too far from now: "
        "set the clock of the agent, or 'behind' and 'ahead' of this node"
    )


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"{value!r:.60} ({type(value).__name__})"
