"""The node `ingest` over real HTTP: what is acknowledged is on disk, what is not taken is told, and everything has a bound."""

import asyncio
import base64
import contextlib
import gzip
import http.client
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_nodes.admitting import Fields
from data_nodes.ingest import bodies
from data_nodes.ingest.app import given as token_in
from data_nodes.ingest.node import Ingest
from data_nodes.ingest.taking import Pace, Taking, pieces
from data_nodes.points import Naming, name_of, rules
from sisock.nodes import NotKept
from sisock.parsers.line_grammar import Series
from sisock.records import Mapping
from sisock.store import quarantine
from sisock.store.journal import Journal, JournalError
from tests.ingest import Client, ingest
from tests.nodes import data

TELEGRAF = b"""cpu,cpu=cpu0,host=a usage_user=1.5,usage_idle=98.25 1700000000000000000
cpu,cpu=cpu-total,host=a usage_user=2.5,usage_idle=97 1700000000000000000
disk,device=sda1,fstype=ext4,host=a,mode=rw,path=/ total=105089261568i,used_percent=41.2 1700000000000000000
mem,host=a used=8i,used_percent=51.5 1700000000000000000
system,host=a load1=0.5,n_cpus=8i,uptime_format="12 days, 3:04" 1700000000000000000
"""


def post(running, *given, **headers):
    return asyncio.to_thread(running.post, *given, **headers)


async def test_what_telegraf_sends_is_there_by_host_and_measurement(tmp_path):
    async with ingest(tmp_path) as running:
        created = await post(running, "/query?q=CREATE+DATABASE+%22telegraf%22")
        v1 = await post(running, "/write?db=telegraf&consistency=any", TELEGRAF)
        packed = gzip.compress(TELEGRAF.replace(b"host=a", b"host=b"))
        v2 = await post(running, "/api/v2/write?bucket=b&org=o&precision=ns", packed, Content_Encoding="gzip")
        assert (created.status, v1.status, v2.status) == (200, 204, 204)
        found = await data(
            running.service, "a/cpu/cpu=cpu0/usage_idle", "b/disk/device=sda1/fstype=ext4/mode=rw/path=//total",
            "a/system/uptime_format", "b/mem/used",
        )  # fmt: skip
        assert list(found.values()) == [[98.25], [105089261568], ["12 days, 3:04"], [8]]


async def test_the_good_lines_are_kept_and_the_answer_names_the_others(tmp_path):
    async with ingest(tmp_path) as running:
        answer = await post(running, "/write", 'm v=1\nbad\nm v=x\nm v=2\nm v="text"\n\xff v=1'.encode("latin-1"))
        assert (answer.status, answer.body["kept"], answer.body["dropped"]) == (400, 2, 4)
        assert answer.body["error"].startswith("partial write: line 2: there are no fields")
        assert [each["line"] for each in answer.body["refused"]] == [2, 3, 5, 6]
        assert answer.headers["X-Influxdb-Error"] == answer.body["message"]
        nothing = await post(running, "/write", "bad")
        assert (nothing.status, nothing.body["error"][:15]) == (400, "unable to parse")
        assert (await data(running.service, "m/v"))["m/v"] == [1, 2]
    payloads = [each.payload for each in quarantine.latest(tmp_path, "ingest", 9)]
    assert sorted(payloads) == [b"#\\xff v=1", b"bad", b"bad", b'm v="text"', b"m v=x"]


async def test_records_come_in_by_ingest(tmp_path):
    async with ingest(tmp_path) as running:
        assert (await post(running, "/ingest", '{"node": "cryo", "stage": {"one": 4.2}, "on": true}')).status == 204
        listed = await post(
            running, "/ingest", '[{"node": "cryo", "stage": {"one": 4.3}}, {"node": "cryo", "on": "x"}]'
        )
        assert (listed.status, listed.body["kept"]) == (400, 1)
        assert (await post(running, "/ingest", "{")).status == 400
        assert (await data(running.service, "cryo/stage/one"))["cryo/stage/one"] == [4.2, 4.3]


async def test_nobody_is_admitted_without_the_token(tmp_path):
    async with ingest(tmp_path) as running:
        file = tmp_path / "ingest" / "ingest.token"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        for wrong in ("", "Token x", f"Bearer {running.post.token}x", "Basic !", f"Digest {running.post.token}"):
            answer = await post(running, "/write", "m v=1", Authorization=wrong)
            assert (answer.status, answer.body["code"]) == (401, "unauthorized")
        basic = base64.b64encode(f"telegraf:{running.post.token}".encode()).decode()
        for right in (f"Bearer {running.post.token}", f"Token telegraf:{running.post.token}", f"Basic {basic}"):
            assert (await post(running, "/write", "m v=1", Authorization=right)).status == 204
        assert (await post(running, "/ping", method="GET", Authorization="")).status == 204
        assert (await post(running, "/health", method="GET", Authorization="")).body["status"] == "pass"


async def test_who_comes_without_the_token_is_counted_and_told(tmp_path):
    async with ingest(tmp_path) as running:
        for wrong in ("", "Token x"):
            assert (await post(running, "/write", "m v=1", Authorization=wrong)).status == 401
        await running.published.until(lambda frames: any(
            "nothing has come yet; 2 denied, the last one from 127.0.0.1: the token is missing or wrong" in each for each in errors(frames)
        ))  # fmt: skip
        assert (await post(running, "/write", "m v=1")).status == 204
        await running.published.health("ok")
        assert (await data(running.service, "ingest.denied"))["ingest.denied"][-1] == 2
    assert quarantine.names(tmp_path) == []


def errors(frames):
    return [text for f in frames if "health.error" in f.columns for text in f.columns["health.error"].values.tolist()]


async def test_bodies_that_are_too_large_cut_or_bombs_are_refused(tmp_path):
    async with ingest(tmp_path, largest=100_000) as running:
        bomb = gzip.compress(bytes(50 * 2**20))
        cut = gzip.compress(TELEGRAF)[:-9]
        for body, packed, status in (
            (b"m v=1\n" * 20_000, "", 413), (bomb, "gzip", 413), (cut, "gzip", 400), (b"m v=1", "gzip", 400),
            (b"m v=1", "br", 415), (b"", "", 204), (gzip.compress(b"m v=1\n") * 2, "gzip", 204),
        ):  # fmt: skip
            answer = await post(running, "/write", body, Content_Encoding=packed)
            assert answer.status == status, answer
        assert (await post(running, "/write?precision=weeks", "m v=1")).status == 400
        assert (await post(running, "/nowhere", "m v=1")).status == 404
        assert (await post(running, "/query?q=SELECT+1", "")).status == 400


async def test_connections_that_send_half_a_request_keep_no_sender_out(tmp_path):
    async with ingest(tmp_path, connections=20) as running:
        with contextlib.ExitStack() as stack:
            for _ in range(60):
                half = stack.enter_context(socket.create_connection(("127.0.0.1", running.post.port), 60))
                half.sendall(b"POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 9")
            assert (await post(running, "/write", "m v=1")).status == 204


async def test_a_clock_or_a_precision_that_is_wrong_is_told(tmp_path):
    async with ingest(tmp_path) as running:
        late = await post(running, "/write?precision=s", "m v=1 4000000000")
        early = await post(running, "/write", "m v=1 1700000000")
        assert "2096-10-02" in late.body["error"]
        assert "1970-01-01 00:00:01 UTC: is the precision right" in early.body["error"]


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        ("/write", "m v=", 400, "line 1: "), ("/write?precision=weeks", "m v=1", 400, "precision='weeks' is unknown"),
        ("/ingest", "{", 400, "JSON"), ("/write", "x" * 2001, 413, "2000 bytes"),
    ],
)  # fmt: skip
async def test_what_is_refused_is_in_quarantine_before_its_sender_is_told(tmp_path, path, body, status, reason):
    async with ingest(tmp_path, interval=3600, largest=2000) as running:
        assert (await post(running, path, body, Authorization="Token a")).status in (401, 413)
        assert (await post(running, path, body)).status == status
        (only,) = quarantine.counts(tmp_path, "ingest")
        assert (only.n, reason in only.reason) == (1, True)


async def test_what_is_not_on_disk_is_not_acknowledged(tmp_path, monkeypatch):
    async def keep(*given, **more):
        raise NotKept("the disk is full")

    async with ingest(tmp_path) as running:
        monkeypatch.setattr("sisock.nodes.receiving.Intake.keep", keep)
        answer = await post(running, "/write", "m v=1")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert "the disk is full" in answer.body["error"]


async def test_a_request_that_was_refused_for_the_disk_is_there_once_when_it_is_sent_again(tmp_path, monkeypatch):
    commit, room = Journal.commit, []

    def failing(self, *given):
        if not room:
            raise JournalError("the disk is full")
        commit(self, *given)

    monkeypatch.setattr("data_nodes.ingest.taking._MOST_LINES", 2)
    body = "".join(f"m n={number}i\n" for number in range(7)) + "bad"
    async with ingest(tmp_path) as running:
        monkeypatch.setattr(Journal, "commit", failing)
        for _ in range(2):
            assert (await post(running, "/write", body)).status == 503
            assert (await post(running, "/ingest", '{"node": "cryo", "k": 4}')).status == 503
        assert await data(running.service, "m/n", "cryo/k") == {"m/n": [], "cryo/k": []}
        room.append(True)
        assert (await post(running, "/write", body)).body["kept"] == 7
        assert (await post(running, "/ingest", '{"node": "cryo", "k": 4}')).status == 204
        assert await data(running.service, "m/n", "cryo/k") == {"m/n": [*range(7)], "cryo/k": [4]}
    journal = Journal(tmp_path / "ingest.sqlite")
    frames = journal.read_from(None, 0).frames
    journal.close()
    assert [n for f in frames if "m/n" in f.columns for n in f.columns["m/n"].values.tolist()] == [*range(7)]
    (only,) = quarantine.counts(tmp_path, "ingest")
    assert only.n == 1  # as often as it was told


KILLED = """
import asyncio, sys
from pathlib import Path
from data_nodes.ingest.node import Ingest
from sisock.store.journal import Journal, JournalError

node = Ingest(port=int(sys.argv[2]))
node.home = Path(sys.argv[1])
service = node.service(journal=lambda: Journal(node.home / "ingest.sqlite", patient=True))
asyncio.run(service.run(lambda frame: None))
"""


async def test_what_was_acknowledged_is_there_after_kill_9(tmp_path):
    from sisock.testing.router import free_port

    acknowledged = []
    for round_ in range(3):
        port = free_port()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), str(port)], env=environment) as child:
            await answers(port)
            post = Client(port, (tmp_path / "ingest" / "ingest.token").read_text().strip())
            for number in range(10 * round_, 10 * round_ + 10):
                assert post("/write", f"m n={number}i").status == 204
                acknowledged.append(number)
            child.send_signal(signal.SIGKILL)
    journal = Journal(tmp_path / "ingest.sqlite")
    frames = journal.read_from(None, 0).frames
    journal.close()
    assert [n for f in frames if "m/n" in f.columns for n in f.columns["m/n"].values.tolist()] == acknowledged


async def answers(port):
    async with asyncio.timeout(60):
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", "/ping")
                assert connection.getresponse().status == 204
                connection.close()
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_beyond_this_machine_it_speaks_tls(tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    from sisock.testing.router import free_port

    port = free_port()
    async with ingest(tmp_path, host="0.0.0.0", port=port, certificate=str(certificate), key=str(key)) as running:

        def send(body, token=running.post.token):
            context = ssl.create_default_context(cafile=str(certificate))
            connection = http.client.HTTPSConnection(
                "localhost", port, timeout=30, context=context, source_address=("127.0.0.5", 0)
            )
            connection.request("POST", "/write", body, {"Authorization": f"Bearer {token}"})
            status = connection.getresponse().status
            connection.close()
            return status

        await answers_tls(port)
        assert await asyncio.to_thread(send, TELEGRAF * 1000) == 204
        assert await asyncio.to_thread(send, b"bad") == 400
        assert await asyncio.to_thread(send, TELEGRAF, "wrong") == 401
        await running.published.until(lambda frames: any("1 denied, the last one from 127.0.0.5" in each for each in errors(frames)))  # fmt: skip
        (only,) = quarantine.latest(tmp_path, "ingest", 9)
        assert only.source == "127.0.0.5 /write"


async def answers_tls(port):
    async with asyncio.timeout(60):
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), 5):
                    return
            except OSError:
                await asyncio.sleep(0.05)


def test_tokens_do_not_cross_a_network_in_the_clear():
    with pytest.raises(ValueError, match="in the clear to 192.0.2.1: set certificate"):
        Ingest(host="192.0.2.1")
    Ingest(host="192.0.2.1", plaintext=True)
    with pytest.raises(ValueError, match="TLS needs both"):
        Ingest(certificate="cert.pem")


@pytest.mark.parametrize("held", [b"", b"short", b"\xff" * 20, b"0123456789abcdef\nsecond", b"user:0123456789abcdef"])
async def test_a_token_file_that_holds_none_is_told_with_the_cure(tmp_path, held):
    file = tmp_path / "token"
    file.write_bytes(held)
    with pytest.raises(ValueError, match=r"write (one line|another)"):
        Ingest(token=str(file)).token()
    file.write_bytes(b"  0123456789abcdef\r\n")
    assert Ingest(token=str(file)).token() == "0123456789abcdef"


async def test_two_series_that_a_rule_calls_the_same_are_not_mixed(tmp_path):
    by = [{"measurement": "cpu", "name": "{host}/{measurement}"}]
    async with ingest(tmp_path, rules=by) as running:
        answer = await post(running, "/write", "cpu,host=a,cpu=0 v=1\ncpu,host=a,cpu=1 v=2\ncpu,host=a,cpu=1 w=3")
        assert answer.body["refused"] == [{"line": 2, "reason": "a/cpu/v is what another series is called, too: name one of them by a rule"}]  # fmt: skip
        assert await data(running.service, "a/cpu/v", "a/cpu/w") == {"a/cpu/v": [1, None], "a/cpu/w": [None, 3]}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("{host}/{measurement}/{tags}", "a/cpu/cpu=cpu0"), ("{measurement}/{cpu}", "cpu/cpu0"), ("{none}", "cpu"),
        ("x {host}-{cpu}", "x a-cpu0"), ("{tags}", "cpu=cpu0/host=a"),
    ],
)  # fmt: skip
def test_a_rule_names_a_series(name, expected):
    assert name_of(Series("cpu", (("cpu", "cpu0"), ("host", "a"))), name) == expected


def test_a_rule_that_is_none_is_refused_with_one_that_is():
    with pytest.raises(ValueError, match="is no rule: write"):
        rules([{"measurement": "cpu"}])
    with pytest.raises(ValueError, match="names nothing"):
        rules([], "//")


def test_no_more_fields_are_met_than_a_node_may_have(monkeypatch):
    monkeypatch.setattr("data_nodes.admitting.MOST", 3)
    taken = Naming(rules([]), Fields()).take("m a=1,b=2,c=3,d=4 1700000000000000000", 1_700_000_000 * 10**9)
    assert (taken.rows, "one field more than 3" in taken.refused[0].reason) == (1, True)


def test_a_rate_is_kept():
    now = [0.0]
    pace = Pace(100, lambda: now[0])
    assert pace.wait(150) == 0
    assert pace.wait(1) > 0
    now[0] = 1.0
    assert pace.wait(1) == 0
    assert Pace(0).wait(10**9) == 0


@given(st.lists(st.binary(max_size=20), max_size=50), st.integers(1, 7), st.integers(1, 40))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_body_in_pieces_is_all_there(lines, most_lines, most_bytes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("data_nodes.ingest.taking._MOST_LINES", most_lines)
        patch.setattr("data_nodes.ingest.taking._MOST_BYTES", most_bytes)
        body = b"\n".join(each.replace(b"\n", b"") for each in lines)
        assert b"\n".join(pieces(body)).rstrip(b"\n") == body.rstrip(b"\n")


@given(st.binary(max_size=200), st.integers(0, 300))
@settings(max_examples=200, deadline=None)
def test_whatever_is_packed_comes_out_or_is_refused(data, most):
    for packed in (gzip.compress(data), data):
        try:
            assert bodies.unpacked(packed, most) == (data if packed != data else b"")
        except bodies.Refusal as refusal:
            assert refusal.status in (400, 413)


@given(st.text(max_size=40))
def test_whatever_stands_in_the_header_is_no_token(text):
    assert token_in(text) in (b"", text.partition(" ")[2].strip().rpartition(":")[2].encode("utf-8", "replace")) or "asic" in text.lower()  # fmt: skip


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_whatever_comes_is_counted_as_kept_or_refused(body):
    fields = Fields()
    taking = Taking(Naming(rules([]), fields), fields, Mapping(), 0)
    kept = []
    taking._keep = lambda frames, source: kept.extend(frames)
    taking._settle = lambda: None
    taking._intake = type("Nowhere", (), {"quarantine": lambda self, *given: None})()
    outcome = taking.lines(body, "ns", "x")
    assert outcome.kept == sum(map(len, kept))
    taking.records(body, "x")
