"""The journal: what was committed is there once and in order, whatever happens and whatever ends the process."""

import contextlib
import itertools
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sisock.frames import column
from sisock.store.journal import Journal
from sisock.times import NS
from tests.journals import ALL, NOW, all_of, frame

ROOT = Path(__file__).parents[1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "node.sqlite"


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
