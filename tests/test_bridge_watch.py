"""A bridge whose consumer will never join again ends, so that another is started."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from grafana_json import watch
from grafana_json.watch import Watch
from sisock import settings as configuration
from sisock.errors import ConsumerError, NoHub
from sisock.exits import Exit
from sisock.testing.router import free_port

ROOT = Path(__file__).parents[1]
BROKEN = """
import sys
from grafana_json.server import main
from sisock.wamp import Link

async def broken(link):
    raise RuntimeError("a bug")

Link.run = broken
sys.exit(main([]))
"""


class Lost:
    """A consumer that is not connected, and says what the test says."""

    connected = False

    def __init__(self, error):
        self.error, self.asked = error, threading.Semaphore(0)

    def nodes(self):
        self.asked.release()
        raise self.error


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(watch, "_LOOK", 0.01)


def test_a_consumer_that_is_closed_ends_the_bridge():
    ended = threading.Event()
    watching = Watch(Lost(ConsumerError("this consumer is closed")), ended.set)
    assert ended.wait(10)
    assert watching.lost


def test_a_hub_that_is_away_is_waited_for():
    ended, source = threading.Event(), Lost(NoHub("there is no router"))
    watching = Watch(source, ended.set)
    for _ in range(3):
        assert source.asked.acquire(timeout=10)
    watching.stop()
    assert (ended.is_set(), watching.lost) == (False, False)


def test_the_process_ends_with_an_error_and_a_sentence(state):
    given = configuration.environment(configuration.read(state=state, bridge_port=free_port()))
    environment, command = {**given, "PYTHONPATH": str(ROOT)}, [sys.executable, "-c", BROKEN]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == Exit.ERROR
    assert "the bridge ends: this consumer is closed: make another (RuntimeError('a bug'))" in ended.stderr
    assert "Traceback" not in ended.stderr
