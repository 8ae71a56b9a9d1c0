"""`sisock up` as a person meets it: real processes on free ports, killed, stopped, started twice."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sisock.cli import main
from sisock.exits import Exit
from sisock.testing.router import free_port
from tests.demo import WAVE, Up, all_gone, environment, healed, open_port, sisock, wait_for


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    encrypted = ("--tls-port", str(free_port()))
    running = Up(folder, *encrypted, nodes=f"{folder}/wave.py,host,weather", SISOCK_TLS_INTERFACE="127.0.0.1")
    yield running.until_ready()
    assert running.interrupt() == Exit.OK


def test_a_line_for_each_part_then_ready_then_addresses_and_nothing_alarming(up: Up) -> None:
    lines = up.told.splitlines()
    ready = next(number for number, line in enumerate(lines) if line.startswith("ready"))
    assert {line.split()[0] for line in lines[:ready]} == {"router", "hub", "bridge", "wave", "host", "weather"}
    assert all(re.fullmatch(r"\S+ +.* \d+\.\d s", line) for line in lines[:ready])
    assert f"http://127.0.0.1:{up.router_port}/#token=" in up.told
    assert f"http://127.0.0.1:{up.bridge_port}" in up.told
    assert not re.search(r"error|warn|fail|traceback|exception|refused", up.told, re.IGNORECASE)
    assert up.state.stat().st_mode & 0o777 == 0o700


def test_nothing_of_it_listens_beyond_this_machine(up: Up) -> None:
    parts = psutil.Process(up.process.pid).children(recursive=True)
    listening = {
        (part.name(), each.laddr.ip, each.laddr.port)
        for part in parts
        for each in part.net_connections("inet")
        if each.status == psutil.CONN_LISTEN
    }
    assert {up.router_port, up.bridge_port} <= {port for _, _, port in listening}
    assert {ip for _, ip, _ in listening} == {"127.0.0.1"}, listening


def test_what_it_started_can_be_listed_and_asked(up: Up) -> None:
    assert up.works()
    assert re.search(r"^wave +up .* #pier$", sisock(up.state, "ls").stdout, re.MULTILINE)
    assert "wave::level" in sisock(up.state, "ls", "wave").stdout
    timelines = json.loads(sisock(up.state, "ls", "weather", "--json").stdout)["weather"]["timelines"]
    assert all(timeline["interval"] > 0 for name, timeline in timelines.items() if name != "health")
    tail = sisock(up.state, "tail", "wave::level", "--json", "--count", "3")
    assert [json.loads(line)["target"] for line in tail.stdout.splitlines()] == ["wave::level"] * 3
    bins = sisock(up.state, "tail", "wave::level", "--bin", "500ms", "--last", "3s", "--json", "--count", "9")
    lines = [json.loads(line) for line in bins.stdout.splitlines()]
    assert {line["target"] for line in lines} == {"wave::level", "wave::level::min", "wave::level::max"}
    assert len({(line["time"], line["target"]) for line in lines}) == 9
    assert "wave::level (m)" in sisock(up.state, "plot", "wave::level", "--last", "10s").stdout


def examples(*commands: str) -> list[str]:
    """The examples in the help of commands, as they are typed."""
    return [
        line.strip()
        for name in commands
        for line in (main.commands[name].help or "").splitlines()
        if " sisock " in line
    ]


@pytest.mark.parametrize("example", examples("ls", "get", "tail", "plot", "link", "invite", "settings", "doctor"))
def test_examples_of_the_help_work_as_they_stand(up: Up, tmp_path: Path, example: str) -> None:
    command = example.replace("sisock", f"{sys.executable} -m sisock", 1).partition("|")[0]
    if example.startswith("sisock tail") and "--count" not in example:
        command += " --count 2"
    ended = subprocess.run(
        command,
        shell=True,
        cwd=tmp_path,
        env=environment(up.state),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    written = [path.read_bytes() for path in tmp_path.iterdir()]
    assert ended.returncode == Exit.OK, ended.stderr
    assert ended.stdout or any(written)


@pytest.mark.parametrize("command", ["get", "plot"])
def test_where_there_are_samples_is_told_to_who_asked_for_another_time(up: Up, command: str) -> None:
    told = "weather has samples from 2012-01-01 00:00:00 UTC to 2015-12-31 00:00:00 UTC: ask by --last all, or --start"
    ended = sisock(up.state, command, "weather::seattle/temp_max")
    assert (ended.returncode, told in ended.stdout + ended.stderr) == (Exit.OK, True), ended
    assert "has samples" not in sisock(up.state, command, "weather::seattle/temp_max", "--last", "all").stderr


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("sisock ls wea", "sisock ls weather "),
        ("sisock get wave::le", "sisock get wave::level "),
        ("sisock get host::load/1 wave::le", "sisock get host::load/1 wave::level "),
        ("sisock plot wave::l", "sisock plot wave::level "),
        ("sisock plot weather::sea", "sisock plot weather::seattle/"),
        ("sisock tail --last 1m wave::health.st", "sisock tail --last 1m wave::health.state "),
        ("sisock at 2017-07-14T00:00Z wave::le", "sisock at 2017-07-14T00:00Z wave::level "),
        ("sisock at now wav", "sisock at now wave"),
        ("sisock export hos", "sisock export host"),
        ("sisock plot host::hea", "sisock plot host::health."),
        ("COMP_WORDBREAKS=${COMP_WORDBREAKS//:}\nsisock get wave::le", "sisock get wave::level "),
        ("sisock get no-such::x", "sisock get no-such::x"),
    ],
)
def test_bash_completes_nodes_and_their_fields(up: Up, tmp_path: Path, typed: str, line: str) -> None:
    program = tmp_path / "sisock"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m sisock "$@"\n')
    program.chmod(0o755)
    where = environment(up.state, PATH=f"{tmp_path}:{os.environ['PATH']}")
    made = [typed_in_bash(typed, where)]
    while made[-1] != line and len(made) < 3:  # a busy machine may need more than the second there is: press again
        made.append(typed_in_bash(typed, where))
    assert made[-1] == line


def typed_in_bash(typed: str, env: dict[str, str]) -> str:
    """The line that bash makes of one that is typed, once the tab key was pressed."""
    ours, its = os.openpty()
    start = 'eval "$(sisock completion bash)"; bind "set bell-style none"; PS1="READY:"'
    with subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"], stdin=its, stdout=its, stderr=its, env={**env, "TERM": "dumb"}, start_new_session=True
    ) as bash:  # fmt: skip
        os.close(its)
        seen = said(ours, f"{start}\n", r"READY:$")
        *before, last = typed.split("\n")
        for each in before:
            seen = said(ours, f"{each}\n", r"\nREADY:$")
        seen = said(ours, f'{last}\t\x01printf "<%s>" "\x05"\n', r"<[^%<>]*>")
        bash.kill()
    os.close(ours)
    return re.findall(r"<([^%<>]*)>", seen)[-1]


def said(terminal: int, typed: str, until: str) -> str:
    """What a terminal shows after this was typed, until that is seen."""
    os.write(terminal, typed.encode())
    seen = ""
    while not re.search(until, seen):
        assert select.select([terminal], [], [], 30)[0], seen
        seen += os.read(terminal, 65536).decode(errors="replace").replace("\r", "")
    return seen


def test_exit_codes_tell_what_is_not_there(up: Up) -> None:
    for arguments, code in (
        (("get", "wave::nothing"), Exit.UNKNOWN),
        (("get", "nobody::level"), Exit.UNKNOWN),
        (("tail", "wave::nothing"), Exit.UNKNOWN),
        (("ls", "nobody"), Exit.UNKNOWN),
        (("plot", "wave"), Exit.USAGE),
    ):
        ended = sisock(up.state, *arguments)
        assert (ended.returncode, len(ended.stderr.splitlines())) == (code, 1), ended


@pytest.mark.parametrize("part", ["router", "worker", "hub", "bridge", "wave"])
def test_killed_part_is_healed_in_time(up: Up, part: str) -> None:
    before = len(up.told)
    os.kill(up.worker() if part == "worker" else up.pid(part), signal.SIGKILL)
    told = "router" if part == "worker" else part  # a router without its worker ends, too
    wait_for(lambda: re.search(rf"^{told} .*ended.*\n{told} ", up.told[before:], re.MULTILINE) is not None, 30)
    assert healed(up)
    assert up.told[before:].count("\n") == 2  # one line when it went, one when it was back


@pytest.mark.parametrize("part", ["router", "worker", "hub", "bridge", "wave"])
def test_stopped_part_is_healed_in_time_once_it_goes_on(up: Up, part: str) -> None:
    victim = up.worker() if part == "worker" else up.pid(part)
    os.kill(victim, signal.SIGSTOP)
    time.sleep(3)  # longer than pings are waited for: the fault itself, not a wait for something
    os.kill(victim, signal.SIGCONT)
    assert healed(up)


def test_second_one_on_the_same_state_directory_is_refused_with_a_sentence(up: Up) -> None:
    second = sisock(up.state, "up")
    assert second.returncode == Exit.ERROR
    assert second.stderr == (
        f"sisock: `sisock up` already runs on {up.state} (process {up.process.pid}): stop it, or choose another --state\n"
    )


def test_taken_port_is_told_before_anything_starts(up: Up, tmp_path: Path) -> None:
    for option, port in (("--router-port", up.router_port), ("--bridge-port", up.bridge_port)):
        ended = sisock(tmp_path / "state", "up", option, str(port))
        assert (ended.returncode, ended.stdout) == (Exit.ERROR, "")
        assert re.fullmatch(rf"sisock: the port 127\.0\.0\.1:{port} is taken: .* {option}\n", ended.stderr)
        assert not (tmp_path / "state" / "keys").exists()


def test_node_of_a_taken_name_ends_with_its_own_exit_code(up: Up) -> None:
    ended = sisock(up.state, "node", str(up.log.parent / "wave.py"))
    assert ended.returncode == Exit.NAME_TAKEN
    assert "already has a data node called 'wave'" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_two_run_side_by_side_and_ctrl_c_ends_one_wholly(up: Up, tmp_path: Path) -> None:
    second = Up(tmp_path).until_ready()
    assert up.works()
    assert second.works()
    processes = second.processes()
    assert second.interrupt() == Exit.OK
    assert all_gone(processes)
    assert not open_port(second.router_port)
    assert up.works()
    without = sisock(second.state, "ls", SISOCK_ROUTER_PORT=str(second.router_port))
    assert without.returncode == Exit.NO_ANSWER
    assert without.stderr.startswith("sisock: no router at ")


def test_nothing_outlives_a_killed_supervisor_and_the_next_start_works(tmp_path: Path) -> None:
    first = Up(tmp_path).until_ready()
    processes = first.processes()
    os.kill(first.worker(), signal.SIGSTOP)  # what cannot notice is ended by the next start
    first.process.kill()
    first.process.wait(10)
    again = Up(tmp_path).until_ready()
    try:
        assert all_gone(processes)
        assert healed(again)
    finally:
        assert again.interrupt() == Exit.OK


def test_ctrl_c_while_starting_ends_everything_and_a_terminal_shows_what_is_awaited(tmp_path: Path) -> None:
    (tmp_path / "wave.py").write_text(WAVE)
    ours, theirs = pty.openpty()
    options = (
        "--router-port",
        str(free_port()),
        "--bridge-port",
        str(free_port()),
        "--nodes",
        str(tmp_path / "wave.py"),
    )
    argv = [sys.executable, "-m", "sisock", "up", *options]
    process = subprocess.Popen(argv, env=environment(tmp_path / "state"), stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while b"waiting for" not in shown:
        shown += os.read(ours, 4096)
    processes = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == Exit.OK
    os.close(ours)
    assert all_gone(processes)


def test_unknown_node_is_told_before_anything_starts(tmp_path: Path) -> None:
    ports = ("--router-port", str(free_port()), "--bridge-port", str(free_port()))
    ended = sisock(tmp_path / "state", "up", *ports, "--nodes", "nonsense")
    assert (ended.returncode, ended.stdout) == (Exit.USAGE, "")
    assert ended.stderr.startswith(
        "sisock: no data node is called 'nonsense': there are coap, files, host, kafka_replay, lsof, ocs_feeds, recorder, sensors, weather"
    )


def test_node_files_that_cannot_be_loaded_are_told_by_line_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1\ndef (\n")
    (tmp_path / "ends.py").write_text("import sys\nsys.exit(0)\n")
    nodes = ",".join(str(tmp_path / name) for name in ("broken.py", "ends.py", "wave.py"))
    up = Up(tmp_path, "--interface", "0.0.0.0", nodes=nodes, SISOCK_PLAINTEXT="true").until_ready()
    code = up.interrupt()
    assert re.search(
        rf"^broken +waits.*{tmp_path}/broken.py, line 2: cannot be loaded: SyntaxError", up.told, re.MULTILINE
    )
    assert re.search(
        rf"^ends +waits.*{tmp_path}/ends.py, line 2: cannot be loaded: SystemExit: 0", up.told, re.MULTILINE
    )
    assert re.search(r"^wave +.* \d+\.\d s$", up.told, re.MULTILINE)
    assert "Grafana " not in up.told, "the bridge needs a token beyond loopback: it is not there"
    assert code == Exit.OK


def test_beyond_loopback_it_says_nothing_in_the_clear(tmp_path: Path) -> None:
    up = Up(tmp_path, "--interface", "0.0.0.0")
    assert up.process.wait(60) == Exit.ERROR
    assert "the router does not start: router: whoever listens on the way could read" in up.told
    assert "for other machines give --tls-port 8443 instead of --interface" in up.told


def test_with_a_tls_port_it_prints_an_address_for_other_machines(tmp_path: Path) -> None:
    port = free_port()
    up = Up(tmp_path, "--tls-port", str(port), SISOCK_TLS_INTERFACE="127.0.0.1").until_ready()
    assert re.search(rf"^  elsewhere https://127\.0\.0\.1:{port}/#token=\S+$", up.told, re.MULTILINE)
    shown = sisock(up.state, "ca", "show")
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["fingerprint", "ok", "ok", "ok"]
    assert up.interrupt() == Exit.OK
