"""What all tests share: a state directory of their own, and the rule that no process outlives its module."""

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import psutil
import pytest
from flask.testing import FlaskClient

from grafana_json.app import create_app
from sisock.settings import Settings
from tests import peers
from tests.memory import Memory, memory

PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # grandchildren whose parent dies become ours, and are seen below

hypothesis.settings.register_profile("sisock", derandomize=True, deadline=None, database=None, max_examples=60)
hypothesis.settings.load_profile("sisock")  # the same examples everywhere; a slow machine is no failure


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """An empty state directory, not yet made."""
    return tmp_path / "state"


@pytest.fixture
def peer() -> Callable[[str], str]:
    """Path of a real program; without it the test is skipped, or fails under CI."""
    return peers.need


@pytest.fixture
def source() -> Iterator[Memory]:
    """A consumer for the bridge, whose nodes are frames in memory."""
    made = memory()
    yield made
    made.let_go.set()


@pytest.fixture
def client(source: Memory) -> FlaskClient:
    """What asks a bridge that has this consumer."""
    return create_app(source, Settings(bridge_deadline=0.5)).test_client()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in [each for each in os.environ if each.startswith("SISOCK_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True, scope="module")
def _no_process_left() -> Iterator[None]:
    """Fail a module that leaves a process behind, and end that process. Fixtures with processes live in a module."""
    before = set(psutil.Process().children(recursive=True))
    yield
    left = [each for each in psutil.Process().children(recursive=True) if each not in before]
    names = [_command(each) for each in left if _runs(each)]
    for each in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    psutil.wait_procs(left, timeout=5)
    assert not names, f"still running after the module: {names}"


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _command(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())[:200] or process.name()
    return ""
