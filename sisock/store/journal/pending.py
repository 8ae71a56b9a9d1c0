"""Samples that were appended to a journal and are not yet on disk."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sisock.frames import Frame
from sisock.store.weights import volume

Entry = tuple[str, Frame]  # a stream, and samples of it
_MOST_SAMPLE = 2**26  # bytes
_FARTHEST = 2**62  # sequence


class Batch(NamedTuple):
    """What is being written: what waited, then what was given with the commit."""

    entries: tuple[Entry, ...] = ()
    waited: int = 0  # how many of the entries
    size: int = 0  # bytes of these
    lost: int = 0  # samples that were given up before them
    beyond: int = 0  # the position that is reached with them


class Pending:
    """What waits, and what is being written. Whoever has it sees to it that one thread at a time uses it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.size = 0  # bytes that wait
        self.lost = 0  # samples that were given up, and are not yet counted on disk
        self._waiting: list[Entry] = []
        self._writing = Batch()

    def append(self, entry: Entry, size: int) -> None:
        """Let one more wait."""
        self._waiting.append(entry)
        self.size += size

    def take(self, position: int, given: Iterable[Entry]) -> Batch:
        """All that waits and what is given, to be written from this position on."""
        entries = (*self._waiting, *given)
        beyond = position + self.lost + sum(len(frame) for _, frame in entries)
        self._writing = Batch(entries, len(self._waiting), self.size, self.lost, beyond)
        self._waiting, self.size, self.lost = [], 0, 0
        return self._writing

    def settle(self, *, written: bool) -> None:
        """What was taken is on disk, or what of it had waited waits again."""
        batch, self._writing = self._writing, Batch()
        if not written:
            self._waiting[:0] = batch.entries[: batch.waited]
            self.size += batch.size
            self.lost += batch.lost

    def shed(self, most: int) -> int:
        """Give up the oldest, so that at most so many bytes wait; the number of samples."""
        gone = count = 0
        while self.size > most and count < len(self._waiting):
            _, frame = self._waiting[count]
            self.size -= volume(frame)
            gone += len(frame)
            count += 1
        del self._waiting[:count]
        self.lost += gone
        return gone

    def beside(self, position: int | None) -> tuple[Entry, ...]:
        """All that waits, or did, and is not on a disk which has reached this position (None: on none).

        What was given with a commit is nowhere before it is on disk: it may be refused.
        """
        writing = self._writing
        there = position is not None and writing.beyond <= position
        return (*(() if there else writing.entries[: writing.waited]), *self._waiting)


def checked(entry: Entry) -> int:
    """The bytes of what is appended. Raises ValueError for what no journal can hold."""
    stream, frame = entry
    size = volume(frame)
    if size // len(frame) > _MOST_SAMPLE:
        raise ValueError(
            f"samples of {stream!r} of {size // len(frame)} bytes are more than a journal keeps: send less"
        )
    if frame.seq is not None and not len(frame) <= frame.seq < _FARTHEST:
        raise ValueError(f"a frame of {stream!r} has the sequence {frame.seq}: it is not one of ours")
    return size


def check_notes(notes: Mapping[str, str]) -> None:
    """Raise TypeError or ValueError for notes that are no texts: SQLite would refuse them, or damage be read later."""
    for name, note in notes.items():
        if not (isinstance(name, str) and isinstance(note, str)):
            raise TypeError(f"the note {name!r:.80} is of type {type(note).__name__}: names and notes are texts")
        try:
            (name + note).encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"the note {name!r:.80} holds what no UTF-8 can") from error
