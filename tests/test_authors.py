"""What an author writes is short, complete, and works as it stands."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sisock.consumer import Consumer, NoHub
from tests.fleet import ROOT, Fleet, running_fleet

EXAMPLES = ROOT / "examples"
NS = 10**9


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("authors")) as fleet:
        rain = fleet.folder / "rain"
        rain.mkdir()
        (rain / "2024.txt").write_text("1704067200 0.0\n1704070800 1.5\n")
        (rain / "2025.txt").write_text("1735689600 0.2\n")
        for example in ("thermometer", "archive"):
            fleet.run(example, "-m", "sisock", "node", str(EXAMPLES / f"{example}.py"))
        yield fleet


@pytest.mark.parametrize(("example", "most"), [("thermometer", 15), ("archive", 20)])
def test_a_complete_node_is_a_few_lines_imports_and_blank_lines_included(example: str, most: int) -> None:
    lines = (EXAMPLES / f"{example}.py").read_text().splitlines()
    assert len(lines) <= most
    assert all(len(line) <= 120 and ";" not in line for line in lines)


def test_every_example_is_tried_here() -> None:
    assert {path.name for path in Path(EXAMPLES).glob("*.py")} == {"thermometer.py", "archive.py"}


async def up(consumer: Consumer, name: str) -> None:
    """Wait until the node is there."""
    with consumer.watching() as events:
        async with asyncio.timeout(30):
            while name not in await listed(consumer):
                with contextlib.suppress(TimeoutError):  # a hub that starts tells nothing of those it finds
                    await asyncio.wait_for(events.get(), 0.5)


async def listed(consumer: Consumer) -> set[str]:
    """The nodes that are up; none while there is no hub yet."""
    try:
        return {node.name for node in await consumer.nodes() if node.state == "up"}
    except NoHub:
        return set()


async def test_the_live_node_measures_and_is_followed(fleet: Fleet) -> None:
    async with Consumer(fleet.settings) as consumer:
        await up(consumer, "thermometer")
        fields, _ = await consumer.fields("thermometer")
        assert (fields["temperature"].units, fields["temperature"].description) == ("°C", "beside the window")
        seen = []
        async with asyncio.timeout(30):
            async for frame in consumer.live("thermometer", ["temperature"], last=60):
                seen += frame.columns["temperature"].values.tolist()
                if len(seen) >= 3:
                    break
        assert all(18 <= value <= 22 for value in seen)


async def test_the_archive_node_serves_what_is_in_its_files(fleet: Fleet) -> None:
    async with Consumer(fleet.settings) as consumer:
        await up(consumer, "rain")
        answer = await consumer.data("rain", ["rain"], 1, 0)
        t, values = answer.series("rain")
        assert t.tolist() == [1704067200 * NS, 1704070800 * NS, 1735689600 * NS]
        assert values.values.tolist() == [0.0, 1.5, 0.2]
        assert answer.notices == ()
        description = {node.name: node.description for node in await consumer.nodes()}["rain"]
        assert description.startswith("The rain gauge on the roof")
