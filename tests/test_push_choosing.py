"""What `sisock grafana push` sends of what there is, and what it refuses before it asks anybody."""

import asyncio
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sisock.cli import main
from sisock.cli.choosing import Choice, choice
from sisock.cli.following import Pace
from sisock.consumer import Node
from sisock.exits import Exit
from sisock.frames import Column, Frame

NODES = [Node("host", ""), Node("freezer1", ""), Node("freezer2", ""), Node("lsof", "", sensitive=True)]


@pytest.mark.parametrize(
    ("targets", "nodes"),
    [
        ((), ["host", "freezer1", "freezer2"]),
        (("freezer*",), ["freezer1", "freezer2"]),
        (("host", "lsof::total"), ["host", "lsof"]),
        (("?ost::cpu",), ["host"]),
        (("*::cpu",), ["host", "freezer1", "freezer2"]),
    ],
)
def test_nodes_are_chosen_by_pattern_and_sensitive_ones_only_by_name(targets: tuple[str, ...], nodes: list[str]):
    assert choice(targets).nodes(NODES) == nodes


def test_fields_are_chosen_by_pattern_and_health_only_by_name():
    known = ["cpu", "cpu/0", "a[1]", "health.took", "health.state"]
    assert choice(("host",)).fields("host", known) == ["cpu", "cpu/0", "a[1]"]
    assert choice(("host::cpu*", "h*::health.took")).fields("host", known) == ["cpu", "cpu/0", "health.took"]
    assert choice(("host::a[1]",)).fields("host", known) == ["a[1]"]
    assert choice(("host::cpu",)).fields("other", known) == []
    assert choice(("host::cpu", "host::a*", "*::b")).plain == {"host": ["cpu"]}
    assert choice(("host::cpu", "host")) == Choice({"host": None})


@pytest.mark.parametrize("target", ["a b", "1x", "", "host::", "::cpu"])
def test_targets_that_are_none_are_refused(target: str):
    with pytest.raises(ValueError, match="cannot name a"):
        choice((target,))


async def test_at_a_pace_of_ones_own_the_newest_row_of_each_timeline_goes():
    taken: list[tuple[str, list[float]]] = []
    pace = Pace(lambda node, frame: taken.append((frame.timeline, frame.columns["v"].values.tolist())), 0.05)
    for timeline, t, values in (("a", (1, 2), [1.0, 2.0]), ("b", (9,), [9.0]), ("a", (3,), [3.0]), ("a", (2,), [0.0])):
        pace.take("n", Frame(timeline, np.array(t, np.int64), {"v": Column(np.array(values))}))
    task = asyncio.ensure_future(pace.run())
    while len(taken) < 2:
        await asyncio.sleep(0.01)
    task.cancel()
    assert taken == [("a", [3.0]), ("b", [9.0])]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("http://grafana.example",), "in the clear"),
        (("http://127.0.0.1:3000", "--stream", "a/b"), "cannot name a stream"),
        (("http://127.0.0.1:3000", "--every", "soon"), "is not a duration"),
        (("http://127.0.0.1:3000", "--tag", "site"), "write it as KEY=VALUE"),
        (("http://127.0.0.1:3000", "1x"), "cannot name a data node"),
        (("http://127.0.0.1:3000",), "holds no token"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(tmp_path: Path, arguments: tuple[str, ...], sentence: str):
    empty = tmp_path / "token"
    empty.touch()
    ended = CliRunner().invoke(main, ["grafana", "push", *arguments, "--token-file", str(empty)], env=dict(os.environ))
    assert ended.exit_code == Exit.USAGE
    assert sentence in ended.output
