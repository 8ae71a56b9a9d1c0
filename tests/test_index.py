"""The index while something else has it: what cannot be written raises OSError, and goes on when it can be."""

import contextlib
import shutil
import sqlite3

import numpy as np
import pytest

from sisock.frames import Column, Field, Frame, Query
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


def damage(path, page):
    """Overwrite a page of the index with nonsense."""
    with path.open("r+b") as file:
        file.seek(4096 * page)
        file.write(np.random.default_rng(page).bytes(4096))


def test_wherever_an_index_is_damaged_the_next_start_makes_it_anew_as_is_told(tmp_path):
    with Archive(tmp_path / "whole") as archive:
        for number in range(8):
            archive.put("n", frame(number), {"a": Field()})
            archive.flush()
    told = []
    for page in range(1, (tmp_path / "whole" / "index.sqlite").stat().st_size // 4096, 2):
        folder = tmp_path / str(page)
        shutil.copytree(tmp_path / "whole", folder)
        archive = Archive(folder)
        archive._index._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        archive._index._db.execute("PRAGMA shrink_memory")
        damage(folder / "index.sqlite", page)
        archive.put("n", frame(8), {"a": Field()})
        try:
            archive.flush()
        except OSError as error:
            told.append(str(error))
        with contextlib.suppress(OSError):
            archive.close(flush=False)
        with Archive(folder) as again:
            assert any("has been made anew of what the segments say" in notice for notice in again.notices), page
            again.put("n", frame(9), {"a": Field()})
            again.flush()
    cure = "end the recorder and start it again: it is made anew of the segments then"
    assert set(told) == {f"the archive's index cannot be written: database disk image is malformed; {cure}"}
