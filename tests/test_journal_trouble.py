"""The journal in trouble: disks that are full, places that are away, files that are damaged or of others."""

import contextlib
import itertools
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from sisock.frames import column
from sisock.packing import DamagedError
from sisock.store.journal import Journal, JournalError, JournalTooNew
from sisock.store.journal.marks import Marks
from sisock.times import NS
from tests.journals import NOW, add, all_of, frame, no_room, opened, read_all


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "node.sqlite"


@pytest.mark.parametrize("values", [3000, 30_000])
def test_a_full_disk_is_told_and_what_waits_is_written_later(path, values):
    with opened(path) as journal:
        add(journal, range(5))
        journal.append("samples", frame(journal, range(5, values), seq=5))
        with no_room(path):
            for _ in range(3):
                with pytest.raises(JournalError, match=r"journal .*node\.sqlite cannot be written: "):
                    journal.commit()
            assert all_of(journal) == list(range(values))
            assert read_all(journal) == list(range(5))
        journal.commit()
        assert read_all(journal) == list(range(values))
    with opened(path) as journal:
        assert all_of(journal) == list(range(values))
        assert journal.next_seq("samples") == values


def test_what_was_written_is_not_said_to_be_lost_where_an_old_file_cannot_be_removed(path):
    with opened(path, most_bytes=2**20) as journal:
        add(journal, range(20_000))
        (old,) = bulk(path)
        old.rename(old.with_suffix(".aside"))
        old.mkdir()  # so that it cannot be removed, not even by root
        for begin in range(20_000, 200_000, 20_000):
            add(journal, range(begin, begin + 20_000))
        assert journal.oldest("samples")[0] > 20_000
        assert all_of(journal)[-1] == 199_999
        old.rmdir()
        add(journal, range(200_000, 220_000))
        assert not old.exists()


def bulk(path):
    return sorted(path.with_name(f"{path.name}.bulk").iterdir())


def test_a_place_that_cannot_be_written_is_tried_again(path, caplog):
    path.parent.write_text("a file where the folder belongs")
    with opened(path) as journal:
        assert "cannot be opened" in caplog.text
        epoch = journal.epoch
        journal.append("samples", frame(journal, [1, 2]))
        with pytest.raises(JournalError, match="cannot be written"):
            journal.commit()
        assert (all_of(journal), journal.oldest("samples"), journal.tail(99), journal.notes()) == (
            [1, 2],
            (0, None),
            [],
            {},
        )
        path.parent.unlink()
        journal.commit()
        assert read_all(journal) == [1, 2]
    with opened(path) as journal:
        assert (journal.epoch, all_of(journal)) == (epoch, [1, 2])


def test_a_journal_found_later_goes_on_in_the_epoch_in_which_samples_were_published(path):
    with opened(path) as journal:
        add(journal, [1, 2])
        before = journal.epoch
    folder = path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.write_text("a file where the folder belongs")
    with opened(path) as journal:
        assert journal.epoch != before
        journal.append("samples", frame(journal, [3], seq=0))
        path.parent.unlink()
        folder.rename(path.parent)
        journal.commit()
        epoch = journal.epoch
        assert (read_all(journal, before, 2), all_of(journal)) == ([1, 2, 3], [1, 2, 3])
        assert journal.tail(2**20)[0].epoch == epoch
    with opened(path) as journal:
        assert (journal.epoch, journal.next_seq("samples") >= 1) == (epoch, True)


def test_a_file_of_another_program_is_moved_aside(path, caplog):
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (a)")
    with opened(path, clock=lambda: NOW) as journal:
        add(journal, [1])
    (aside,) = path.parent.glob("*.damaged-*")
    assert aside.name == "node.sqlite.damaged-20251113T021320Z"
    assert "is damaged (it is another program's): it is now node.sqlite.damaged-2025" in caplog.text
    with contextlib.closing(sqlite3.connect(aside)) as other:
        assert other.execute("SELECT * FROM theirs").fetchall() == []


@pytest.mark.parametrize("content", [b"no database at all" * 1000, b"SQLite format 3\0" + b"\xff" * 9000])
def test_a_file_that_is_no_database_is_moved_aside(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with opened(path) as journal:
        add(journal, [1])
        assert read_all(journal) == [1]
    (aside,) = path.parent.glob("*.damaged-*")
    assert aside.read_bytes() == content


def test_few_damaged_files_are_kept(path):
    seconds = itertools.count(NOW, NS)
    for _ in range(6):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no database at all")
        with opened(path, clock=seconds.__next__):
            pass
    assert len(list(path.parent.glob("*.damaged-*"))) == 3


def test_a_journal_of_a_newer_format_is_left_alone(path):
    with opened(path) as journal:
        add(journal, [1])
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=2")
    with pytest.raises(JournalTooNew, match=r"has format 2, this sisock knows 1: update it, or move that file away"):
        Journal(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=1")
    with opened(path) as journal:
        assert all_of(journal) == [1]


def test_a_damaged_row_is_left_out_counted_and_told_once(path, caplog):
    with opened(path, join_after=1000) as journal:
        for value in range(10):
            add(journal, [value])
    with contextlib.closing(sqlite3.connect(path)) as db:
        ((position, body),) = db.execute("SELECT position, body FROM rows WHERE position = 4").fetchall()
        db.execute("UPDATE rows SET body = ? WHERE position = ?", (body[:-1] + bytes([body[-1] ^ 1]), position))
        db.commit()
    with opened(path, join_after=2) as journal:
        for _ in range(3):
            assert all_of(journal) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
            assert read_all(journal) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
        assert (journal.read_from(journal.epoch, 0).dropped, journal.damaged) == (1, 1)
        add(journal, [10])
        add(journal, [11])
        assert read_all(journal) == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]
        assert journal.damaged == 1
    assert caplog.text.count("has damaged rows") == 1


def test_a_large_row_with_a_changed_byte_is_left_out(path):
    with opened(path) as journal:
        add(journal, range(10_000))
        add(journal, range(10_000, 20_000))
    (large,) = (path.parent / "node.sqlite.bulk").iterdir()
    body = bytearray(large.read_bytes())
    body[5000] ^= 1
    large.write_bytes(body)
    with opened(path) as journal:
        assert all_of(journal) == list(range(10_000, 20_000))
        assert journal.read_from(journal.epoch, 0, 2**22).dropped == 10_000


def spoil(path: Path, *pages: str) -> None:
    """Overwrite the first page of these tables or indexes."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        try:
            roots = [
                db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (page,)).fetchone()[0] for page in pages
            ]
        finally:
            db.execute("PRAGMA journal_mode=DELETE")
    with path.open("r+b") as file:
        for root in roots:
            file.seek((root - 1) * 4096)
            top = file.read(4096)
            assert top[0] in (2, 5)  # not a leaf
            cell = int.from_bytes(top[12:14], "big")
            leaf = int.from_bytes(top[cell : cell + 4], "big")
            file.seek((leaf - 1) * 4096)
            file.write(b"\xff" * 4096)


def test_a_page_that_sqlite_cannot_read_costs_no_more_than_its_rows(path):
    with opened(path, join_after=1000) as journal:
        for value in range(200):
            add(journal, [value], text=column(["x" * 300]))
        position = journal.read_from(None, 0, 2**20).position
    spoil(path, "rows")
    with opened(path, join_after=1000) as journal:
        there = read_all(journal)
        assert 100 < len(there) < 200
        assert there == sorted(there)
        assert there[-1] == 199
        assert journal.read_from(journal.epoch, 0, 2**20)[3:] == (position, 0, 200 - len(there), False)


def test_a_file_damaged_beyond_use_is_replaced_while_the_journal_goes_on(path, caplog):
    with opened(path, join_after=1000) as journal:
        for value in range(200):
            add(journal, [value], text=column(["x" * 300]))
        epoch = journal.epoch
    spoil(path, "rows", "rows_by_time")
    with opened(path) as journal:
        with pytest.raises(JournalError, match="cannot be read"):
            read_all(journal)
        add(journal, [200])
        assert (journal.epoch, journal.read_from(epoch, 0)[3:]) == (epoch, (201, 200, 200, False))
        assert all_of(journal) == [200]
        assert journal.next_seq("samples") == 201
    assert len(list(path.parent.glob("*.damaged-*Z"))) == 1
    assert "and a new one begins" in caplog.text


@pytest.mark.parametrize(
    ("change", "look"),
    [
        ("UPDATE rows SET size = NULL", lambda journal: journal.tail(2**20)),
        ("UPDATE rows SET first = 'x'", all_of),
        ("UPDATE rows SET high = 1.5e300", lambda journal: journal.nearest("samples", "a", NOW + 99 * NS, "at")),
        ("UPDATE streams SET longest = NULL", all_of),
        ("UPDATE streams SET dropped = x'00'", lambda journal: journal.oldest("samples")),
    ],
)
def test_values_of_another_type_than_was_written_are_damage(path, change, look):
    with opened(path) as journal:
        add(journal, range(5))
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(change)
    with opened(path) as journal:
        with pytest.raises(JournalError, match="what stands in it was not written so"):
            look(journal)
        add(journal, [7.0])
        assert all_of(journal) == [7.0]


def test_rows_of_another_type_than_was_written_are_left_out_where_rows_are_joined(path):
    with opened(path, join_after=9) as journal:
        for value in range(8):
            add(journal, [value])
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE rows SET samples = 'x' WHERE position = 3")
        add(journal, [8])
        assert read_all(journal) == [0, 1, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("after", "samples"), [([], []), ([9, 5], [5, 4]), ([5, 8], [5, 4]), ([5, 9], [9, 0]), ([-(2**62), 9], [5, 4])]
)
def test_marks_of_other_samples_than_a_row_has_are_damage(after, samples):
    written = Marks(np.array(after, np.int64), np.array(samples, np.int64)).written()
    with pytest.raises(DamagedError, match="the marks of a row"):
        Marks.of(written, 9, 9)


def test_names_of_columns_that_are_no_text_are_damage(path, caplog):
    with opened(path) as journal:
        add(journal, range(5))
    spoiled = path.read_bytes().replace(b"epoch", b"\xffpoch")
    assert spoiled != path.read_bytes()
    path.write_bytes(spoiled)
    with opened(path) as journal:
        add(journal, [7.0])
        assert all_of(journal) == [7.0]
    assert len(list(path.parent.glob("*.damaged-*Z"))) == 1
