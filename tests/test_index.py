"""The index while something else has it: what cannot be written raises OSError, and goes on when it can be."""

import sqlite3

import numpy as np
import pytest

from sisock.frames import Column, Frame, Query
from sisock.store.archive import Archive
from sisock.store.index import Index
from sisock.times import FIRST, LAST, NS

BASE = 1_700_000_000 * NS


def frame(number, epoch="e"):
    t = BASE + (10 * number + np.arange(10)) * NS
    return Frame("t", t, {"a": Column(np.arange(10.0))}, epoch, 10 * (number + 1) if epoch else None)


class Taken:
    """The index of an archive that another process may have."""

    def __init__(self, archive, folder):
        archive._index._db.execute("PRAGMA busy_timeout = 20")
        self._db = sqlite3.connect(folder / "index.sqlite", isolation_level=None)

    def __enter__(self):
        self._db.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(self, *_):
        self._db.execute("ROLLBACK")


@pytest.mark.parametrize(
    "write",
    [
        lambda index: index.note({"key": "value"}),
        lambda index: index.forget("key"),
        lambda index: index.done(),
        lambda index: index.keep_holes(1, [(0, 1)]),
        lambda index: index.left(1),
        lambda index: index.complete(),
        lambda index: index.begin("n", "t"),
    ],
)
def test_every_write_that_cannot_be_raises_oserror(tmp_path, write):
    with Archive(tmp_path) as archive:
        index = archive._index
        write(index)
        index.note({"version": ""})  # not complete any more
        with Taken(archive, tmp_path), pytest.raises(OSError, match="the archive's index cannot be written"):
            write(index)
        index.complete()


def test_an_index_that_is_taken_just_after_a_change_costs_nothing(tmp_path, monkeypatch):
    with Archive(tmp_path) as archive:
        taken, done = Taken(archive, tmp_path), Index.done

        def late(index):
            with taken:
                done(index)

        archive.put("n", frame(0, None), {})
        archive.flush()
        archive.put("n", frame(0, None), {})
        monkeypatch.setattr(Index, "done", late)
        with pytest.raises(OSError, match="cannot be written"):
            archive.flush()
        monkeypatch.setattr(Index, "done", done)
        archive.flush()
        archive.compact()
        assert len(list((tmp_path / "segments").rglob("*.parquet"))) == 1
    with Archive(tmp_path) as archive:
        assert archive.notices == ()
        assert archive.answer("n", Query(("a",), FIRST, LAST)).samples == 10
