"""What Grafana is given by real nodes at a real router: files that follow them, and samples as they come."""

import json
import signal
import time
from pathlib import Path

import pytest
import yaml

from sisock.exits import Exit
from tests.demo import sisock
from tests.fleet import ARCHIVE, COUNTER, running_fleet
from tests.live import TOKEN, serving

SECRET = '''
from sisock.nodes import LiveNode

class Secret(LiveNode):
    """What few may see."""

    sensitive = True
    interval = 0.2

    def sample(self):
        return {"hidden": 1}
'''


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory):
    with running_fleet(tmp_path_factory.mktemp("fleet"), {"provision": "consumer"}) as running:
        for name, code in (("counter", COUNTER), ("archive", ARCHIVE), ("secret", SECRET)):
            running.node(name, code)
        wait_for(lambda: _up(running) >= {"counter", "archive", "secret"})
        yield running


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "grafana.token"
    path.write_text(TOKEN)
    return path


def wait_for(what, seconds: float = 40.0) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def ask(fleet, *arguments: str):
    return sisock(fleet.settings.state, *arguments, SISOCK_ROUTER=fleet.settings.url)


def _up(fleet) -> set[str]:
    ended = ask(fleet, "ls", "--json")
    return {each["name"] for each in json.loads(ended.stdout or "[]") if each["state"] == "up"}


# files


def test_a_fleet_becomes_files_and_twice_the_same(fleet, tmp_path: Path, token: Path):
    folder = tmp_path / "provisioning"
    command = ("grafana", "provision", str(folder), "--token-file", str(token))
    first = ask(fleet, *command)
    assert first.returncode == Exit.OK, first.stderr
    made = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert set(made) == {
        "alerting/sisock.yaml",
        "dashboards/sisock-bridge.json",
        "dashboards/sisock-fleet.json",
        "dashboards/sisock-node-archive.json",
        "dashboards/sisock-node-counter.json",
        "dashboards/sisock.yaml",
        "datasources/sisock.yaml",
    }
    assert not any(TOKEN.encode() in content for content in made.values())
    (source,) = yaml.safe_load(made["datasources/sisock.yaml"])["datasources"]
    assert source["secureJsonData"]["httpHeaderValue1"] == f"Bearer $__file{{{token}}}"
    archive = json.loads(made["dashboards/sisock-node-archive.json"])
    assert archive["time"] == {"from": "2017-07-14T00:00:00.000Z", "to": "2017-07-26T00:00:00.000Z"}
    assert any(panel["title"] == "sine" for panel in archive["panels"])

    again = ask(fleet, *command)
    assert again.stdout == f"{folder} has what Grafana reads at its start\n"
    assert {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == made


def test_sensitive_nodes_have_a_dashboard_only_where_that_is_wanted(fleet, tmp_path: Path):
    ended = ask(fleet, "grafana", "provision", str(tmp_path), "--sensitive", "--door", "simplejson")
    assert "written: dashboards/sisock-node-secret.json" in ended.stdout
    assert not (tmp_path / "alerting").exists()
    fleet_page, page = (tmp_path / "dashboards" / f"sisock-{name}.json" for name in ("fleet", "node-secret"))
    edited = page.read_text().replace("sisock: secret", "mine")
    ended = ask(fleet, "grafana", "provision", str(tmp_path), "--door", "simplejson")
    assert "removed: dashboards/sisock-node-secret.json" in ended.stdout
    assert not page.exists()
    assert "secret" not in fleet_page.read_text()
    page.write_text(edited)
    ended = ask(fleet, "grafana", "provision", str(tmp_path), "--door", "simplejson")
    assert f"{page} is of a sensitive node and stays, as it was edited: delete it" in ended.stderr
    assert page.read_text() == edited


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--bridge", "bridge:5000"), "write http://HOST:PORT"),
        (("--bridge", "http://u:p@bridge:5000"), "write http://HOST:PORT"),
        (("--secret-path", "/a", "--secret-variable", "B"), "give one of"),
        (("--secret-path", "a"), "give an absolute one"),
        (("--principal", "../x"), "cannot name"),
    ],
)
def test_options_that_make_no_sense_are_refused(fleet, tmp_path: Path, options: tuple[str, ...], sentence: str):
    ended = ask(fleet, "grafana", "provision", str(tmp_path / "none"), *options)
    assert ended.returncode == Exit.USAGE
    assert sentence in ended.stderr
    assert not (tmp_path / "none").exists()


def test_watched_files_follow_nodes_that_come_and_keep_those_that_go(fleet, tmp_path: Path):
    folder = tmp_path / "provisioning"
    edited, late = (folder / "dashboards" / f"sisock-node-{name}.json" for name in ("counter", "late"))
    command = ("-m", "sisock", "grafana", "provision", str(folder), "--watch", "--principal", "provision")
    watch = fleet.run("provision", *command)
    try:
        wait_for((folder / "datasources" / "sisock.yaml").exists)
        edited.write_text(edited.read_text().replace("sisock: counter", "mine"))
        fleet.node("late", COUNTER.replace("class Counter", "class Late"))
        wait_for(late.exists)
        made = late.read_bytes()
        assert json.loads(made)["uid"] == "sisock-node-late"
        wait_for(lambda: "sisock-silent-late" in (folder / "alerting" / "sisock.yaml").read_text())
        fleet.kill("late", signal.SIGTERM)
        fleet.node("later", COUNTER.replace("class Counter", "class Later"))
        wait_for((folder / "dashboards" / "sisock-node-later.json").exists)
        assert late.read_bytes() == made
        assert "mine" in edited.read_text()
    finally:
        fleet.kill("provision", signal.SIGTERM)
        fleet.kill("later", signal.SIGTERM)
    assert watch.returncode == -signal.SIGTERM
    told = fleet.log("provision").read_text()
    assert told.count(f"{edited} was edited and stays as it is") == 1


# samples


def test_each_sample_comes_to_grafana_through_an_outage(fleet, token: Path):
    with serving() as grafana:
        url = f"http://127.0.0.1:{grafana.port}"
        command = ("grafana", "push", url, "counter", "--token-file", str(token), "--tag", "site=lab 1")
        fleet.run("push", "-m", "sisock", *command)
        try:
            grafana.wait(lambda: len(grafana.lines) > 5)
            grafana.failing = [500, "cut", 401]
            so_far = len(grafana.lines)
            grafana.wait(lambda: not grafana.failing and len(grafana.lines) > so_far + 20)
        finally:
            fleet.kill("push", signal.SIGINT)
            fleet.processes["push"].wait(20)
    assert {push.path for push in grafana.pushes} == {"/api/live/push/sisock"}
    rows = [line.split(" ") for line in grafana.lines]
    assert all(row[0] == "counter/samples,site=lab\\" and row[1] == "1" for row in rows)
    fields = [dict(pair.split("=") for pair in row[2].split(",")) for row in rows]
    counts = [int(each["count"].removesuffix("i")) for each in fields]
    assert counts == list(range(counts[0], counts[0] + len(counts)))
    assert all(
        each["parity"] == ('"odd"' if count % 2 else '"even"') for each, count in zip(fields, counts, strict=True)
    )
    assert all(each["big"] == ("true" if count > 5 else "false") for each, count in zip(fields, counts, strict=True))
    times = [int(row[3]) for row in rows]
    assert times == sorted(set(times))
    told = fleet.log("push").read_text()
    assert "does not know the token" in told or "answers 500" in told
    assert TOKEN not in told
    assert "were taken, 0 were dropped" in told
    assert fleet.processes["push"].returncode == Exit.INTERRUPTED


def test_at_most_one_sample_every_so_often_and_only_the_chosen_fields_of_nodes_that_come_later_too(fleet, token: Path):
    with serving() as grafana:
        url = f"http://127.0.0.1:{grafana.port}"
        command = (
            "grafana",
            "push",
            url,
            "*::count",
            "--token-file",
            str(token),
            "--every",
            "500ms",
            "--stream",
            "lab",
        )
        fleet.run("pace", "-m", "sisock", *command)
        try:
            grafana.wait(lambda: len(grafana.lines) >= 2)
            fleet.node("newcomer", COUNTER.replace("class Counter", "class Newcomer"))
            grafana.wait(lambda: sum("newcomer/" in line for line in grafana.lines) >= 2, 40)
        finally:
            fleet.kill("pace", signal.SIGTERM)
            fleet.kill("newcomer", signal.SIGTERM)
    assert {line.split("=")[0] for line in grafana.lines} == {"counter/samples count", "newcomer/samples count"}
    counts = [int(line.split("=")[1].split("i")[0]) for line in grafana.lines if line.startswith("counter")]
    assert sum(counts[at + 1] - counts[at] for at in range(len(counts) - 1)) >= 3 * (len(counts) - 1)


def test_once_sends_the_newest_sample_of_each_field_and_says_what_grafana_said(fleet, token: Path):
    with serving() as grafana:
        command = ("grafana", "push", f"http://127.0.0.1:{grafana.port}", "--token-file", str(token), "--once")
        done = ask(fleet, *command, "archive", "counter::count")
        assert (done.returncode, done.stdout) == (Exit.OK, "2 lines were taken\n"), done.stderr
        assert sorted(line.split(" ")[0] for line in grafana.lines) == ["archive/seconds", "counter/samples"]
        assert f'label="099" {(1_500_000_000 + 999_999) * 10**9}' in "\n".join(grafana.lines)
        grafana.always = 404
        refused = ask(fleet, *command)
        assert refused.returncode == Exit.ERROR
        assert "there is no Grafana Live at" in refused.stderr
        nobody = ask(fleet, *command, "nobody")
        assert (nobody.returncode, "there is no data node 'nobody'" in nobody.stderr) == (Exit.UNKNOWN, True)
        for_ever = ask(fleet, *command[:-1], "nobody")
        assert (for_ever.returncode, "there is no data node 'nobody'" in for_ever.stderr) == (Exit.UNKNOWN, True)
        unknown = ask(fleet, *command, "counter::nothing")
        assert (unknown.returncode, "has no field 'nothing'" in unknown.stderr) == (Exit.UNKNOWN, True)
