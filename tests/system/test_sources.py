"""Sources beside a real router: from a few lines of TOML to values that a consumer gets."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from sisock.consumer import Consumer
from tests.fleet import Fleet, running_fleet
from tests.test_authors import up


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("sources")) as fleet:
        folder = fleet.folder
        (folder / "x.log").write_text("")
        (folder / "lab.toml").write_text(
            '[uptime]\ncommand = ["cat", "/proc/uptime"]\ncolumns = ["up", "idle"]\ninterval = 0.1\nfields = { up = "s" }\n'
            '[counter]\nfile = "x.log"\nbegin = "beginning"\ntags = ["lab"]\n'
        )
        fleet.run("lab", "-m", "sisock", "node", str(folder / "lab.toml"))
        yield fleet


async def values(consumer: Consumer, node: str, field: str) -> list[float]:
    """All there is of a field."""
    answer = await consumer.data(node, [field], 1, 0)
    return list(answer.series(field)[1].values.tolist())


async def until(consumer: Consumer, node: str, field: str, last: float) -> list[float]:
    """All there is of a field once this value has come."""
    async with asyncio.timeout(60):
        while not (found := await values(consumer, node, field)) or found[-1] != last:
            await asyncio.sleep(0.1)
        return found


async def test_tables_become_nodes_whose_values_a_consumer_gets(fleet: Fleet) -> None:
    async with Consumer(fleet.settings) as consumer:
        await up(consumer, "uptime")
        await up(consumer, "counter")
        listed = {node.name: node for node in await consumer.nodes()}
        assert listed["uptime"].description == "What a command prints: cat"
        assert listed["counter"].tags == ["lab"]
        fields, _ = await consumer.fields("uptime")
        assert fields["up"].units == "s"
        async with asyncio.timeout(30):
            async for frame in consumer.live("uptime", ["up"], last=60):
                assert frame.columns["up"].values[0] > 0
                break


async def test_a_node_that_is_killed_has_every_line_once_when_it_is_back(fleet: Fleet) -> None:
    path, n = fleet.folder / "x.log", 0
    async with Consumer(fleet.settings) as consumer:
        await up(consumer, "counter")
        for number in range(3):
            with path.open("a") as file:
                file.writelines(f"n={each}\n" for each in range(n, n + 500))
            n += 500
            await until(consumer, "counter", "n", n - 1)
            fleet.kill("lab", signal.SIGKILL)
            with path.open("a") as file:
                file.writelines(f"n={each}\n" for each in range(n, n + 500))
            n += 500
            path.rename(fleet.folder / f"x.log.{number}")
            path.write_text("")
            fleet.run("lab", "-m", "sisock", "node", str(fleet.folder / "lab.toml"))
            await up(consumer, "counter")
        with path.open("a") as file:
            file.write(f"n={n}\n")
        assert await until(consumer, "counter", "n", n) == list(range(n + 1))
