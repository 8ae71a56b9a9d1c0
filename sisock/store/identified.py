"""Samples with the identity of each: what the archive takes, keeps and joins."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sisock.frames import Column, Frame, concat


class Identified(NamedTuple):
    """Samples of one timeline in the order of time, with the identity of each; imported ones have none.

    Without any epochs nobody asked for the identity.
    """

    frame: Frame
    epochs: tuple[str | None, ...]
    of: NDArray[np.int32]  # which epoch each sample is of, shape (n,)
    seq: NDArray[np.int64]  # sequence of each sample, anything where there is no epoch, shape (n,)

    def rows(self, rows: Any) -> "Identified":
        """The same with only these rows."""
        frame = self.frame.rows(rows)
        return (
            Identified(frame, self.epochs, self.of[rows], self.seq[rows]) if self.epochs else Identified(frame, *NOBODY)
        )

    def in_time(self) -> "Identified":
        """The same in the order of time, whatever order they are in: a clock may have been set back."""
        t = self.frame.t
        return self.rows(np.argsort(t, kind="stable")) if (t[1:] < t[:-1]).any() else self


NOBODY: tuple[tuple[str | None, ...], NDArray[np.int32], NDArray[np.int64]]
NOBODY = (), np.empty(0, np.int32), np.empty(0, np.int64)  # where nobody asked for the identity


def in_time(frames: Sequence[Frame]) -> Frame:
    """Frames of one timeline as one, in the order of time."""
    whole = concat(frames)
    return whole.rows(np.argsort(whole.t, kind="stable")) if (whole.t[1:] < whole.t[:-1]).any() else whole


def identified(frame: Frame) -> Identified:
    """A frame, whose samples have consecutive sequences up to its own."""
    first = 0 if frame.seq is None else frame.seq - len(frame)
    return Identified(frame, (frame.epoch,), np.zeros(len(frame), np.int32), np.arange(first, first + len(frame)))


def together(parts: Sequence[Identified], *, identity: bool = True) -> Identified:
    """All of them in the order of time; of equal times those of an earlier part come first."""
    if len(parts) == 1:
        return parts[0]
    if not identity:
        return Identified(in_time([part.frame for part in parts]), *NOBODY)
    epochs = tuple(dict.fromkeys(epoch for part in parts for epoch in part.epochs))
    of = np.concatenate([np.array([epochs.index(e) for e in part.epochs], np.int32)[part.of] for part in parts])
    return Identified(concat([p.frame for p in parts]), epochs, of, np.concatenate([p.seq for p in parts])).in_time()


def run(parts: Sequence[Identified]) -> Sequence[Identified]:
    """The first of them, as many as can be one: up to where a field becomes a text, or no text any more."""
    known: dict[str, bool] = {}
    for number, part in enumerate(parts):
        own = texts(part.frame)
        if not alike(known, own):
            return parts[:number]
        known |= own
    return parts


def texts(frame: Frame) -> dict[str, bool]:
    """Of each field whether its values are texts: these and others are never one column."""
    return {name: column.type == "string" for name, column in frame.columns.items()}


def alike(some: Mapping[str, bool], others: Mapping[str, bool]) -> bool:
    """Whether the fields that both have are texts in both or in none."""
    return all(others.get(name, text) == text for name, text in some.items())


def weight(samples: Identified) -> int:
    """Bytes that they take in memory, about."""
    return samples.frame.t.nbytes * 2 + sum(c.values.nbytes for c in samples.frame.columns.values())


def accounts(samples: Identified) -> dict[str, int]:
    """For each epoch one past its last sequence among these."""
    return {
        epoch: int(samples.seq[samples.of == number].max()) + 1
        for number, epoch in enumerate(samples.epochs)
        if epoch is not None and (samples.of == number).any()
    }


def pieces(samples: Identified, fewest: int, most_rows: int, most_bytes: int) -> list[Identified]:
    """The samples in parts of at most so many bytes and rows, `fewest` rows at the least."""
    rows = max(fewest, min(most_rows, most_bytes * len(samples.frame) // max(1, weight(samples))))
    return [samples.rows(slice(i, i + rows)) for i in range(0, len(samples.frame), rows)]


def latest(samples: Identified) -> tuple[Identified, int]:
    """Samples in the order of time; of those without an identity one at each time, and how many were replaced by it.

    The later wins, field by field: what it lacks it takes from the one before.
    """
    nobodys = np.array([epoch is None for epoch in samples.epochs])[samples.of]
    rows = np.flatnonzero(nobodys)
    t = samples.frame.t[rows]
    heads = np.flatnonzero(np.diff(t, prepend=t[0] - 1)) if len(t) else rows
    if len(heads) == len(rows):
        return samples, 0
    ends = np.append(heads[1:], len(rows)) - 1
    kept = np.sort(np.concatenate([rows[ends], np.flatnonzero(~nobodys)]))
    columns = {name: _latest(column, rows, heads, ends).rows(kept) for name, column in samples.frame.columns.items()}
    whole = samples.rows(kept)
    return whole._replace(frame=replace(whole.frame, columns=columns)), len(rows) - len(heads)


def _latest(column: Column, rows: NDArray[np.intp], heads: NDArray[np.intp], ends: NDArray[np.intp]) -> Column:
    """The column with the last value of each group in the group's last row."""
    if column.missing is None:
        return column
    there = np.where(column.missing[rows], -1, np.arange(len(rows)))
    last = np.maximum.reduceat(there, heads)
    last = np.where(last < heads, ends, last)  # a group without any value
    values, missing = column.values.copy(), column.missing.copy()
    values[rows[ends]], missing[rows[ends]] = column.values[rows[last]], column.missing[rows[last]]
    return Column(values, missing)
