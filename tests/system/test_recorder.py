"""A recorder beside real nodes: their past outlives them, and is one line with what they have themselves."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from sisock.consumer import Consumer
from sisock.errors import ConsumerError
from sisock.frames import Answer
from tests.fleet import COUNTER, Fleet, running_fleet

PATIENCE = 40.0  # seconds until a test gives up


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("recorder"), {"counter": "data_node"}, ring=2**14) as fleet:
        fleet.node("counter", COUNTER)
        yield fleet


def start(fleet: Fleet, name: str = "recorder") -> None:
    fleet.run(name, "-m", "sisock", "node", "recorder", *(() if name == "recorder" else ("--name", name)))


async def until(lab: Consumer, there: Callable[[Answer], bool], node: str = "counter", **options: object) -> Answer:
    """Ask for all of the counter's counts until the answer is enough."""
    answer = None
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(ConsumerError):
                    answer = await lab.data(node, ["count"], 1, 0, **options)  # type: ignore[arg-type]
                    if there(answer):
                        return answer
                await asyncio.sleep(0.2)
    except TimeoutError:
        pytest.fail(f"the last answer was {answer!r:.2000}")


def count(answer: Answer) -> list[float]:
    return answer.series("count")[1].values.tolist()


async def recorded(lab: Consumer, least: int) -> int:
    """Wait until the recorder itself says that it has taken so many samples."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(ConsumerError):
                values = (await lab.data("recorder", ["samples"], -2, 0)).series("samples")[1].values
                if len(values) and values[-1] >= least:
                    return int(values[-1])
            await asyncio.sleep(0.2)


async def test_what_was_recorded_is_one_line_with_what_the_node_has_and_outlives_it(fleet: Fleet) -> None:
    start(fleet)
    async with Consumer(fleet.settings) as lab:
        await recorded(lab, 30)
        fleet.kill("counter")
        await until(lab, lambda a: any("away" in each for each in a.notices))
        kept = await lab.data("counter", ["count"], 1, 0)
        assert count(kept) == list(range(1, len(count(kept)) + 1))
        fields, _ = await lab.fields("counter")
        assert fields["parity"].type == "string"
        # a node whose journal is gone begins anew, and its past is still there
        for path in (fleet.settings.state / "journals").glob("counter*"):
            path.unlink() if path.is_file() else None
        fleet.node("counter")
        both = await until(
            lab, lambda a: not any("away" in each for each in a.notices) and len(count(a)) > len(count(kept)) + 20
        )
        values = np.array(count(both))
        restarts = np.flatnonzero(np.diff(values) != 1)
        assert len(restarts) == 1
        assert values[restarts[0] + 1] == 1
        assert values[: restarts[0] + 1].tolist() == list(range(1, int(restarts[0]) + 2))
        reduced = await lab.data("counter", ["count"], 1, 0, max_points=10, reduce="count")
        assert reduced.series("count")[1].values.sum() >= len(values)
        assert reduced.samples == reduced.series("count")[1].values.sum()
        first = await lab.sample("counter", ["count"], ns=int(both.series("count")[0][3]))
        assert count(first) == [4]


async def test_a_recorder_that_is_killed_goes_on_and_has_each_sample_once(fleet: Fleet) -> None:
    async with Consumer(fleet.settings) as lab:
        before = await until(lab, lambda a: len(count(a)) > 30)
        for _ in range(2):
            fleet.kill("recorder")
            start(fleet)
            await recorded(lab, 10)
        after = await until(lab, lambda a: len(count(a)) > len(count(before)) + 10)
        assert count(after)[: len(count(before))] == count(before)
        assert (np.diff(np.array(count(after))[-20:]) == 1).all()
        assert (np.diff(after.series("count")[0]) > 0).all()
        doubles = (await lab.data("recorder", ["doubles", "lost"], -5, 0)).series("doubles")[1].values
        assert len(doubles)


async def test_a_second_recorder_takes_over_the_answers_and_has_all_that_journals_hold(fleet: Fleet) -> None:
    (fleet.folder / "sisock.toml").write_text(f'[second]\nfolder = "{fleet.folder}/second"\n')
    start(fleet, "second")
    async with Consumer(fleet.settings) as lab:
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(ConsumerError):
                    values = (await lab.data("second", ["samples"], -2, 0)).series("samples")[1].values
                    if len(values) and values[-1] > 100:
                        break
                await asyncio.sleep(0.2)
        fleet.kill("recorder")
        fleet.kill("counter")
        kept = await until(lab, lambda a: any("away" in each for each in a.notices))
        values = np.array(count(kept))
        assert values[0] == 1
        assert (np.diff(values) == 1).all()
        fleet.node("counter")
        start(fleet)
        await recorded(lab, 1)
