"""A recorder lets go what it is told to, and goes on answering for it."""

import asyncio
import time

import numpy as np

from data_nodes.recorder.keeping import Keeping
from data_nodes.recorder.node import Recorder
from sisock.frames import Column, Field, Frame, Query
from sisock.store.keeper import Cursor, Keeper, Taking
from sisock.times import FIRST, LAST, NS

YEAR = 31_557_600


async def test_a_recorder_lets_old_samples_go_and_still_answers_for_last_year(tmp_path):
    now = time.time_ns()
    t = now - YEAR * NS + np.arange(200_000) * (YEAR * NS // 200_000)
    values = np.sin(np.arange(200_000))
    values[1234] = 99.0
    node = Recorder(keep={"*": {"raw": "30d"}})
    keeper = Keeper(tmp_path, keep=node.keep)
    for begin in range(0, 200_000, 10_000):
        rows = slice(begin, begin + 10_000)
        frame = Frame("t", t[rows], {"x": Column(values[rows])}, "e", rows.stop)
        keeper.take([Taking("n", [frame], {"x": Field(timeline="t")}, Cursor("e", rows.stop))])
        keeper.archive.flush()
    keeping = Keeping(keeper)
    async with keeping.at_work():
        async with asyncio.timeout(30):
            while not keeper.dropped:
                await asyncio.sleep(0.01)
        answer = await keeping.answer("n", Query(("x",), FIRST, LAST, max_points=500))
        assert 99.0 in answer.series("x")[1].values
        assert answer.parts[0].samples == 200_000
        single = await keeping.answer("n", Query(("x",), FIRST, LAST))
        assert len(single.parts[0].points) == 200_000 - keeper.dropped
        assert "max_points" in single.notices[0]
        assert single.parts[0].points.t[0] < now - 30 * 86_400 * NS


def test_it_looks_once_a_minute_or_while_there_is_more(tmp_path):
    clock = [0.0]
    keep = Recorder(keep={"*": {"raw": "1s"}}).keep
    with Keeper(tmp_path, keep=keep, clock=lambda: clock[0]) as keeper:
        assert keeper.retain(0) == 0
        t = np.arange(100_000) * NS
        frame = Frame("t", t, {"x": Column(np.ones(100_000))}, "e", 100_000)
        keeper.take([Taking("n", [frame])])
        keeper.archive.flush()
        more = Frame("t", t + 10**15, {"x": Column(np.ones(100_000))}, "e", 200_000)
        keeper.take([Taking("n", [more])])
        keeper.archive.flush()
        assert keeper.retain(2 * 10**15) == 0
        clock[0] = 61.0
        assert keeper.retain(2 * 10**15) == 100_000
        assert keeper.retain(2 * 10**15) == 0
