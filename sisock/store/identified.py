"""Samples with the identity of each: what the archive takes, keeps and joins."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sisock.frames import Frame, concat


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
    every = Identified(concat([p.frame for p in parts]), epochs, of, np.concatenate([p.seq for p in parts]))
    t = every.frame.t
    return every.rows(np.argsort(t, kind="stable")) if (t[1:] < t[:-1]).any() else every


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
