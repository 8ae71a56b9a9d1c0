"""The supervisor with small real processes as parts."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sisock.exits import Exit
from sisock.settings import read
from sisock.supervisor import Change, Part, Supervisor
from sisock.supervisor.log import Log
from sisock.supervisor.parts import child_environment
from sisock.supervisor.process import Process
from sisock.supervisor.state import held

ENV = child_environment(read())
READY = "from sisock.notify import ready; import signal, sys, os, time; ready('2 fields')\n"


def part(name: str, script: str, wave: int = 2) -> Part:
    return Part(name, (sys.executable, "-c", script), wave)


class Story:
    """Collects changes, and lets a test wait for the next that it cares about."""

    def __init__(self) -> None:
        self.told: list[Change] = []
        self._more = asyncio.Event()

    def __call__(self, change: Change) -> None:
        self.told.append(change)
        self._more.set()

    async def until(self, state: str, times: int = 1) -> Change:
        async with asyncio.timeout(20):
            while len(found := [c for c in self.told if c.state == state]) < times:
                self._more.clear()
                await self._more.wait()
        return found[times - 1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    (tmp_path / "logs").mkdir()
    return tmp_path


def pid_in(path: Path) -> int:
    return int(path.read_text())


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_part_is_up_once_it_says_so_with_its_status(folder: Path) -> None:
    story = Story()
    async with Supervisor([part("toy", READY + "signal.pause()")], ENV, folder, story) as supervisor:
        assert await supervisor.settled(20) == []
    assert story.told[0][:3] == ("toy", "up", "2 fields")
    assert 0 < story.told[0].seconds < 20


async def test_part_with_a_port_is_up_once_the_port_accepts(folder: Path) -> None:
    story = Story()
    with socket.create_server(("127.0.0.1", 0)) as free:
        free_port = free.getsockname()[1]
    listen = f"import socket, signal; s = socket.create_server(('127.0.0.1', {free_port})); signal.pause()"
    toy = Part("toy", (sys.executable, "-c", listen), 0, ("127.0.0.1", free_port))
    async with Supervisor([toy], ENV, folder, story) as supervisor:
        assert await supervisor.settled(20) == []


async def test_killed_part_is_started_again_one_line_per_change(folder: Path) -> None:
    story = Story()
    script = f"import os; open({str(folder / 'pid')!r}, 'w').write(str(os.getpid()))\n{READY}signal.pause()"
    async with Supervisor([part("toy", script)], ENV, folder, story):
        await story.until("up")
        os.kill(pid_in(folder / "pid"), signal.SIGKILL)
        await story.until("up", 2)
    assert [c.state for c in story.told] == ["up", "down", "up"]
    assert story.told[1].text == "ended by SIGKILL"


async def test_part_that_keeps_dying_is_started_again_ever_later_told_once_and_holds_up_nobody(folder: Path) -> None:
    story, starts = Story(), folder / "starts"
    script = f"import time; print(time.time(), file=open({str(starts)!r}, 'a')); raise SystemExit('no such device')"
    async with Supervisor([part("toy", script)], ENV, folder, story) as supervisor:
        assert await supervisor.settled(20) == ["toy"]
    first, second, third = map(float, starts.read_text().split())
    assert 0.2 <= second - first < third - second
    assert story.told == [Change("toy", "down", "ended with exit code 1: no such device", 0.2)]


async def test_nobody_is_waited_for_once_a_needed_part_has_failed(folder: Path) -> None:
    needed = part("router", "raise SystemExit('no such port')", 0)._replace(needed=True)
    async with Supervisor([needed, part("node", "import signal; signal.pause()")], ENV, folder, Story()) as supervisor:
        assert await supervisor.settled(30) == ["router", "node"]
        assert supervisor.hopeless() == ["router"]


async def test_part_that_cannot_be_started_is_told_once_and_tried_again_until_it_can(folder: Path) -> None:
    story, program = Story(), folder / "program"
    absent = Part("absent", (str(program),))
    async with Supervisor([part("toy", READY + "signal.pause()"), absent], ENV, folder, story) as supervisor:
        assert await supervisor.settled(20) == ["absent"]
        down = await story.until("down")
        assert (down.part, down.seconds) == ("absent", 0.2)
        assert re.fullmatch(f"cannot be started: .*No such file or directory: '{program}'", down.text)
        assert story.told.count(down) == 1
        written = folder / "new"
        written.write_text(f"#!{sys.executable}\n{READY}signal.pause()")
        written.chmod(0o700)
        written.rename(program)
        await story.until("up", 2)
        assert supervisor.missing() == []


async def test_a_start_that_fails_leaves_no_file_open(folder: Path) -> None:
    log = Log(folder / "toy.log")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        with pytest.raises(FileNotFoundError):
            Process(("/nowhere",), ENV, log)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    log.close()


@pytest.mark.parametrize("code", [Exit.USAGE, Exit.NAME_TAKEN])
async def test_part_for_which_another_try_is_no_use_is_held_and_its_sentence_told(folder: Path, code: Exit) -> None:
    story = Story()
    script = f"import sys; print('the name is taken', file=sys.stderr); raise SystemExit({int(code)})"
    async with Supervisor([part("toy", script)], ENV, folder, story) as supervisor:
        assert await supervisor.settled(20) == ["toy"]
    assert story.told == [Change("toy", "held", "the name is taken", 30.0)]


async def test_parts_are_stopped_last_wave_first(folder: Path) -> None:
    order = folder / "order"
    script = (
        "import signal, sys; from sisock.notify import ready\n"
        "def end(*_):\n"
        f"    open({str(order)!r}, 'a').write(sys.argv[1]); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); ready()\nwhile True: signal.pause()"
    )
    parts = [Part(n, (sys.executable, "-c", script, n), wave) for wave, n in enumerate("rhn")]
    async with Supervisor(parts, ENV, folder, Story()) as supervisor:
        await supervisor.settled(20)
    assert order.read_text() == "nhr"


async def test_part_that_will_not_end_is_killed_with_all_it_started(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sisock.supervisor.supervise.GRACE", 0.3)
    pids = folder / "pids"
    script = (
        "import signal, os; from sisock.notify import ready\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork()\n"
        f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}} '); ready()\nwhile True: signal.pause()"
    )
    async with Supervisor([part("toy", script)], ENV, folder, Story()) as supervisor:
        await supervisor.settled(20)
    await asyncio.to_thread(wait_for, lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))


async def test_what_a_dead_part_started_does_not_survive_it(folder: Path) -> None:
    story, pids = Story(), folder / "pids"
    script = READY + (
        "child = os.fork()\n"
        "if child == 0:\n    while True: signal.pause()\n"
        f"open({str(pids)!r}, 'a').write(f'{{child}} '); os.kill(os.getpid(), 9)"
    )
    async with Supervisor([part("toy", script)], ENV, folder, story):
        await story.until("down")
        first = int(pids.read_text().split()[0])
        await asyncio.to_thread(wait_for, lambda: not alive(first))


def test_parts_end_when_the_supervisor_is_killed(folder: Path) -> None:
    pid = folder / "pid"
    toy = (
        READY
        + f"open({str(pid)!r}, 'w').write(str(os.getpid())); print('x'); os.rename({str(pid)!r}, {str(pid)!r} + '2')\nsignal.pause()"
    )
    script = (
        "import asyncio, sys; from pathlib import Path; from sisock.supervisor import *\n"
        "async def run():\n"
        f"    toy = Part('toy', (sys.executable, '-c', {toy!r}))\n"
        f"    async with Supervisor([toy], {dict(ENV)!r}, Path({str(folder)!r}), print) as s:\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(run())"
    )
    running = subprocess.Popen([sys.executable, "-c", script], env=ENV, stdout=subprocess.DEVNULL)
    written = folder / "pid2"
    wait_for(written.exists)
    toy_pid = pid_in(written)
    assert alive(toy_pid)
    running.kill()
    running.wait(10)
    wait_for(lambda: not alive(toy_pid))


def wait_for(true) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_log_never_takes_more_than_twice_its_limit(tmp_path: Path) -> None:
    log = Log(tmp_path / "toy.log", limit=1000)
    for n in range(1000):
        log.write(b"line %d\n" % n)
    log.write(b"x" * 5000 + b"\n")
    log.write(b"the end\n\n")
    log.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2000
    assert log.last == "the end"
    assert re.search(r"the end\n\n$", (tmp_path / "toy.log").read_text())


def test_what_a_part_left_behind_ends_as_the_state_directory_is_given_free(tmp_path: Path) -> None:
    with held(tmp_path / "state"):
        env = {**ENV, "NOTIFY_SOCKET": str(tmp_path / "state" / "run" / "toy")}
        daemon = subprocess.Popen(["sleep", "600"], env=env, start_new_session=True)
        assert daemon.poll() is None
    assert daemon.wait(20) == -signal.SIGKILL
