"""Fields that were texts and others: in one answer the later kind wins, and what is left out of the other is told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from sisock.frames import Field, Frame
from sisock.store.parquet import lost_column
from sisock.store.recorded import Recorded, Samples
from sisock.store.segments import Segment
from sisock.store.snapshot import Trouble
from sisock.store.tiers import Span
from sisock.times import utc

_WORDS = {True: "a text", False: "no text"}


class Seen:
    """Which fields of a timeline were texts, and which were not."""

    def __init__(self, segments: Iterable[Segment], others: Iterable[str]) -> None:
        """Take up what segments have, and which fields have been others than texts."""
        self.mixed: frozenset[str] = frozenset()  # fields that were both
        self._seen: set[tuple[str, bool]] = {(name, False) for name in others}
        self._seen |= {(name, kind == "text") for segment in segments for name, kind in segment.kinds.items()}
        self._mix()

    def add(self, texts: Mapping[str, bool]) -> None:
        """Take up whether fields are texts."""
        if not texts.items() <= self._seen:
            self._seen |= texts.items()
            self._mix()

    def _mix(self) -> None:
        self.mixed = frozenset(name for name, text in self._seen if text and (name, False) in self._seen)


class Won(NamedTuple):
    """The kind that a field has in an answer: whether it is a text, and since when at the earliest."""

    text: bool
    since: int


def settled(
    series: Recorded, samples: Samples, span: Span, names: Sequence[str], trouble: Trouble
) -> tuple[Samples, dict[str, Won]]:
    """The samples with one kind of each field in a stretch of time, and which one of those that may have had two."""
    parts: dict[str, list[tuple[int, int, bool]]] = {}
    for name, text, first, last in samples.kinds(span, names):
        parts.setdefault(name, []).append((last, first, text))
    won = {name: _won(each) for name, each in parts.items()}
    for name, (text, _) in won.items():
        until = [last + 1 for last, _, other in parts[name] if other != text]
        old = series.tiers.old
        if text and old is not None and span[0] < old.raw_from and series.kinds.get(name):
            until.append(old.raw_from)  # of texts there are no bins
        if until:
            trouble.told[f"kinds {name}"] = (
                f"{name} was {_WORDS[not text]} until {utc(max(until))}: "
                "values of then are left out, ask for a window that ends there"
            )
    return (samples.without({name: not each.text for name, each in won.items()}) if won else samples), won


def _won(parts: Sequence[tuple[int, int, bool]]) -> Won:
    text = max(enumerate(parts), key=lambda each: (each[1][:2], each[0]))[1][2]
    return Won(text, min(first for _, first, own in parts if own == text))


def described_so(frame: Frame, fields: Mapping[str, Field]) -> Frame:
    """The frame with the columns of texts that have no value at all as texts, too: `column` takes them for numbers."""
    empty = {
        name: lost_column(len(frame), "text")
        for name, column in frame.columns.items()
        if fields[name].type == "string" and column.type != "string"
        if column.missing is not None and column.missing.all()
    }
    return replace(frame, columns={**frame.columns, **empty}) if empty else frame
