"""A damaged archive: what is good is served, what is not is said, and no value is wrong."""

import contextlib
import random
import shutil
import sqlite3
import struct
import zlib

import numpy as np
import pyarrow.parquet as pq
import pytest

from sisock.frames import TEXT, Column, Frame, Query
from sisock.store import old, redo
from sisock.store.archive import Archive
from sisock.store.segments import SegmentFiles
from sisock.times import FIRST, LAST, NS
from tests.archives import FIELDS

BASE = 1_700_000_000 * NS
ROWS = 100_000
GROUP = 8_192  # rows of a row group
VALUES = np.random.default_rng(0).normal(size=ROWS)
WORDS = np.array(["up", "down", "away"], TEXT)[np.arange(ROWS) // 1000 % 3]
EVERYTHING = Query(("a", "b", "s"), FIRST, LAST)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A closed archive of two segments."""
    folder = tmp_path_factory.mktemp("whole")
    with Archive(folder) as made:
        for rows in (slice(0, 60_000), slice(60_000, ROWS)):
            columns = {"a": Column(VALUES[rows]), "b": Column(np.arange(ROWS)[rows]), "s": Column(WORDS[rows])}
            made.put("n", Frame("t", BASE + np.arange(ROWS)[rows] * NS, columns, "e", rows.stop), FIELDS)
            made.flush()
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


def files_of(folder):
    return sorted((folder / "segments").rglob("*.parquet"))


def flip(path, rng, count=3):
    data = bytearray(path.read_bytes())
    for _ in range(count):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def served(archive):
    """How many values of each field are served; none of them is wrong, and what lacks is told."""
    answer = archive.answer("n", EVERYTHING)
    counts = {}
    for name, expected in (("a", VALUES), ("b", np.arange(ROWS)), ("s", WORDS)):
        t, column = answer.series(name)
        there = column.present()
        rows = (t[there] - BASE) // NS
        assert (column.values[there] == expected[rows]).all()
        counts[name] = int(there.sum())
    assert (set(counts.values()) == {ROWS}) == (not answer.notices), answer.notices
    assert all("put a copy of this file back" in notice for notice in answer.notices)
    return counts


@pytest.mark.parametrize("seed", range(16))
def test_flipped_bytes_cost_no_more_than_their_row_groups_and_no_value_is_wrong(folder, seed):
    rng = random.Random(seed)
    flip(rng.choice(files_of(folder)), rng)
    with Archive(folder) as damaged:
        counts = served(damaged)
        assert sum(counts.values()) >= 3 * ROWS - 3 * 3 * GROUP


@pytest.mark.parametrize("seed", range(5))
def test_a_truncated_segment_is_served_up_to_where_it_ends(folder, seed):
    rng = random.Random(seed)
    path = files_of(folder)[0]
    kept = rng.randrange(path.stat().st_size)
    with path.open("r+b") as file:
        file.truncate(kept)
    with Archive(folder) as damaged:
        counts = served(damaged)
        assert counts["b"] >= 40_000


def test_a_damaged_column_does_not_cost_the_others(folder):
    path = files_of(folder)[0]
    chunk = pq.read_metadata(path).row_group(1).column(3)
    assert chunk.path_in_schema == "a"
    with path.open("r+b") as file:
        file.seek(chunk.data_page_offset + 2000)
        file.write(b"\0\1\2\3")
    with Archive(folder) as damaged:
        assert served(damaged) == {"a": ROWS - GROUP, "b": ROWS, "s": ROWS}
        (notice,) = damaged.answer("n", EVERYTHING).notices
        assert notice.startswith(
            "8192 samples of a between 2023-11-15 00:29:52 UTC and 2023-11-15 02:46:24 UTC cannot be read from n/t/"
        )
        assert "its checksum is wrong" in notice


def test_a_segment_that_is_gone_is_told_and_the_others_are_served(folder):
    files_of(folder)[0].unlink()
    with Archive(folder) as damaged:
        assert served(damaged) == {"a": 40_000, "b": 40_000, "s": 40_000}
        (notice,) = damaged.answer("n", EVERYTHING).notices
        assert notice.startswith("60000 samples between ")
        assert "it is gone" in notice


def test_a_segment_damaged_while_the_archive_is_open_gives_no_wrong_value(folder):
    with Archive(folder) as damaged:
        assert served(damaged)["a"] == ROWS
        for seed in range(10):
            path = files_of(folder)[seed % 2]
            before = path.read_bytes()
            flip(path, random.Random(seed), 20)
            served(damaged)
            path.write_bytes(before[: len(before) // 2])
            served(damaged)
            path.write_bytes(before)
        assert served(damaged)["a"] == ROWS


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_index_is_made_anew_and_costs_nothing(folder, seed):
    rng = random.Random(seed)
    path = folder / "index.sqlite"
    flip(path, rng, rng.choice([1, 3, 100]))
    if seed % 5 == 0:
        with path.open("r+b") as file:
            file.truncate(rng.randrange(path.stat().st_size))
    with Archive(folder) as damaged:
        assert served(damaged) == {"a": ROWS, "b": ROWS, "s": ROWS}
        assert damaged.fields("n")["a"].units == "V"
        t, column = BASE + np.arange(ROWS - 5, ROWS) * NS, Column(VALUES[-5:])
        assert damaged.put("n", Frame("t", t, {"a": column}, "e", ROWS), FIELDS) == 0


def test_an_index_whose_making_was_interrupted_is_made_anew(folder, monkeypatch):
    class Ended(BaseException):
        pass

    def find(files, name, so_far=[]):  # noqa: B006
        so_far.append(name)
        if len(so_far) > 1:
            raise Ended
        return found(files, name)

    (folder / "index.sqlite").unlink()
    found = SegmentFiles.find
    with monkeypatch.context() as patch:
        patch.setattr(SegmentFiles, "find", find)
        with pytest.raises(Ended):
            Archive(folder)
    with Archive(folder) as opened:
        assert opened.notices == ()
        assert served(opened) == {"a": ROWS, "b": ROWS, "s": ROWS}


def test_a_file_that_the_index_does_not_know_is_set_aside_and_told(folder):
    path = files_of(folder)[0]
    shutil.copy(path, path.with_name("other.parquet"))
    with Archive(folder) as opened:
        (notice,) = opened.notices
        assert notice.startswith("1 files were not in the index and have been set aside (the first is ")
        assert served(opened)["a"] == ROWS
    assert len(list((folder / "aside").rglob("other.parquet"))) == 1
    with Archive(folder) as opened:
        assert opened.notices == ()


def test_an_index_that_cannot_be_opened_is_not_taken_for_damaged(folder):
    (folder / "index.sqlite").rename(folder / "elsewhere")
    (folder / "index.sqlite").mkdir()
    with pytest.raises(OSError, match="index.sqlite cannot be used: unable to open database file"):
        Archive(folder)
    assert [path.name for path in folder.glob("index*")] == ["index.sqlite"]


def test_row_groups_that_somebody_changed_with_their_checksums_are_told_and_the_others_are_served(folder):
    path = files_of(folder)[0]
    data = path.read_bytes()
    cut = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    number = int.from_bytes(data[cut - 16 : cut - 12], "little")
    body, sums, footer = bytearray(data[: cut - 16 - 4 * number]), data[cut - 16 - 4 * number : cut - 16], data[cut:]
    chunk = pq.read_metadata(path).row_group(0).column(3)
    body[chunk.data_page_offset : chunk.data_page_offset + chunk.total_compressed_size] = b"\xff" * (
        chunk.total_compressed_size
    )
    new = np.frombuffer(sums, "<u4").copy()
    new[3] = zlib.crc32(body[chunk.data_page_offset : chunk.data_page_offset + chunk.total_compressed_size])
    seal = struct.pack("<II8s", number, zlib.crc32(footer, zlib.crc32(new.tobytes())), b"sisock 1")
    path.write_bytes(bytes(body) + new.tobytes() + seal + footer)
    (folder / "index.sqlite").unlink()
    with Archive(folder) as damaged:
        counts = served(damaged)
    assert counts["b"] >= 40_000


def test_what_tiers_tell_of_what_went_is_left_out_where_it_is_none(tmp_path, caplog):
    for number, text in enumerate(("[" * 5000, "{}", '["n", "t", {}, {}, {}, 5]')):
        (tmp_path / "n" / str(number)).mkdir(parents=True)
        (tmp_path / "n" / str(number) / "old").write_text(f"{zlib.crc32(text.encode()):08x} {text}\n")
    assert list(old.saved(tmp_path)) == []
    assert caplog.text.count("is none of this archive's") == 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff" * 9,
        b"\x07\0\0\0[[5,[]]]",
        b'\x1a\0\0\0[[20,[1],2,[["a","<)8"]]]]',
        b'\x1a\0\0\0[[20,[1],2,[["a",",i8"]]]]',
    ],
)
def test_writes_into_tiers_that_are_none_are_damaged(body):
    with pytest.raises(redo.DamagedError, match="no writes into tiers"):
        redo.unpacked(body)


def test_an_index_whose_tables_are_others_is_made_anew(folder):
    with Archive(folder) as opened:
        expected = served(opened)
    with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as db, db:
        db.execute("ALTER TABLE redo RENAME COLUMN low TO lor")
    with Archive(folder) as opened:
        assert served(opened) == expected


def test_a_damaged_note_in_the_index_is_damage_of_the_index(folder):
    with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as db, db:
        assert db.execute("UPDATE about SET value = '[[1, 2]' WHERE key LIKE 'blocks %'").rowcount == 1
    with Archive(folder) as opened:
        assert "the archive's index was damaged" in opened.notices[0]
        assert served(opened) == {"a": ROWS, "b": ROWS, "s": ROWS}
