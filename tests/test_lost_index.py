"""An index that is lost at any moment of a merge: what is made anew of the segments has each sample, once."""

import random
import shutil

import numpy as np
import pytest

from sisock.frames import Column, Frame, Query
from sisock.store import series
from sisock.store.archive import Archive
from sisock.store.drafts import superseded
from sisock.store.index import Index
from sisock.store.segments import SegmentFiles
from sisock.times import FIRST, LAST, NS

BASE = 1_700_000_000 * NS
ROWS = 3000


class KilledError(BaseException):
    """Stands for an end of the process."""


def full(*_):
    raise OSError(28, "No space left on device")


def frame(number, epoch="e"):
    t = BASE + (ROWS * number + np.arange(ROWS)) * NS
    values = np.random.default_rng(number).normal(size=ROWS)
    return Frame("t", t, {"a": Column(values)}, epoch, ROWS * (number + 1) if epoch else None)


def without_index(folder):
    """The samples of an archive that ended just now and lost its index."""
    copy = folder.with_name(f"copy of {folder.name}")
    shutil.copytree(folder, copy)
    for path in copy.glob("index*"):
        path.unlink()
    try:
        with Archive(copy) as found:
            answer = found.answer("n", Query(("a",), FIRST, LAST))
            assert answer.notices == ()
            return answer.series("a")
    finally:
        shutil.rmtree(copy)


def filled(archive, parts=8):
    for number in range(parts):
        archive.put("n", frame(number), {})
        archive.flush()


def files(folder):
    return {path.name for path in (folder / "segments").rglob("*.parquet")}


@pytest.fixture
def kill_after(monkeypatch):
    """Let the process end, as far as its files tell, after so many segments."""

    def arrange(many):
        write, left = SegmentFiles.write, [many]

        def until(*args):
            if not left[0]:
                raise KilledError
            left[0] -= 1
            return write(*args)

        monkeypatch.setattr(SegmentFiles, "write", until)
        monkeypatch.setattr(SegmentFiles, "remove", lambda *_: None)

    return arrange


@pytest.mark.parametrize("many", [0, 1, 2])
def test_a_compaction_killed_between_its_pieces_loses_nothing(tmp_path, monkeypatch, kill_after, many):
    monkeypatch.setattr(series, "MOST_BYTES", 200_000)
    with Archive(tmp_path / "archive") as archive:
        filled(archive)
        kill_after(many)
        with pytest.raises(KilledError):
            archive.compact()
        assert len(files(tmp_path / "archive")) == 8 + many
        t, _ = without_index(tmp_path / "archive")
        assert t.tolist() == [t for number in range(8) for t in frame(number).t.tolist()]


def test_a_compaction_that_the_index_does_not_take_leaves_nothing(tmp_path, monkeypatch):
    drop = Index.drop
    with Archive(tmp_path / "archive") as archive:
        filled(archive)
        before = files(tmp_path / "archive")
        monkeypatch.setattr(Index, "drop", full)
        with pytest.raises(OSError, match="No space"):
            archive.compact()
        assert files(tmp_path / "archive") == before
        monkeypatch.setattr(Index, "drop", drop)
        assert archive.compact()
        assert len(files(tmp_path / "archive")) == 1
        assert len(without_index(tmp_path / "archive")[0]) == 8 * ROWS


def test_samples_that_replaced_others_are_there_once_while_those_are_still_read(tmp_path):
    with Archive(tmp_path / "archive") as archive:
        archive.put("n", frame(0, None), {})
        archive.flush()
        reader = archive.timelines()[0].snapshot()
        archive.put("n", Frame("t", frame(0).t, {"a": Column(np.ones(ROWS))}), {})
        archive.flush()
        assert len(files(tmp_path / "archive")) == 2
        t, found = without_index(tmp_path / "archive")
        assert t.tolist() == frame(0).t.tolist()
        assert set(found.values.tolist()) == {1.0}
        del reader


@pytest.mark.parametrize("many", [0, 1])
def test_an_import_killed_between_its_pieces_leaves_what_it_was_to_replace(tmp_path, monkeypatch, kill_after, many):
    monkeypatch.setattr(series, "MOST_BYTES", 200_000)
    with Archive(tmp_path / "archive") as archive:
        for number in range(4):
            archive.put("n", frame(number, None), {})
            archive.flush()
        t = BASE + np.arange(4 * ROWS) * NS
        archive.put("n", Frame("t", t, {"a": Column(np.ones(len(t)))}), {})
        kill_after(many)
        with pytest.raises(KilledError):
            archive.flush()
        found, _ = without_index(tmp_path / "archive")
        assert found.tolist() == t.tolist()
        monkeypatch.undo()  # to close it


def test_a_segment_goes_only_after_those_that_it_replaced(tmp_path):
    with Archive(tmp_path / "archive") as archive:
        filled(archive)
        reader = archive.timelines()[0].snapshot()
        archive.compact()
        for number in range(8, 40):
            archive.put("n", frame(number), {})
            archive.flush()
            archive.compact()
        assert len(without_index(tmp_path / "archive")[0]) == 40 * ROWS
        del reader
        archive.compact()
        assert len(files(tmp_path / "archive")) == len(archive.timelines()[0].snapshot().segments.every)


class Merges:
    """Merges of segments by chance, of which only the files are left."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.has, self.told = {}, {}  # of each file: its samples, and what it tells of itself
        self.listed, self.retired = [], []  # files that the index has, and those that are to go, the oldest first
        self.samples = 0

    def add(self):
        name = f"{self.samples}"
        self.has[name], self.told[name] = [self.samples], {}
        self.listed.append(name)
        self.samples += 1

    def merge(self):
        """Write the pieces of a merge, one after the other, and have them instead of their sources."""
        some = self.rng.sample(self.listed, self.rng.randint(1, len(self.listed)))
        samples = [sample for name in some for sample in self.has[name]]
        count = self.rng.randint(1, 3)
        pieces = [samples[i::count] for i in range(count)]
        names = [f"{self.rng.random()}" for i in range(count)]
        for name, piece in zip(names, pieces, strict=True):
            self.has[name], self.told[name] = piece, {"replaces": some, "set": names}
            self.right()
        if self.rng.random() < 0.3:  # the index did not take it: the next start sets aside what it does not list
            self.remove(names)
            return
        self.listed = [*(name for name in self.listed if name not in some), *names]
        self.retired += some

    def tidy(self):
        gone = self.rng.randint(0, len(self.retired))
        self.remove(self.retired[:gone])
        del self.retired[:gone]

    def remove(self, names):
        for name in names:
            del self.has[name], self.told[name]

    def right(self):
        without = superseded(self.told, self.has)
        found = [sample for name, samples in self.has.items() if name not in without for sample in samples]
        assert sorted(found) == list(range(self.samples))


@pytest.mark.parametrize("seed", range(50))
def test_of_any_merges_each_sample_counts_once_at_any_moment(seed):
    merges = Merges(seed)
    for _ in range(60):
        merges.rng.choice([merges.add, merges.merge if merges.listed else merges.add, merges.tidy])()
        merges.right()


def test_where_a_piece_of_a_merge_is_lost_later_the_others_count():
    told = {"b": {"replaces": ["old 1", "old 2"], "set": ["a", "b"]}}
    assert "b" not in superseded(told, ["b"])
    assert superseded(told, ["b", "old 2"]) == {"old 1", "old 2"}
    assert superseded(told, ["b", "old 1", "old 2"]) == {"a", "b"}


def test_segments_of_before_there_were_sets_take_the_place_of_others_singly():
    assert superseded({"a": {"replaces": ["old"]}, "old": {"replaces": []}}, ["a", "old"]) == {"old"}
