"""The journal: what was committed is there once and in order, whatever ends the process; what had to go is counted."""

import contextlib
import itertools
import random
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sisock.frames import Column, Frame, column
from sisock.store.journal import Journal, JournalError, JournalInUse, JournalTooNew
from sisock.times import FIRST, LAST, NS
from tests.made import same_frame

ROOT = Path(__file__).parents[1]
NOW = 1_763_000_000 * NS
ALL = (FIRST, LAST)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "node.sqlite"


@contextlib.contextmanager
def opened(path: Path, **options) -> Iterator[Journal]:
    with contextlib.closing(Journal(path, **options)) as journal:
        yield journal


def frame(journal: Journal, values, *, seq=None, t=None, stream="samples", **more) -> Frame:
    """Values as samples of the journal's epoch, the next ones of the stream."""
    values = list(values)
    first = journal.next_seq(stream) if seq is None else seq
    times = NOW + np.arange(first, first + len(values)) * NS if t is None else np.array(t)
    columns = {"a": column([float(v) for v in values]), **more}
    return Frame(stream, times, columns, journal.epoch, first + len(values))


def add(journal: Journal, values, **options) -> None:
    """Append and commit."""
    stream = options.get("stream", "samples")
    journal.append(stream, frame(journal, values, **options))
    journal.commit()


def all_of(journal: Journal, stream="samples", start=FIRST, end=LAST, **options) -> list[float]:
    found = journal.window(stream, None, start, end, **options)
    return [value for frame in found for value in frame.columns["a"].values.tolist()]


def read_all(journal: Journal, epoch=None, position=0, limit=2**20) -> list[float]:
    """What a reader gets who begins at a cursor."""
    values = []
    while True:
        batch = journal.read_from(epoch, position, limit)
        values += [value for frame in batch.frames for value in frame.columns["a"].values.tolist()]
        epoch, position = batch.epoch, batch.position
        if not batch.more:
            return values


# any history


class Histories(RuleBasedStateMachine):
    """Whatever is appended, committed, trimmed, read and ended: readers get each sample once, in order, or its count."""

    folder: Path

    @initialize(join=st.integers(2, 5))
    def begin(self, join):
        self.path = self.folder / f"{next(NUMBERS)}.sqlite"
        self.join = join
        self.journal = Journal(self.path, join_after=join)
        self.epoch = self.journal.epoch
        self.written: dict[int, tuple[str, int]] = {}  # position after a sample -> stream, value
        self.waiting: list[tuple[str, list[int]]] = []
        self.published = {"x": 0, "y": 0, "large": 0}  # one past the last sequence that was ever used
        self.position = self.first = 0
        self.values = itertools.count()
        self.readers: dict[int, int] = {}

    def teardown(self):
        if hasattr(self, "journal"):
            self.journal.close()

    @rule(stream=st.sampled_from(["x", "y", "large"]), n=st.integers(1, 5), back=st.sampled_from([0, 0, 3]))
    def append_only(self, stream, n, back):
        self.append(stream, n, back)

    def append(self, stream, n, back):
        values = [next(self.values) for _ in range(n)]
        seq = max(self.published[stream], self.journal.next_seq(stream))
        more = {"text": column(["x" * 70_000] * n)} if stream == "large" else {}
        t = NOW + (np.array(values) - 10 * back) * NS
        self.journal.append(stream, frame(self.journal, values, seq=seq, t=t, stream=stream, **more))
        self.published[stream] = seq + n
        self.waiting.append((stream, values))

    @rule(streams=st.lists(st.sampled_from("xxxy"), min_size=1, max_size=12))
    def append_and_commit(self, streams):
        for stream in streams:
            self.append(stream, 1, 0)
            self.commit()

    @rule()
    def commit(self):
        self.journal.commit({"count": str(self.position)})
        for name in dict.fromkeys(stream for stream, _ in self.waiting):
            for stream, values in self.waiting:
                for value in values if stream == name else ():
                    self.position += 1
                    self.written[self.position] = stream, value
        self.waiting = []

    @rule(most=st.integers(0, 2000))
    def give_up_what_waits(self, most):
        gone = self.journal.shed(most)
        lost = 0
        while lost < gone:
            lost += len(self.waiting.pop(0)[1])
        assert lost == gone
        self.position += gone

    @rule(share=st.floats(0, 1))
    def remove(self, share):
        self.journal.remove_upto(int(self.position * share) - sum(len(values) for _, values in self.waiting))

    @rule(clean=st.booleans())
    def restart(self, clean):
        if clean:
            self.commit()
            self.journal.close()
        else:
            self.journal._disk.close(clean=False)
            self.waiting = []
            with sqlite3.connect(self.path) as db:
                (self.position,) = db.execute("SELECT position FROM state").fetchone()
        self.journal = Journal(self.path, join_after=self.join)
        for stream, used in self.published.items():
            assert self.journal.next_seq(stream) >= used
        assert self.journal.epoch == self.epoch

    @rule(reader=st.integers(0, 2), limit=st.sampled_from([1, 150, 300, 2000, 2**20]))
    def read(self, reader, limit):
        self.readers[reader] = self.read_once(self.readers.get(reader, 0), limit)

    @rule(share=st.floats(0, 1), limit=st.sampled_from([1, 150, 300, 2000]))
    def read_to_the_end(self, share, limit):
        position = int(self.committed * share)
        while (further := self.read_once(position, limit)) > position:
            position = further
        assert position == self.committed

    def read_once(self, since, limit):
        """The position that a reader reaches, who gets what it should."""
        batch = self.journal.read_from(self.epoch, since, limit)
        got = [
            (name, int(v)) for name, f in zip(batch.streams, batch.frames, strict=True) for v in f.columns["a"].values
        ]
        there = {self.written[at] for at in range(since + 1, batch.position + 1) if at in self.written}
        must = {self.written[at] for at in range(max(since, batch.first) + 1, batch.position + 1) if at in self.written}
        assert len(got) == len(set(got))
        assert must <= set(got) <= there
        assert batch.dropped == batch.position - since - len(got)
        assert batch.more == (batch.position < self.committed)
        for stream in ("x", "y", "large"):
            values = [value for name, value in got if name == stream]
            assert values == sorted(values)
        assert batch.position > since or not batch.more
        return batch.position

    @property
    def committed(self):
        return self.journal._disk.reached[0].position

    @invariant()
    def the_window_has_what_is_there(self):
        if not hasattr(self, "journal"):
            return
        first = self.journal.read_from(None, 0, 1).first
        for stream in ("x", "y", "large"):
            got = [int(value) for value in all_of(self.journal, stream)]
            waiting = [value for name, values in self.waiting for value in values if name == stream]
            written = [(at, value) for at, (name, value) in self.written.items() if name == stream]
            must = [value for at, value in written if at > first] + waiting
            assert got[len(got) - len(must) :] == must
            assert set(got) <= {value for _, value in written} | set(waiting)
            assert got == sorted(got)


NUMBERS = itertools.count()


def test_any_history(tmp_path):
    Histories.folder = tmp_path
    few = settings(max_examples=60, stateful_step_count=30, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Histories, settings=few)


# what is committed


def test_what_was_committed_is_there_after_a_restart_with_its_identity(path):
    with opened(path) as journal:
        sent = frame(journal, [1, 2, 3], text=column(["a", None, "c"]))
        journal.append("samples", sent)
        journal.commit()
        epoch = journal.epoch
    with opened(path) as journal:
        assert journal.epoch == epoch
        (kept,) = journal.window("samples", None, *ALL)
        assert same_frame(kept, sent)
        assert journal.next_seq("samples") == 3


def test_what_waits_is_in_the_window_but_not_for_readers_and_closing_commits_it(path):
    with opened(path) as journal:
        journal.append("samples", frame(journal, [1]))
        assert journal.waiting > 0
        assert (all_of(journal), read_all(journal)) == ([1], [])
    with opened(path) as journal:
        assert (all_of(journal), read_all(journal), journal.waiting) == ([1], [1], 0)


def test_frames_that_follow_one_another_become_one_row(path):
    with opened(path) as journal:
        for value in range(10):
            journal.append("samples", frame(journal, [value], seq=value))
        journal.commit()
        (kept,) = journal.window("samples", None, *ALL)
        assert (len(kept), kept.seq) == (10, 10)


def test_a_frame_larger_than_a_row_is_parted(path):
    with opened(path) as journal:
        add(journal, range(300_000))
        kept = journal.window("samples", None, *ALL)
        assert len(kept) > 1
        assert [frame.seq for frame in kept][-1] == 300_000
        assert all_of(journal) == list(range(300_000))
        batch = journal.read_from(None, 0, 100_000)
        assert 0 < batch.samples < 10_000
        assert read_all(journal, limit=100_000) == list(range(300_000))


def test_many_commits_of_few_samples_become_few_rows(path):
    with opened(path, join_after=8) as journal:
        for value in range(22):
            add(journal, [value])
            add(journal, [value], stream="other")
        assert [len(frame) for frame in journal.window("samples", None, *ALL)] == [4, 4, 4, 4, 4, 1, 1]
    with opened(path, join_after=8) as journal:
        add(journal, [22])
        assert [len(frame) for frame in journal.window("samples", None, *ALL)] == [4, 4, 4, 4, 4, 3]
        assert all_of(journal, "other") == list(range(22))


def test_streams_of_other_nodes_keep_their_epochs_and_sequences(path):
    with opened(path) as journal:
        t = np.array([NOW, NOW + 1])
        theirs = Frame("samples", t, {"a": column([1.5, 2.5])}, "their epoch", 77)
        old = Frame("samples", t, {"a": column([3.5, 4.5])})
        journal.commit(frames=[("weather::samples", theirs), ("legacy::samples", old)])
        batch = journal.read_from(None, 0)
        assert batch.streams == ("weather::samples", "legacy::samples")
        assert all(map(same_frame, batch.frames, (theirs, old)))
        assert all(same_frame(*pair) for pair in zip(journal.window("legacy::samples", None, *ALL), [old], strict=True))


def test_frames_and_notes_given_with_a_commit_are_there_together_or_not_at_all(path):
    with opened(path) as journal:
        journal.commit({"cursor": "1"}, [("samples", frame(journal, [1]))])
        with no_room(path), pytest.raises(JournalError):
            journal.commit({"cursor": "2"}, [("samples", frame(journal, range(10_000)))])
        assert (journal.notes(), all_of(journal)) == ({"cursor": "1"}, [1])
        journal.commit({"cursor": "2", "more": "x"})
    with opened(path) as journal:
        assert journal.notes() == {"cursor": "2", "more": "x"}


@pytest.mark.parametrize(
    ("seq", "text", "said"),
    [
        (2**63, "x", "it is not one of ours"),
        (0, "x", "it is not one of ours"),
        (1, "x" * (2**26 + 1), "more than a journal keeps"),
    ],
)
def test_what_no_journal_can_hold_is_refused(path, seq, text, said):
    with opened(path) as journal:
        wrong = Frame("t", np.array([1]), {"a": column([text])}, journal.epoch, seq)
        with pytest.raises(ValueError, match=said):
            journal.append("t", wrong)
        with pytest.raises(ValueError, match=said):
            journal.commit(frames=[("t", wrong)])
        assert journal.waiting == 0


# by time and by sequence


def test_the_window_is_half_open_and_has_the_fields_that_are_wanted(path):
    with opened(path) as journal:
        add(journal, range(5), b=column(["x"] * 5))
        journal.append("samples", frame(journal, range(5, 9), seq=5))
        found = journal.window("samples", {"a"}, NOW + 3 * NS, NOW + 7 * NS)
        assert [list(each.columns) for each in found] == [["a"], ["a"]]
        assert [each.seq for each in found] == [5, 7]
        assert all_of(journal, start=NOW + 3 * NS, end=NOW + 7 * NS) == [3, 4, 5, 6]
        assert all_of(journal, start=NOW + 9 * NS) == []
        assert all_of(journal, start=NOW + 7 * NS, end=NOW + 3 * NS) == []
        assert journal.window("unknown", None, *ALL) == []


def test_a_clock_that_was_set_back_hides_nothing(path):
    with opened(path) as journal:
        for number, second in enumerate([100, 101, 50, 51, 102, 10]):
            add(journal, [number], t=[NOW + second * NS])
        assert all_of(journal, start=NOW + 50 * NS, end=NOW + 102 * NS) == [0, 1, 2, 3]
        assert all_of(journal, start=NOW + 11 * NS, end=NOW + 51 * NS) == [2]


def test_a_row_of_all_times_there_are_is_found(path):
    with opened(path) as journal:
        add(journal, [1, 2], t=[-(2**63), 2**63 - 2])
        assert all_of(journal, start=-(2**63), end=2**63 - 1) == [1, 2]
        assert all_of(journal, start=0, end=2**63 - 1) == [2]
        assert all_of(journal, start=-(2**63), end=0) == [1]


def test_since_and_before_cut_by_sequence(path):
    with opened(path, join_after=4) as journal:
        for value in range(10):
            add(journal, [value])
        journal.append("samples", frame(journal, [10, 11], seq=10))
        ours = journal.epoch
        assert all_of(journal, since=(ours, 7)) == [7, 8, 9, 10, 11]
        assert all_of(journal, since=(ours, 11), before=(ours, 12)) == [11]
        assert all_of(journal, before=(ours, 3)) == [0, 1, 2]
        assert all_of(journal, since=("another", 5), before=(ours, 2)) == [0, 1]


def test_since_in_an_epoch_that_is_over_gives_the_rest_of_it_and_all_after(path):
    with opened(path) as journal:
        t = np.array([NOW, NOW + 1])
        journal.commit(frames=[("samples", Frame("samples", t, {"a": column([1.0, 2.0])}, "before", 2))])
        add(journal, [3])
        assert all_of(journal, since=("before", 1)) == [2, 3]
        assert all_of(journal, since=(journal.epoch, 0)) == [3]


def test_how_much_there_is_of_a_time_is_known_without_reading_it(path):
    with opened(path) as journal:
        add(journal, range(10))
        add(journal, range(10, 20))
        assert journal.spread("samples", *ALL, (journal.epoch, 15)) == (15, NOW, NOW + 19 * NS)
        assert journal.spread("samples", NOW + 12 * NS, LAST, (journal.epoch, 20)) == (10, NOW + 10 * NS, NOW + 19 * NS)
        assert journal.spread("samples", *ALL, (journal.epoch, 0)) == (0, 0, 0)
        assert journal.oldest("samples") == (0, NOW)
        assert journal.oldest("unknown") == (0, None)


def test_the_tail_is_the_latest_of_all_streams(path):
    with opened(path) as journal:
        for value in range(6):
            add(journal, [value])
            add(journal, [value], stream="other")
        tail = journal.tail(500)
        assert [(each.timeline, each.seq) for each in tail][-2:] == [("samples", 6), ("other", 6)]
        assert 2 < len(tail) < 12
        assert len(journal.tail(2**20)) == 12


# cursors


def test_a_cursor_of_another_journal_begins_with_the_oldest(path):
    with opened(path) as journal:
        add(journal, [1, 2, 3])
        for epoch, position in ((None, 0), ("another", 2), (journal.epoch, 99), (journal.epoch, -1)):
            assert read_all(journal, epoch, position) == [1, 2, 3]
        assert read_all(journal, journal.epoch, 2) == [3]
        assert journal.read_from(journal.epoch, 3) == (journal.epoch, (), (), 3, 0, 0, False)


def test_a_reader_that_comes_too_late_is_told_how_much_it_missed(path):
    with opened(path) as journal:
        for value in range(10):
            add(journal, [value])
        journal.remove_upto(6)
        batch = journal.read_from(journal.epoch, 2)
        assert (batch.dropped, batch.samples, batch.first, batch.position) == (4, 4, 6, 10)
        journal.remove_upto(10**9)
        assert journal.read_from(journal.epoch, 8)[3:] == (10, 10, 2, False)
    with opened(path) as journal:
        assert journal.read_from(journal.epoch, 10)[3:] == (10, 10, 0, False)
        add(journal, [10])
        assert journal.read_from(journal.epoch, 10)[3:] == (11, 10, 0, False)


def test_readers_beside_a_writer_get_each_sample_once(path):
    with opened(path, join_after=3) as journal:
        ended, wrong = threading.Event(), []

        def look():
            while not ended.is_set():
                seen = all_of(journal)
                if seen != list(range(len(seen))):
                    wrong.append(seen)

        threads = [threading.Thread(target=look) for _ in range(2)]
        for thread in threads:
            thread.start()
        for value in range(300):
            journal.append("samples", frame(journal, [value], seq=value))
            if value % 3 == 0:
                journal.commit()
        ended.set()
        for thread in threads:
            thread.join(30)
        assert not wrong
        assert len(all_of(journal)) == 300


# bounds


def files(path: Path) -> int:
    """Bytes of all that belongs to a journal."""
    return sum(each.stat().st_size for each in path.parent.rglob("*") if each.is_file())


@pytest.mark.parametrize("rows", [700, 7000])
def test_the_oldest_go_and_the_files_stay_within_their_bytes(path, rows):
    with opened(path, most_bytes=2**20, join_after=4) as journal:
        for _ in range(5 * 2**20 // (24 * rows)):
            add(journal, range(rows), b=Column(np.random.default_rng(1).random(rows)))
        dropped, oldest = journal.oldest("samples")
        kept = len(all_of(journal))
        assert dropped + kept == journal.next_seq("samples")
        assert oldest == NOW + dropped * NS
        assert 0.7 * 2**20 < 24 * kept < 2**20
        large = sum(each.stat().st_size for each in (path.parent / "node.sqlite.bulk").iterdir())
        assert large < 1.2 * 2**20
    assert files(path) < 1.4 * 2**20  # while it is open, SQLite's own log takes up to 8 MiB more


def test_what_is_too_old_goes(path):
    hours = itertools.count(NOW, 3600 * NS)
    with opened(path, most_age_ns=24 * 3600 * NS, clock=hours.__next__) as journal:
        for value in range(40):
            add(journal, [value], t=[0])
        kept = all_of(journal)
        assert kept == list(range(40 - len(kept), 40))
        assert 10 < len(kept) < 25  # each commit asks for the time twice
        dropped, _ = journal.oldest("samples")
        assert dropped + len(all_of(journal)) == 40


def test_an_empty_journal_whose_samples_have_all_gone_never_uses_a_sequence_or_position_again(path):
    with opened(path) as journal:
        add(journal, range(5))
        journal.remove_upto(5)
    with opened(path) as journal:
        assert journal.next_seq("samples") == 5
        add(journal, [5])
        assert journal.read_from(None, 0).position == 6


# ends


def test_sequences_that_were_published_and_not_written_are_never_used_again(path):
    journal = Journal(path)
    add(journal, range(5))
    journal.append("samples", frame(journal, range(5, 50), seq=5))
    journal.append("new", frame(journal, range(50), stream="new"))
    journal._disk.close(clean=False)  # as kill -9 does
    with opened(path) as again:
        assert (again.epoch, all_of(again)) == (journal.epoch, list(range(5)))
        assert again.next_seq("samples") >= 50
        assert again.next_seq("new") >= 50


def test_samples_that_were_given_up_are_never_taken_for_others(path):
    with opened(path) as journal:
        add(journal, range(5))
        journal.append("samples", frame(journal, range(5, 50), seq=5))
        assert journal.shed(0) == 45
        assert journal.lost == 45
        journal.commit()
        assert journal.lost == 45
        assert journal.read_from(journal.epoch, 0)[3:] == (50, 0, 45, False)
    with opened(path) as journal:
        assert journal.next_seq("samples") >= 50
        assert journal.lost == 45


def test_two_may_not_have_one_journal(path):
    with opened(path), pytest.raises(JournalInUse, match="in use by another process: stop that one"):
        Journal(path)
    Journal(path).close()


def test_who_is_patient_gets_the_journal_when_the_other_has_ended(path):
    other = Journal(path)
    add(other, [1, 2])
    with opened(path, patient=True) as journal:
        journal.append("samples", frame(journal, [3], seq=0))
        with pytest.raises(JournalError, match="in use by another process"):
            journal.commit()
        assert (all_of(journal), journal.epoch != other.epoch) == ([3], True)
        other.close()
        journal.commit()
        assert all_of(journal) == read_all(journal) == [1, 2, 3]


def test_a_journal_that_is_closed_can_be_closed_again_and_has_nothing(path):
    journal = Journal(path)
    add(journal, [1])
    journal.close()
    journal.close()
    assert all_of(journal) == []
    with pytest.raises(JournalError, match="is not open"):
        journal.read_from(None, 0)


CHILD = """
import random, sys
import numpy as np
from pathlib import Path
from sisock.frames import Column, Frame
from sisock.store.journal import Journal

path, seed = Path(sys.argv[1]), int(sys.argv[2])
chance = random.Random(seed)
journal = Journal(path, most_bytes=2**40, join_after=3)
seqs = {stream: journal.next_seq(stream) for stream in ("a", "b", "c")}
print("open", flush=True)
while True:
    committed = []
    for _ in range(chance.randrange(1, 4)):
        stream, n = chance.choice("abc"), chance.choice([1, 1, 2, 20_000])
        seq = seqs[stream]
        print("published", stream, seq + n, flush=True)
        t = np.arange(seq, seq + n)
        journal.append(stream, Frame(stream, t, {"a": Column(t.copy())}, journal.epoch, seq + n))
        seqs[stream] = seq + n
        committed.append((stream, seq, seq + n))
    journal.commit({"last": str(committed[-1])})
    for each in committed:
        print("committed", *each, flush=True)
"""


def test_kill_at_any_instant_loses_nothing_that_was_committed_and_uses_no_sequence_twice(path):
    chance, published, committed, epochs = random.Random(3), {}, {}, set()
    for seed in range(10):
        with (path.parent.parent / "said").open("w+") as said:
            child = subprocess.Popen([sys.executable, "-c", CHILD, str(path), str(seed)], stdout=said, cwd=ROOT)
            while "committed" not in Path(said.name).read_text():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    assert child.wait(0.005) is None, "the child has ended by itself"
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(chance.uniform(0, 0.08))
            child.kill()
            child.wait(30)
            lines = Path(said.name).read_text().splitlines(keepends=True)
        for what, *words in (line.split() for line in lines if line.endswith("\n")):
            if what == "published":
                published[words[0]] = int(words[1])
            if what == "committed":
                committed.setdefault(words[0], []).extend(range(int(words[1]), int(words[2])))
        journal = Journal(path, most_bytes=2**40, join_after=3)
        epochs.add(journal.epoch)
        for stream in "abc":
            assert journal.next_seq(stream) >= published.get(stream, 0)
            there = [seq for each in journal.window(stream, None, *ALL) for seq in each.columns["a"].values.tolist()]
            assert there == sorted(set(there))
            assert set(committed.get(stream, ())) <= set(there)
        journal._disk.close(clean=False)
    assert len(epochs) == 1
    assert sum(map(len, committed.values())) > 10_000


# trouble


@contextlib.contextmanager
def no_room(path: Path) -> Iterator[None]:
    """A full disk: no file of this process can grow beyond what the journal has."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    wal = path.with_name(f"{path.name}-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(wal.stat().st_size, 8192), limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


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
