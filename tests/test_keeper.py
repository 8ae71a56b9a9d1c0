"""What a recorder keeps: acknowledged is on disk, once, whatever happens to the process."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from sisock.frames import Column, Field, Frame, Query
from sisock.store import keeper
from sisock.store.keeper import Cursor, Keeper, Taking
from sisock.times import FIRST, LAST
from tests.fleet import ROOT
from tests.keeping import FIELDS, TIMELINES, frames

KILLS = int(os.environ.get("KEEPER_KILLS", "30"))
SEED = int(os.environ.get("KEEPER_SEED", "20261125"))


def numbers(keeping, field="fast"):
    answer = keeping.archive.answer("n", Query((field,), FIRST, LAST))
    return answer.series(field)[1].values


def killed_somewhere(folder, rng):
    """Let a process keep samples and kill it at some moment; the last position that it acknowledged."""
    argv = [sys.executable, "-m", "tests.keeping", str(folder), str(int(rng.integers(2**32)))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    acknowledged = int(process.stdout.readline().split()[1])  # it is open
    for _ in range(int(rng.integers(0, 60))):
        acknowledged = int(process.stdout.readline())
    for _ in range(int(rng.integers(0, 200_000))):
        pass  # a moment that is not that of a line
    process.send_signal(signal.SIGKILL)
    rest = process.communicate(timeout=30)[0].split("\n")
    whole = [int(line) for line in rest[:-1] if line]  # the last line may be half written
    return max([acknowledged, *whole])


@pytest.mark.timeout(20 * KILLS)
def test_what_was_acknowledged_is_there_once_wherever_the_process_is_killed(tmp_path):
    rng = np.random.default_rng(SEED)
    acknowledged = 0
    for kill in range(KILLS):
        before, acknowledged = acknowledged, killed_somewhere(tmp_path, rng)
        assert acknowledged >= before, f"kill {kill}, seed {SEED}: what was acknowledged is forgotten"
        with Keeper(tmp_path) as keeping:
            kept = keeping.cursor("n")
            assert kept is not None or acknowledged == 0
            there = kept.position if kept else 0
            assert there >= acknowledged, f"kill {kill}, seed {SEED}"
            for timeline, field in zip(TIMELINES, ("fast", "slow", "word"), strict=True):
                series = [each for each in keeping.archive.timelines("n") if each.timeline == timeline]
                rows = sum(each.snapshot().rows_within(FIRST, LAST) for each in series)
                assert rows == there, f"kill {kill}, seed {SEED}: {rows} of {there} on {timeline}, {field}"
            if kill % 10 == 9:
                assert np.array_equal(numbers(keeping), np.arange(float(there)))
                assert np.array_equal(numbers(keeping, "whole"), np.arange(there))
                counts = keeping.archive.answer("n", Query(("fast",), FIRST, LAST, max_points=200, reduce="count"))
                assert counts.series("fast")[1].values.sum() == there
                high = keeping.archive.answer("n", Query(("fast",), FIRST, LAST, max_points=200)).series("fast")[1]
                assert high.values.max() == there - 1


def test_a_keeper_that_is_opened_again_knows_cursors_fields_and_what_waits(tmp_path):
    with Keeper(tmp_path) as keeping:
        assert keeping.cursor("n") is None
        assert keeping.take([Taking("n", frames(0, 100), FIELDS, Cursor("e", 300))]) == 300
    with Keeper(tmp_path) as keeping:
        assert keeping.cursor("n") == Cursor("e", 300)
        assert keeping.archive.fields("n") == FIELDS
        assert numbers(keeping).tolist() == list(range(100))
        assert keeping.take([Taking("n", frames(50, 100), FIELDS, Cursor("e", 450))]) == 150
        assert numbers(keeping).tolist() == list(range(150))


@pytest.mark.parametrize("part", range(16))
def test_a_damaged_intake_costs_nothing_that_is_taken_again(tmp_path, part):
    with Keeper(tmp_path) as keeping:
        for first in range(0, 3000, 300):
            keeping.take([Taking("n", frames(first, 300), FIELDS, Cursor("e", first))])
    path = tmp_path / "intake.sqlite"
    data = bytearray(path.read_bytes())
    begin = len(data) * part // 16 + 512
    data[begin : begin + 4096] = bytes(min(4096, len(data) - begin))
    path.write_bytes(data)
    with Keeper(tmp_path) as keeping:
        there = keeping.cursor("n")
        assert there in (None, Cursor("e", 2700))
        if there is None:
            keeping.take([Taking("n", frames(0, 3000), FIELDS, Cursor("e", 2700))])
        assert numbers(keeping).tolist() == list(range(3000))
    with Keeper(tmp_path) as keeping:
        assert keeping.cursor("n") == Cursor("e", 2700)
        assert numbers(keeping).tolist() == list(range(3000))


def test_the_intake_lets_go_what_is_in_segments_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(keeper, "HEAVY", 2**18)
    monkeypatch.setattr(keeper, "_LIGHT", 2**16)
    with Keeper(tmp_path) as keeping:
        keeping.take([Taking("quiet", [Frame("t", np.array([1]), {"a": Column(np.array([1.0]))}, "e", 1)])])
        for first in range(0, 30_000, 1000):
            keeping.take([Taking("n", frames(first, 1000), FIELDS, Cursor("epoch", first))])
            keeping.tend()
        assert keeping.archive.timelines("quiet")[0].weight  # it is neither heavy nor old
    with Keeper(tmp_path) as keeping:
        assert keeping.archive.answer("quiet", Query(("a",), FIRST, LAST)).samples == 1
        assert numbers(keeping).tolist() == list(range(30_000))


def test_what_waits_for_long_is_written_however_little_it_is(tmp_path):
    now = [0.0]
    with Keeper(tmp_path, flush_age=60.0, clock=lambda: now[0]) as keeping:
        keeping.take([Taking("n", frames(0, 10), FIELDS)])
        assert keeping.tend() == 0
        now[0] = 61.0
        assert keeping.tend() == 30
        assert not keeping.archive.weight
        assert list((tmp_path / "segments").rglob("*.parquet"))


def test_samples_without_an_identity_get_one_and_are_there_once(tmp_path):
    t = np.arange(5) * 10**9
    with Keeper(tmp_path) as keeping:
        for part in (slice(0, 3), slice(3, 5)):
            keeping.take(
                [Taking("old", [Frame("t", t[part], {"a": Column(np.arange(5.0)[part])})], {"a": Field(units="K")})]
            )
    with Keeper(tmp_path) as keeping:
        answer = keeping.archive.answer("old", Query(("a",), FIRST, LAST))
        assert answer.series("a")[1].values.tolist() == [0, 1, 2, 3, 4]
        assert keeping.archive.fields("old")["a"].units == "K"


def test_what_is_recalled_at_a_restart_is_not_counted_as_coming_twice(tmp_path):
    now = [0.0]

    def counts(keeping):
        return {series.timeline: series.counts for series in keeping.archive.timelines()}

    def frame(timeline, last):
        t = np.where(np.arange(10) == last, 2**63 - 1, np.arange(10) * 10**9)  # one time that no clock can mean
        return Frame(timeline, t, {timeline: Column(np.arange(10.0))}, "e", 10)

    def opened():
        return Keeper(tmp_path, flush_age=10.0, clock=lambda: now[0])

    with opened() as keeping:
        keeping.take([Taking("n", [frame("early", 3)])])
        now[0] = 5.0
        keeping.take([Taking("n", [frame("late", 4), frame("early", 3)])])
        now[0] = 11.0
        assert keeping.tend() == 9  # the late ones go on waiting, and the early ones stay in the intake with them
        expected = counts(keeping)
        assert expected == {"early": {"refused": 1, "doubles": 10}, "late": {"refused": 1}}
    for _ in range(2):
        with opened() as keeping:
            assert counts(keeping)["early"] == expected["early"]
            assert keeping.archive.answer("n", Query(("late",), FIRST, LAST)).samples == 9
