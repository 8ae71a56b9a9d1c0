"""Commands: what they print, and what is left of them when they misbehave."""

import asyncio
import os
import re
import sys
import threading
import tracemalloc
from pathlib import Path

import psutil
import pytest

from sisock.frames import Query
from sisock.nodes import CommandNode
from sisock.nodes.command import CommandError, run_command
from sisock.times import FIRST, LAST


def shell(script):
    return ("sh", "-c", script)


async def test_what_a_command_prints_comes_back():
    assert await run_command(shell("printf 'a b'; printf c >&2")) == "a b"


async def test_arguments_reach_the_command_without_a_shell():
    assert await run_command(("printf", "%s|", "$HOME", "a b", "*", "; rm -rf /")) == "$HOME|a b|*|; rm -rf /|"


async def test_a_missing_command_is_told_with_its_cure():
    with pytest.raises(CommandError, match=r"'no-such-thing' is not installed \(or not in PATH\): apt-get install it"):
        await run_command(("no-such-thing",), cure="apt-get install it")


async def test_a_file_that_cannot_be_executed_is_told(tmp_path: Path):
    (tmp_path / "script").write_text("not executable")
    with pytest.raises(CommandError, match=r"cannot be run: Permission denied"):
        await run_command((str(tmp_path / "script"),))


async def test_exit_code_and_complaint_are_told():
    with pytest.raises(CommandError, match=r"^'sh' ended with exit code 3: no chip found$"):
        await run_command(shell("echo no  chip; echo 'no  chip\nfound' >&2; exit 3"))


async def test_a_long_complaint_is_cut():
    with pytest.raises(CommandError) as failure:
        await run_command(shell("yes complaint | head -c 100000 >&2; exit 1"))
    assert len(str(failure.value)) < 300


async def test_a_command_that_dies_of_a_signal_is_told():
    with pytest.raises(CommandError, match="exit code -9"):
        await run_command(shell("kill -9 $$"))


async def test_other_exit_codes_may_be_accepted():
    assert await run_command(shell("echo ok; exit 1"), exits=(0, 1)) == "ok\n"


async def test_bytes_that_are_no_text_are_marked():
    assert await run_command(shell(r"printf 'a\377\0b'")) == "a\ufffd\0b"


async def test_a_command_has_nothing_to_read_from():
    assert await run_command(("cat",)) == ""


# what misbehaves

CHILDREN = r"""
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"],
    stdout=subprocess.PIPE)
child.stdout.readline()
open(sys.argv[1], "w").write(f"{os.getpid()} {child.pid}")
if sys.argv[2] == "flood":
    while True:
        print("x" * 65536)
elif sys.argv[2] == "hang":
    time.sleep(600)
"""


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    """A pipe into which a command writes who it is and who its children are."""
    os.mkfifo(tmp_path / "pids")
    return tmp_path / "pids"


def gone(pids: str) -> bool:
    """True if none of the processes runs any more."""
    processes = [psutil.Process(int(pid)) for pid in pids.split() if psutil.pid_exists(int(pid))]
    _, alive = psutil.wait_procs([each for each in processes if each.status() != psutil.STATUS_ZOMBIE], timeout=10)
    return not alive


async def test_a_command_that_hangs_is_killed_with_children_that_ignore_sigterm(pids: Path):
    attempt = asyncio.ensure_future(run_command((sys.executable, "-c", CHILDREN, str(pids), "hang"), timeout=600))
    noted = await asyncio.to_thread(pids.read_text)
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert gone(noted)


async def test_a_command_that_takes_too_long_is_killed_and_told():
    with pytest.raises(CommandError, match=r"'sleep' did not end within 0.1 s and was stopped"):
        await run_command(("sleep", "600"), timeout=0.1)


async def test_a_flood_is_stopped_at_its_limit_with_the_children(pids: Path):
    noted = asyncio.ensure_future(asyncio.to_thread(pids.read_text))
    tracemalloc.start()
    try:
        with pytest.raises(CommandError, match=r"printed more than 1000000 bytes and was stopped"):
            await run_command((sys.executable, "-c", CHILDREN, str(pids), "flood"), timeout=60, max_output=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000
    assert gone(await noted)


async def test_a_flood_of_complaints_is_stopped_too():
    with pytest.raises(CommandError, match=r"printed more than 100000 bytes"):
        await run_command(shell("yes >&2"), timeout=60, max_output=100_000)


async def test_a_child_that_outlives_its_command_and_keeps_the_output_open_is_killed(pids: Path):
    noted = asyncio.ensure_future(asyncio.to_thread(pids.read_text))
    with pytest.raises(CommandError, match="did not end within"):
        await run_command(shell(f"sleep 600 & echo $! > {pids}; exit 0"), timeout=0.5)
    assert gone(await noted)


async def test_a_child_that_left_for_a_session_of_its_own_keeps_nobody_waiting(pids: Path):
    noted = asyncio.ensure_future(asyncio.to_thread(pids.read_text))
    script = f"setsid sh -c 'echo $$ > {pids}; exec sleep 600' & exit 0"
    with pytest.raises(CommandError, match="did not end within"):
        await asyncio.wait_for(run_command(shell(script), timeout=0.5), 30)
    assert gone(await noted)


@pytest.mark.parametrize("code", [0, 1])
async def test_a_child_that_became_a_daemon_ends_with_its_command_however_that_ended(pids: Path, code: int):
    daemon = f"echo $$ > {pids}; exec sleep 600"
    script = f"setsid sh -c '{daemon}' </dev/null >/dev/null 2>&1 & cat {pids}; exit {code}"
    noted = await run_command(shell(script), exits=(0, 1))
    assert int(noted) > 0
    assert gone(noted)


async def test_no_file_is_left_open():
    async def all_ways():
        for argv in (("true",), ("false",), ("no-such-thing",), shell("yes"), ("sleep", "600")):
            try:
                await run_command(argv, timeout=0.1, max_output=1000)
            except CommandError:
                continue

    await all_ways()
    await asyncio.sleep(0)
    before = psutil.Process().num_fds()
    await all_ways()
    await asyncio.sleep(0)
    assert psutil.Process().num_fds() <= before


# nodes


class Words(CommandNode):
    """Count the words of a command."""

    argv = ("echo", "three little words")
    interval = 0.01

    def parse(self, output):
        return {"words": len(output.split())}


async def first_state(node):
    """The first health that a node at work tells."""
    told = asyncio.get_running_loop().create_future()

    def publish(frame):
        if frame.timeline == "health" and not told.done():
            told.set_result({name: column.values.tolist()[0] for name, column in frame.columns.items()})

    service = node.service()
    running = asyncio.ensure_future(service.run(publish))
    try:
        return service, await asyncio.wait_for(told, 30)
    finally:
        running.cancel()


async def test_a_command_node_measures_what_its_parser_finds():
    service, health = await first_state(Words())
    answer = await service.get_data(Query(("words",), FIRST, LAST))
    assert answer.series("words")[1].values.tolist()[0] == 3
    assert (health["health.state"], service.kind) == ("ok", "command")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("no-such-thing",), "'no-such-thing' is not installed"),
        (("false",), "exit code 1"),
        (("yes",), "more than 1000 bytes"),
    ],
)
async def test_a_command_that_fails_is_the_health_of_its_node(argv, said):
    node = Words()
    node.argv, node.max_output = argv, 1000
    _, health = await first_state(node)
    assert health["health.state"] == "failed"
    assert said in health["health.error"]


async def test_a_parser_that_fails_is_the_health_of_its_node():
    class Odd(Words):
        def parse(self, output):
            return output.index("not there")

    _, health = await first_state(Odd())
    assert re.fullmatch(r"ValueError: substring not found \(test_command\.py:\d+\)", health["health.error"])


async def test_a_command_slower_than_a_sample_may_be_is_no_failure_within_its_timeout():
    node = Words()
    node.timeout = 8.0
    assert node.service()._patience > 8.0


@pytest.mark.parametrize("timeout", [0, -1, "10", None])
def test_a_timeout_that_is_none_is_refused(timeout):
    node = Words()
    node.timeout = timeout
    with pytest.raises(ValueError, match="timeout is .*: give seconds, above 0"):
        node.service()


@pytest.mark.parametrize("argv", [(), "lsof -F0", ("sleep", 5), None])
def test_an_argv_that_is_none_is_refused_with_an_example(argv):
    node = Words()
    node.argv = argv
    with pytest.raises(TypeError, match=r"argv is .*: give program and arguments, as in \('sensors', '-j'\)"):
        node.service()


async def test_a_parser_that_hangs_keeps_no_other_node_waiting():
    hanging, release = threading.Event(), threading.Event()

    class Hanging(Words):
        def parse(self, output):
            hanging.set()
            release.wait(60)

    stuck = asyncio.ensure_future(Hanging().service().run(lambda frame: None))
    try:
        assert await asyncio.to_thread(hanging.wait, 30)
        _, health = await first_state(Words())
        assert health["health.state"] == "ok"
    finally:
        stuck.cancel()
        release.set()
