"""What lsof lists, at every end at once: in a topic of a real Kafka, in the archive and on the page, each record once."""

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from sisock import connect
from sisock.errors import ConsumerError
from sisock.outlets import cursors
from sisock.outlets.kafka import Kafka
from sisock.times import NS
from tests.fleet import Fleet, running_fleet
from tests.kafka_broker import Broker, broker
from tests.peers import need
from tests.system.browser import Opener
from tests.topics import LEFT_OPEN, PATIENCE, collect, consumed

pytestmark = [pytest.mark.filterwarnings(each) for each in LEFT_OPEN]
SCANS = 3
FEW = 100  # samples of health and counts: far fewer than a scan has records
GROWN = 20 * 2**20  # bytes of memory
CONFIG = """
[lsof]
interval = 2
kafka = { version = "0.9" }
[recorder]
only = ["lsof"]
interval = 0.5
"""
NOTING = """#!/bin/sh
# lsof of some processes, which also notes what it said: a file for each scan, by its number
n=$(ls {noted} | wc -l)
{lsof} "$@" -a -p {processes} > {noted}.now
code=$?
mv {noted}.now {noted}/$n
cat {noted}/$n
exit $code
"""
BUSY = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
files = [open("/dev/null") for _ in range(3000)]
print("open", flush=True)
sys.stdin.read()
"""
Record = tuple[str | None, str | None]  # type and name of a file


def told(parts: list[str], what: str) -> str | None:
    return next((part.removeprefix(what) for part in parts if part.startswith(what)), None)


class Running(NamedTuple):
    """A fleet with lsof, a recorder and a Kafka, and where what lsof said is noted."""

    fleet: Fleet
    kafka: Kafka
    noted: Path

    def scan(self, number: int) -> Counter[Record]:
        """The records of a scan, as lsof itself wrote them."""
        said = Counter[Record]()
        for line in (self.noted / str(number)).read_bytes().split(b"\0\n"):
            if line.startswith(b"f"):
                parts = [part.decode("utf-8", "replace") for part in line.split(b"\0")]
                kind, name, state = (told(parts, what) for what in ("t", "n", "TST="))
                said[kind, name if state is None else f"{name} ({state})"] += 1
        return said


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("kafka")) as started:
        yield started
    collect()


@pytest.fixture(scope="module")
def busy() -> Iterator[None]:
    """A process with many open files, so that a scan is worth its name."""
    argv = [sys.executable, "-c", BUSY]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield
        process.communicate()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, kafka: Broker, busy: None, built: Path) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("fleet")
    noted, programs = folder / "noted", folder / "programs"
    noted.mkdir()
    programs.mkdir()
    (folder / "sisock.toml").write_text(CONFIG)
    principals = {"lsof": {"role": "data_node", "sensitive": True}, "recorder": {"role": "recorder", "sensitive": True}}
    principals["page"] = {"role": "consumer", "sensitive": True}
    within = {"lsof": ["env", f"PATH={programs}:{os.environ['PATH']}"]}
    told = {"kafka": kafka.address, "kafka_topic": "lab.{node}", "config": folder / "sisock.toml"}
    with running_fleet(folder, principals, within, **told) as fleet:
        processes = ",".join(str(each.pid) for each in [psutil.Process(), *psutil.Process().children(recursive=True)])
        (programs / "lsof").write_text(NOTING.format(noted=noted, lsof=need("lsof"), processes=processes))
        (programs / "lsof").chmod(0o755)
        for name in ("recorder", "lsof"):
            fleet.run(name, "-m", "sisock", "node", name)
        yield Running(fleet, Kafka(kafka.address, version="0.9"), noted)


@pytest.fixture(scope="module")
def fleet(running: Running) -> Fleet:
    return running.fleet


def until(true: Callable[[], bool], what: Callable[[], str]) -> None:
    waiting = threading.Event()
    for _ in range(int(PATIENCE / 0.1)):
        if true():
            return
        waiting.wait(0.1)
    raise AssertionError(what())


def scanned(running: Running, scans: int) -> int:
    """Return when so many scans are in the topic; how many messages that has."""
    place = running.fleet.settings.state / "kafka" / "lsof.json"
    until(lambda: len(list(running.noted.iterdir())) >= scans, lambda: "lsof is not run")
    least = sum(running.scan(number).total() for number in range(scans)) + FEW  # into the scan after these
    until(lambda: cursors.load(place).sent >= least, lambda: f"{cursors.load(place)} of {least}")
    return cursors.load(place).sent


def of_archive(running: Running, times: list[int]) -> list[Counter[Record]]:
    """The records of these scans, as the recorder has them when lsof is gone."""
    found: list[Counter[Record]] = []

    def all_there() -> bool:
        with contextlib.suppress(ConsumerError):
            answer = lab.data("lsof", ["type", "name"], times[0] / NS - 1, times[-1] / NS + 1, deadline=PATIENCE)
            t, types = answer.series("type")
            _, names = answer.series("name")
            rows = list(zip(t.tolist(), texts(types), texts(names), strict=True))
            found[:] = [Counter((kind, name) for at, kind, name in rows if at == time) for time in times]
            return any("lsof is away since" in each for each in answer.notices) and all(found)
        return False

    with connect("cli", state=running.fleet.settings.state, router=running.fleet.settings.url) as lab:
        until(all_there, lambda: f"of {times} there are {[each.total() for each in found]}")
    return found


def texts(column: Any) -> list[str | None]:
    there = column.present().tolist()
    return [value if present else None for value, present in zip(column.values.tolist(), there, strict=True)]


def of_topic(running: Running, count: int) -> dict[int, Counter[Record]]:
    """The records in the topic, by their times; each of them is there once."""
    messages = consumed(running.kafka, "lab.lsof", count)
    assert len({each.key for each in messages}) == len(messages)
    found: dict[int, Counter[Record]] = {}
    for each in map(json.loads, (message.value for message in messages)):
        if each["timeline"] == "records":
            found.setdefault(each["t"], Counter())[each.get("type"), each.get("name")] += 1
    return found


def test_every_record_of_lsof_is_once_in_kafka_in_the_archive_and_on_the_page(running: Running, look: Opener) -> None:
    process = psutil.Process(running.fleet.processes["lsof"].pid)
    scanned(running, 1)
    before = process.memory_info().rss
    sent = scanned(running, SCANS)
    said = [running.scan(number) for number in range(SCANS)]
    assert all(scan.total() > 3000 and None not in {kind for kind, _ in scan} for scan in said)  # each has its type

    topic = of_topic(running, sent)
    times = sorted(topic)[:SCANS]
    assert [topic[t] for t in times] == said

    sight = look()
    sight.open("lsof::type", "lsof::name", span=4000, end=times[-1] // 10**6 + 50)
    total = f"{said[-1].total():,}".replace(",", "[\u202f ]")
    sight.see("#rows .note", re.compile(f"newest 200 of {total} rows"))
    sight.page.fill("#rows input", str(running.fleet.log("hub")))
    sight.see("#rows td", str(running.fleet.log("hub")))
    sight.clean()

    assert process.memory_info().rss - before < GROWN
    running.fleet.kill("lsof")
    assert of_archive(running, times) == said
