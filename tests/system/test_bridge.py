"""The bridge as a process beside a real router, hub and nodes, which are stopped, killed and started again."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest

from sisock import settings as configuration
from sisock.testing.router import free_port
from tests.demo import sisock, wait_for
from tests.described import Described
from tests.fleet import ARCHIVE, COUNTER, ROOT, Fleet, running_fleet

PATIENCE = 30.0  # seconds until a test gives up
HEALED_WITHIN = 5.0  # seconds once the port is open again
DEADLINE = 1.0  # seconds that the bridge waits for a node
SPAN = {"from": "2017-07-14T02:40:00.000Z", "to": "2017-07-25T16:26:40.000Z"}  # the archive's million seconds


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    port = free_port()
    with running_fleet(tmp_path_factory.mktemp("bridge"), bridge_port=port, bridge_deadline=DEADLINE) as fleet:
        fleet.run("bridge", "-m", "grafana_json")
        fleet.node("counter", COUNTER)
        fleet.node("archive", ARCHIVE)
        yield fleet


@pytest.fixture
def bridge(fleet: Fleet) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{fleet.settings.bridge_port}", timeout=PATIENCE) as client:
        until(lambda: found(client) >= {"archive::sine", "counter::count"})
        yield client


def until(reached: Callable[[], bool], within: float = PATIENCE) -> float:
    """Wait until it is reached; the seconds that took."""
    began, never = time.monotonic(), threading.Event()
    while time.monotonic() - began < within:
        try:
            if reached():
                return time.monotonic() - began
        except httpx.TransportError:
            pass  # nobody listens yet
        never.wait(0.05)
    raise AssertionError(f"not within {within} s")


def found(client: httpx.Client, text: str = "") -> set[str]:
    answer = client.post("/search", json={"target": text})
    return set(answer.json()) if answer.status_code == 200 else set()


def query(client: httpx.Client, *targets: str, span: dict[str, str] | None = None, points: int = 500) -> list[Any]:
    asked = [{"target": target, "refId": chr(65 + i), "type": "timeserie"} for i, target in enumerate(targets)]
    answer = client.post("/query", json={"range": span or SPAN, "maxDataPoints": points, "targets": asked})
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def notices(series: dict[str, Any]) -> str:
    return " ".join(notice["text"] for notice in series.get("meta", {}).get("notices", []))


def last_minute() -> dict[str, str]:
    now = time.time()
    return {key: datetime.fromtimestamp(t, UTC).isoformat() for key, t in (("from", now - 60), ("to", now + 1))}


def test_a_million_samples_come_as_a_panel_can_show_them(bridge):
    (sine,) = query(bridge, "archive::sine")
    assert 400 < len(sine["datapoints"]) <= 500
    assert (sine["unit"], sine["meta"]["custom"]["samples"]) == ("volt", 1_000_000)
    assert max(value for value, _ in sine["datapoints"]) == pytest.approx(1, abs=1e-9)
    (label,) = query(bridge, "archive::label", span={**SPAN, "to": "2017-07-14T02:45:00.000Z"})
    assert label["datapoints"][0] == ["000", 1_500_000_000_000]
    assert len(label["datapoints"]) == 300


def test_promql_reads_archived_and_live_nodes_alike(bridge):
    asked = {"query": "max_over_time(sine[1h])", "start": 1_500_003_600, "step": 3600}
    answer = bridge.post("/api/v1/query_range", data={**asked, "end": 1_500_900_000}).json()
    (series,) = answer["data"]["result"]
    assert series["metric"] == {"node": "archive", "field": "sine", "unit": "V"}
    assert all(float(value) == pytest.approx(1, abs=1e-3) for _, value in series["values"])
    assert len(series["values"]) == 250
    until(lambda: bridge.get("/api/v1/query", params={"query": "rate(count[30s])"}).json()["data"]["result"] != [])
    answer = bridge.get("/api/v1/query", params={"query": "sum by (node) (up)"}).json()["data"]["result"]
    there = {each["metric"]["node"]: each["value"][1] for each in answer}
    assert (there["archive"], there["counter"]) == ("1", "1")


def test_what_real_nodes_have_is_as_the_bridge_describes_it(bridge):
    described = Described(bridge.get("/openapi.json").json())
    panel = {"range": SPAN, "targets": [{"target": "archive::.*", "type": kind} for kind in ("timeserie", "table")]}
    asked = [("/search", {}), ("/query", {**panel, "maxDataPoints": 50}), ("/tag-values", {"key": "unit"})]
    asked.append(("/annotations", {"range": last_minute(), "annotation": {"name": "nodes"}}))
    fields = [field.removeprefix("archive::") for field in found(bridge, "archive::")]
    form = {"target": "archive", "payload": {"field": fields, "reduce": "band", "points": "50"}}
    asked += [("/metrics", {}), ("/metric-payload-options", {"metric": "archive", "name": "field"})]
    asked += [("/query", {"range": SPAN, "targets": [form]}), ("/variable", {"payload": {"target": "nodes"}})]
    asked.append(("/query", {"range": last_minute(), "targets": [{"refId": "Anno", "target": ""}]}))
    for path, body in asked:
        answer = bridge.post(path, json=body)
        assert (answer.status_code, answer.json() != []) == (200, True)
        assert described.operation(path, "POST").trouble_answered(200, answer.json()) is None


def test_archived_and_live_nodes_share_a_panel(bridge):
    until(lambda: bool(query(bridge, "counter::count", span=last_minute())[0]["datapoints"]))
    count, parity, big, state, sine = query(
        bridge, r"counter::(count|parity|big|health\.state)", "archive::sine", span=last_minute()
    )
    assert {series["target"] for series in (count, parity, big)} == {
        "counter::count",
        "counter::parity",
        "counter::big",
    }
    assert {value for value, _ in parity["datapoints"]} <= {"odd", "even"}
    assert {value for value, _ in big["datapoints"]} <= {0, 1}
    assert state["datapoints"][0][0] == "ok"
    assert (sine["datapoints"], notices(sine)) == ([], "archive::sine has no samples in this range")


PAST = "/api/data?target=archive::sine&from=1500000000&to=1500999000&points=1000000"  # the archive goes on after it


def rows(client: httpx.Client, url: str, tag: str = "") -> httpx.Response:
    return client.get(url, headers={"If-None-Match": tag} if tag else {})


def test_nearly_a_million_rows_come_in_every_form(bridge):
    table = pa.ipc.open_stream(rows(bridge, f"{PAST}&format=arrow&shape=wide").content).read_all()
    t = table.column("time").cast(pa.int64()).to_numpy()
    assert np.array_equal(t, np.arange(1_500_000_000, 1_500_999_000) * 10**9)
    assert np.array_equal(table.column("archive::sine").to_numpy(), np.sin(t / 1e11))
    assert table.schema.field("archive::sine").metadata[b"unit"] == b"V"
    lines = rows(bridge, f"{PAST}&format=csv&shape=wide&time=ns").text.splitlines()
    assert lines[0] == "time,archive::sine"
    assert (len(lines), float(lines[-1].split(",")[1])) == (999_001, float(np.sin(t[-1] / 1e11)))


def test_what_is_over_is_known_again_while_its_node_is_stopped(fleet, bridge):
    url = PAST.replace("1000000", "500")
    first = rows(bridge, url)
    assert first.headers["Cache-Control"] == "private, max-age=86400, immutable"
    fleet.stop("archive")
    try:
        assert rows(bridge, url, first.headers["ETag"]).status_code == 304
        assert "did not answer" in rows(bridge, url).json()["error"]
    finally:
        fleet.resume("archive")
    until(lambda: rows(bridge, url).status_code == 200, HEALED_WITHIN + 2)
    assert rows(bridge, url).content == first.content


def test_what_goes_on_is_asked_again_each_time(bridge):
    url = "/api/data?target=counter::count&from=-1m"
    until(lambda: rows(bridge, url).status_code == 200 and rows(bridge, url).json() != [])
    first = rows(bridge, url)
    assert first.headers["Cache-Control"] == "private, no-cache"
    until(lambda: rows(bridge, url, first.headers["ETag"]).status_code == 200)
    (last,) = rows(bridge, "/api/at?target=counter::count").json()
    assert last["value"] >= first.json()[-1]["value"]
    assert {row["node"]: row["state"] for row in rows(bridge, "/api/nodes").json()}["counter"] == "up"


def test_a_stopped_node_costs_its_own_series(fleet, bridge):
    fleet.stop("counter")
    try:
        began = time.monotonic()
        count, sine, nobody = query(bridge, "counter::count", "archive::sine", "nobody::x")
        assert time.monotonic() - began < DEADLINE + 1
        assert (count["datapoints"], len(sine["datapoints"]) > 400) == ([], True)
        assert "counter did not answer" in notices(count) or "away" in notices(count)
        assert "there is no data node 'nobody'" in notices(nobody)
    finally:
        fleet.resume("counter")
    until(lambda: bool(query(bridge, "counter::count", span=last_minute())[0]["datapoints"]), HEALED_WITHIN + 2)


def test_a_killed_node_is_away_and_annotated(fleet, bridge):
    fleet.kill("counter")
    until(lambda: "away" in notices(query(bridge, "counter::count")[0]))
    about = {"name": "nodes", "enable": True, "query": "counter"}

    def titles() -> list[str]:
        asked = {"range": last_minute(), "annotation": about}
        return [each["title"] for each in bridge.post("/annotations", json=asked).json()]

    until(lambda: "counter went away" in titles())
    fleet.node("counter")
    until(lambda: bool(titles()) and titles()[-1] == "counter came")
    until(lambda: bool(query(bridge, "counter::count", span=last_minute())[0]["datapoints"]))
    assert titles()[-2:] == ["counter went away", "counter came"]


def test_without_the_hub_panels_go_on_and_the_health_says_so(fleet, bridge):
    assert bridge.get("/").status_code == 200
    assert query(bridge, "archive::sine")[0]["datapoints"]
    fleet.kill("hub")
    until(lambda: bridge.get("/").status_code == 503)
    assert "hub" in bridge.get("/").json()["error"]
    assert query(bridge, "archive::sine")[0]["datapoints"]
    assert "archive::sine" in found(bridge)
    fleet.hub()
    until(lambda: bridge.get("/").status_code == 200)


def test_a_router_that_comes_back_finds_the_bridge(fleet, bridge):
    fleet.router.kill()
    until(lambda: bridge.get("/").status_code == 503)
    (sine,) = query(bridge, "archive::sine")
    assert sine["datapoints"] == []
    assert "router" in notices(sine)
    fleet.router.start()
    until(lambda: bool(query(bridge, "archive::sine")[0]["datapoints"]), HEALED_WITHIN)
    until(lambda: bridge.get("/").status_code == 200, HEALED_WITHIN)


def test_a_bridge_that_is_killed_answers_as_soon_as_it_is_back(fleet, bridge):
    fleet.kill("bridge")
    fleet.run("bridge", "-m", "grafana_json")
    until(lambda: bridge.get("/").status_code == 200)
    assert query(bridge, "archive::sine")[0]["datapoints"]


def test_requests_in_pieces_and_too_large_ones_are_answered(bridge):
    pieces = bridge.post("/search", content=iter([b'{"tar', b'get": "si', b'ne"}']))
    assert pieces.json() == ["archive::sine"]
    large = bridge.post("/query", content=b" " * 2**20)
    assert (large.status_code, large.json()) == (413, {"error": "a request may be 262144 bytes long at the most"})
    flood = bridge.post("/query", content=b" " * 2**25)
    assert (flood.status_code, flood.json()) == (large.status_code, large.json())


def test_half_sent_requests_keep_nobody_out(fleet, bridge):
    address = ("127.0.0.1", fleet.settings.bridge_port)
    with contextlib.ExitStack() as stack:
        for _ in range(450):
            stack.enter_context(socket.create_connection(address, PATIENCE)).sendall(b"POST / HTTP/1.1\r\nHost: a\r\n")
        with httpx.Client(base_url=bridge.base_url, timeout=2) as another:
            assert found(another, "sine") == {"archive::sine"}


@pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6")
def test_an_address_of_ipv6_is_told_in_brackets(fleet, tmp_path, monkeypatch):
    port = free_port()
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "told"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "told"))
        told.settimeout(PATIENCE)
        with start(fleet, interface="::1", bridge_port=port) as bridge:
            try:
                assert f"http://[::1]:{port}".encode() in told.recv(1000)
            finally:
                bridge.terminate()


def test_the_health_check_of_a_container_asks_the_running_bridge(fleet, bridge):
    assert run(fleet, "--check").returncode == 0
    failed = run(fleet, "--check", bridge_port=free_port())
    assert failed.returncode == 4
    assert b"no bridge answers on 127.0.0.1" in failed.stderr


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        ({}, 1, b"stop what is there, or set SISOCK_BRIDGE_PORT"),
        ({"interface": "0.0.0.0"}, 2, b"without a token"),
        ({"bridge_token": "/nowhere/token"}, 2, b"cannot be read"),
    ],
)
def test_a_bridge_that_cannot_start_says_why_in_a_sentence(fleet, bridge, change, code, sentence):
    ended = run(fleet, **change)
    assert ended.returncode == code
    assert sentence in ended.stderr
    assert ended.stderr.count(b"\n") == 1


def test_a_bridge_ends_cleanly_when_it_is_told_to(fleet):
    fleet.run("second", "-c", f"import os; os.environ['SISOCK_BRIDGE_PORT'] = '{free_port()}'; {SERVE}")
    until(lambda: b"joined" in fleet.log("second").read_bytes())
    fleet.kill("second", how=15)
    assert fleet.processes["second"].returncode == 0
    assert b"Traceback" not in fleet.log("second").read_bytes()
    assert b"destroyed" not in fleet.log("second").read_bytes()


SERVE = "import sys; from grafana_json.server import main; sys.exit(main([]))"


def run(fleet: Fleet, *arguments: str, **change: Any) -> subprocess.CompletedProcess[bytes]:
    """Run another bridge with the fleet's settings, changed, until it ends."""
    with start(fleet, *arguments, **change) as bridge:
        output, errors = bridge.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(bridge.args, bridge.returncode, output, errors)


def start(fleet: Fleet, *arguments: str, **change: Any) -> subprocess.Popen[bytes]:
    """Start another bridge with the fleet's settings, changed."""
    given = {**vars(fleet.settings), **change}
    told = {key: os.environ[key] for key in ("NOTIFY_SOCKET",) if key in os.environ}
    environment = {**configuration.environment(configuration.read(**given)), "PYTHONPATH": str(ROOT), **told}
    command = [sys.executable, "-m", "grafana_json", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_an_api_token_sees_what_it_was_given_until_it_is_taken_back(fleet, bridge):
    """The router decides: the bridge signs in once more for each token."""
    state = fleet.settings.state
    token = sisock(state, "principal", "token", "grafana", "--nodes", "counter").stdout.strip()
    wait_for(lambda: "grafana" in (state / "router" / "policy.json").read_text(), 5)
    with httpx.Client(base_url=bridge.base_url, timeout=PATIENCE) as guest:
        guest.headers["Authorization"] = f"Bearer {token}"
        until(lambda: found(guest) >= {"counter::count"})
        assert not any(each.startswith("archive") for each in found(guest))
        assert query(guest, "counter::count", span=last_minute())[0]["datapoints"]
        (hidden,) = query(guest, "archive::sine")
        assert hidden["datapoints"] == []
        assert "there is no data node 'archive'" in notices(hidden)
        tag = rows(bridge, PAST).headers["ETag"]
        told = [rows(guest, url, tag) for url in (PAST, PAST.replace("archive", "nobody"))]
        assert [(each.status_code, each.headers.get("ETag")) for each in told] == [(404, None)] * 2
        assert told[0].json()["error"] == told[1].json()["error"].replace("nobody", "archive")
        assert {row["node"] for row in rows(guest, "/api/fields").json()} == {"counter"}
        assert {row["node"] for row in rows(guest, "/api/nodes").json()} == {"counter"}
        assert guest.get("/", auth=tuple(token.split("."))).status_code == 200
        assert guest.get("/", headers={"Authorization": f"Bearer grafana.{'x' * 43}"}).status_code == 401
        assert sisock(state, "revoke", "grafana").returncode == 0
        until(lambda: guest.get("/").status_code == 401)
    assert query(bridge, "archive::sine")[0]["datapoints"]
