"""Programs as they exist in the field work unchanged, over TLS with WAMP-CRA and JSON."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import numpy as np
import pytest

from sisock import wire
from sisock.blocking import BlockingConsumer
from sisock.errors import ConsumerError, NoHub
from sisock.testing import Refused
from sisock.testing.router import free_port
from tests.demo import sisock, wait_for
from tests.fleet import COUNTER, ROOT, Fleet, running_fleet

WITHIN = 30.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("existing")
    for user in ("server", "observer"):
        (folder / user).write_text(secrets.token_hex(16))
    principals = {
        "server": {"role": "data_node", "names": ["old", "older"], "wampcra": {"secret_file": str(folder / "server")}},
        "observer": {"role": "consumer", "wampcra": {"secret_file": str(folder / "observer")}},
        "counter": "data_node",
    }
    with running_fleet(folder, principals, legacy_port=free_port(), tls_interface="127.0.0.1") as fleet:
        fleet.node("counter", COUNTER)
        wait_for(
            lambda: names(fleet) == {"counter"}, WITHIN
        )  # an existing program registers once: the hub must be there
        yield fleet


class Program:
    """An existing program and the lines it prints."""

    def __init__(self, fleet: Fleet, user: str, *arguments: str) -> None:
        environment = {
            **os.environ,
            "EXISTING_URL": f"wss://localhost:{fleet.settings.legacy_port}/ws",
            "EXISTING_USER": user,
            "EXISTING_SECRET": (fleet.folder / user).read_text(),
            "EXISTING_CA": str(certificate(fleet)),
            "PYTHONPATH": str(ROOT),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: Queue[str] = Queue()
        self.reading = threading.Thread(target=self._read, daemon=True)
        self.reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.strip())

    def says(self) -> str:
        try:
            return self.lines.get(timeout=WITHIN)
        except Empty:
            self.process.kill()
            _, complaints = self.process.communicate()
            return pytest.fail(f"it says nothing; its complaints: {complaints[-2000:]}")

    def tells(self, what: str) -> Any:
        """What it tells next under this word."""
        while True:
            word, value = json.loads(self.says())
            if word == what:
                return value

    def end(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self.reading.join(10)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


def certificate(fleet: Fleet) -> Any:
    """The certificate of the authority that signed the one of the router's listener."""
    return fleet.settings.state / "ca" / "root.pem"


def names(fleet: Fleet) -> set[str]:
    """The nodes that the hub lists; none while it is not there."""
    try:
        with BlockingConsumer(fleet.settings, "cli") as consumer:
            return {each.name for each in consumer.nodes()}
    except NoHub:
        return set()


@pytest.fixture
def node(fleet: Fleet) -> Iterator[Program]:
    program = Program(fleet, "server", "tests.existing.node", "old")
    try:
        assert program.says() == "accepted True"
        yield program
    finally:
        program.end()


def test_an_existing_consumer_sees_existing_and_new_nodes_alike(fleet: Fleet, node: Program) -> None:
    consumer = Program(fleet, "observer", "tests.existing.consumer")
    try:
        listed = consumer.tells("nodes")
        assert {each["name"] for each in listed} == {"old", "counter"}
        assert all(set(each) == {"name", "description"} for each in listed)
        answers = dict(consumer.tells("data") for _ in listed)
        for name, field in (("old", "ramp"), ("counter", "count")):
            answer = answers[name]
            assert set(answer) == {"data", "timeline"}
            axis = next(axis for axis in answer["timeline"].values() if len(axis["t"]) == len(answer["data"][field]))
            assert len(axis["t"]) > 0
            assert set(axis) == {"t", "finalized_until"}
        assert all(np.diff(answers["counter"]["timeline"]["samples"]["t"]) >= 1.0)
        consumer.tells("asked")
        node.end()
        assert consumer.tells("data_node_subtracted") == {"name": "old", "description": "An existing node."}
        again = Program(fleet, "server", "tests.existing.node", "old")
        assert again.says() == "accepted True"
        assert consumer.tells("data_node_added") == {"name": "old", "description": "An existing node."}
        again.end()
    finally:
        consumer.end()


def test_a_new_consumer_reads_an_existing_node(fleet: Fleet, node: Program) -> None:
    with BlockingConsumer(fleet.settings, "cli") as consumer:
        fields, timelines = consumer.fields("old")
        assert fields["ramp"].units == "s"
        assert timelines["clock"].fields == ("ramp", "word")
        frames = consumer.live("old", ["ramp", "word"], last=60)
        seen = [next(frames) for _ in range(3)]
        t = np.concatenate([frame.t for frame in seen])
        assert (np.diff(t) > 0).all()
        assert set(np.concatenate([frame.columns["word"].values for frame in seen])) <= {"even", "odd"}
        frames.close()


def test_an_existing_node_is_searched_here_for_the_sample_at_an_instant(fleet: Fleet, node: Program) -> None:
    with BlockingConsumer(fleet.settings, "cli") as consumer:
        frames = consumer.live("old", ["ramp"], last=60)
        seen = 0
        while seen < 3:
            seen += len(next(frames))
        frames.close()
        t, _ = consumer.data("old", ["ramp", "word"], -60).series("ramp")
        found = consumer.sample("old", ["ramp", "word", "none"], ns=int(t[1]))
        assert [found.series(name)[0].tolist() for name in ("ramp", "word", "none")] == [[t[1]], [t[1]], []]
        assert found.method == "at"
        for which, ns in (("before", int(t[0])), ("after", int(t[1]))):
            near = consumer.sample("old", ["ramp"], which=which, ns=int(t[1])).series("ramp")[0].tolist()
            assert near == [ns if which == "before" else int(t[2])]
        assert len(consumer.sample("old", ["ramp"], 1.0, "after").series("ramp")[0]) == 1
        assert len(consumer.sample("old", ["ramp"], 1.0).series("ramp")[0]) == 0
        assert consumer.instant(targets=["old"])["old"].samples == 2


def test_an_existing_node_is_exported(fleet: Fleet, node: Program, tmp_path: Path) -> None:
    with BlockingConsumer(fleet.settings, "cli") as consumer:
        frames, seen = consumer.live("old", ["ramp"], last=60), 0
        while seen < 5:
            seen += len(next(frames))
        frames.close()
        t, ramp = consumer.data("old", ["ramp"], -60).series("ramp")
    span = ("--start", repr((int(t[0]) - 10**6) / 1e9), "--end", repr((int(t[-1]) + 10**6) / 1e9))
    argv = ("export", "old", *span, "--times", "ns", "--output", str(tmp_path / "old.csv"))
    ended = sisock(fleet.settings.state, *argv, SISOCK_ROUTER=fleet.settings.url)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = [line.split(",") for line in (tmp_path / "old.csv").read_text().splitlines()[1:]]
    assert [(int(line[0]), float(line[1])) for line in lines] == list(
        zip(t.tolist(), ramp.values.tolist(), strict=True)
    )


def test_what_an_existing_node_answers_is_reduced_here_with_every_spike(fleet: Fleet, node: Program) -> None:
    with BlockingConsumer(fleet.settings, "cli") as consumer:
        frames = consumer.live("old", ["ramp"], last=60)
        seen = 0
        while seen < 20:
            seen += len(next(frames))
        frames.close()
        whole = consumer.data("old", ["ramp"], -60)
        reduced = consumer.data("old", ["ramp"], -60, max_points=6)
    assert (whole.method, reduced.method) == ("raw", "minmax")
    values = reduced.series("ramp")[1].values
    assert len(values) <= 6
    assert values.max() >= whole.series("ramp")[1].values.max()
    assert reduced.samples >= 20


def test_a_restarted_hub_still_has_the_existing_node_and_its_description(fleet: Fleet, node: Program) -> None:
    table = fleet.settings.state / "hub" / "nodes.json"
    with BlockingConsumer(fleet.settings, "cli") as consumer:
        while not (table.exists() and "An existing node." in table.read_text()):
            assert node.process.poll() is None
            time.sleep(0.05)
        fleet.kill("hub")
        fleet.hub()
        events = consumer.events()
        while {"old", "counter"} - (up := {each.name for each in listed(consumer) if each.state == "up"}):
            assert node.process.poll() is None, up
        assert {each.name: each.description for each in consumer.nodes()}["old"] == "An existing node."
        events.close()


def test_a_recorder_keeps_what_an_existing_node_says_is_final(fleet: Fleet, node: Program) -> None:
    fleet.run("recorder", "-m", "sisock", "node", "recorder")
    with BlockingConsumer(fleet.settings, "cli") as consumer:
        whole = consumer.data("old", ["ramp", "word"], -30.0, 0.0)
        while "recorder" not in next((each.kept_by for each in listed(consumer) if each.name == "old"), ()):
            whole = consumer.data("old", ["ramp", "word"], -30.0, 0.0)
            assert fleet.processes["recorder"].poll() is None
            time.sleep(0.2)
        for _ in range(2):
            last = whole.series("ramp")[0][-1]
            while (kept := recorded(consumer, fleet)) is None or not len(kept) or kept[-1] < last:
                time.sleep(0.2)
            fleet.kill("recorder")
            fleet.run("recorder", "-m", "sisock", "node", "recorder")
            whole = consumer.data("old", ["ramp", "word"], -60.0, 0.0)
        node.end()
        t, ramp = ended(consumer).series("ramp")
        assert len(np.unique(t)) == len(t)
        inside = whole.series("ramp")[0]
        assert np.isin(inside[inside <= t[-1]], t).all()
        assert np.allclose(ramp.values, (t / 1e9) % 10, atol=1e-3)
        assert ended(consumer).series("word")[1].type == "string"
    fleet.kill("recorder")


def recorded(consumer: BlockingConsumer, fleet: Fleet) -> Any:
    """The times that the recorder has of the existing node; None while it does not answer."""
    with contextlib.suppress(Refused), fleet.router.client("cli") as client:
        uri = fleet.settings.uris.archive("old", "get_data")
        answer = client.call(uri, ["ramp"], 1, 0, columns="typed")
        return next((part.points.t for part in wire.decode_answer(answer).parts), None)
    return None


def ended(consumer: BlockingConsumer) -> Any:
    """All that is kept of the existing node, once it is away and the recorder answers."""
    while True:
        with contextlib.suppress(ConsumerError):
            answer = consumer.data("old", ["ramp", "word"], 1, 0)
            if any("away" in notice for notice in answer.notices):
                return answer
        time.sleep(0.2)


def listed(consumer: BlockingConsumer) -> list[Any]:
    try:
        return consumer.nodes()
    except NoHub:
        return []
