"""Readers of a journal and of packed frames: the file of SQLite, the files of large rows beside it."""

import contextlib
import zlib
from pathlib import Path
from random import Random

import numpy as np

from sisock.frames import TEXT, Column, Frame
from sisock.packing import DamagedError, pack, unpack
from sisock.store.journal import Journal, JournalError, JournalTooNew
from sisock.store.journal.marks import Marks
from sisock.store.keeper import Cursor, Keeper, Taking
from sisock.times import FIRST, LAST, NS
from tests.hostile_reading import Reader, read_all, write_all
from tests.mutants import Files, damaged, one_damaged

_T = 1_763_000_000 * NS


def _frame(rows: int, first: int = 0, epoch: str | None = "e", seq: int | None = None) -> Frame:
    at = np.arange(first, first + rows)
    texts = np.array(["up", "down", "é"], TEXT)[at % 3]
    columns = {"a": Column(at * 1.5, at % 7 == 0), "k": Column(at), "on": Column(at % 2 > 0), "s": Column(texts)}
    return Frame("t", _T + at * NS, columns, epoch, seq)


def _frames(_: Path) -> list[bytes]:
    return [pack(_frame(5)), pack(_frame(3, 0, None), _frame(9, 3, None)), pack(_frame(1).only(["s"]))]


def _resealed(rng: Random, corpus: list[bytes]) -> bytes:
    """Frames of somebody who knows how they are proved."""
    data = damaged(rng, corpus)
    return data[:4] + zlib.crc32(data[8:]).to_bytes(4, "little") + data[8:]


def _unpack(data: bytes, _: Path) -> None:
    unpack(data)
    unpack(data, {"a", "s"})


def _marks(_: Path) -> list[bytes]:
    return [Marks(np.array([5, 9]), np.array([5, 4])).written()]


def _resealed_marks(rng: Random, corpus: list[bytes]) -> bytes:
    data = damaged(rng, corpus)
    return zlib.crc32(data[4:]).to_bytes(4, "little") + data[4:]


def _mark(data: bytes, _: Path) -> None:
    marks = Marks.of(data, 9, 9)
    assert marks.below(7) >= 0
    assert marks.begin <= 9


def _journals(folder: Path) -> list[Files]:
    for name, several, clean in (("small", False, True), ("large", True, True), ("open", False, False)):
        journal = Journal(folder / name / "j", join_after=8)
        for number in range(12):
            large = several and number == 5
            first, rows = journal.next_seq("s"), 5000 if large else 4
            made = _frame(rows, first, journal.epoch, first + rows)
            journal.append("s", made.only(["k"]) if large else made)
            journal.commit({"note": str(number)})
        if not clean:
            files = read_all(folder / name)
        journal.close()
        if clean:
            files = read_all(folder / name)
        files.pop("j.lock")
        write_all(folder / "all" / name, files)
    return [read_all(each) for each in sorted((folder / "all").iterdir())]


def _journal(files: Files, folder: Path) -> None:
    write_all(folder, files)
    with contextlib.closing(Journal(folder / "j", join_after=4)) as journal:
        journal.read_from(None, 0)
        journal.read_from(journal.epoch, 7, 100)
        journal.window("s", None, FIRST, LAST, since=(journal.epoch, 3))
        journal.window("s", {"a"}, _T + 3 * NS, _T + 9 * NS)
        journal.nearest("s", "a", _T + 5 * NS, "at")
        journal.reaches("s", _T + 5 * NS, 40)
        for look in (journal.latest, journal.notes, lambda: journal.tail(2**20), lambda: journal.oldest("s")):
            look()
        for _ in range(2):
            first = journal.next_seq("s")
            journal.append("s", _frame(2, 5, journal.epoch, first + 2))
            journal.commit()


def _keepers(folder: Path) -> list[Files]:
    with Keeper(folder / "k") as keeper:
        keeper.take([Taking("n", [_frame(9, 0, "e", 9)], {}, Cursor("e", 9))])
    return [read_all(folder / "k")]


def _keeper(files: Files, folder: Path) -> None:
    write_all(folder, files)
    with Keeper(folder) as keeper:
        keeper.cursor("n")


READERS = {
    "frame": Reader(_unpack, _frames, (DamagedError,)),
    "frame of a stranger": Reader(_unpack, _frames, (DamagedError,), _resealed),
    "marks": Reader(_mark, _marks, (DamagedError,)),
    "marks of a stranger": Reader(_mark, _marks, (DamagedError,), _resealed_marks),
    "journal": Reader(_journal, _journals, (JournalError, JournalTooNew), one_damaged),
    "intake": Reader(_keeper, _keepers, (OSError, JournalTooNew), one_damaged, share=20),
}
