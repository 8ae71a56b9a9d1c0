"""Samples as line protocol, and how they come to Grafana Live through everything that happens on the way."""

import asyncio
import datetime
import ipaddress
import json
import os
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sisock.cli import main
from sisock.cli.choosing import Choice, choice
from sisock.cli.following import Pace
from sisock.consumer import Node
from sisock.exits import Exit
from sisock.frames import Column, Frame, column
from sisock.outlets.grafana_live import Live, Trouble, address, read_token
from sisock.outlets.lines import lines, measurement
from sisock.outlets.sending import Sender
from sisock.outlets.waiting import Waiting
from sisock.testing.router import free_port
from tests.live import TOKEN, serving
from tests.peers import need

T = 1_700_000_000_123_456_789
ODD = {
    "plain": [1.5, 2.5], "with space": [1, -(2**63)], "a,b=c": [True, False], "µ°": ["x", "y"],
    'say "hi"': ['q"uo\\te', "a, b=c"], "path\\": [1e300, 5e-324], "back\\,slash": [0.1, 1e16], "line": ["a\nb", "\t"],
}  # fmt: skip


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


def frame(columns, t=(T, T + 1)) -> Frame:
    return Frame("samples", np.array(t, np.int64), {name: column(values) for name, values in columns.items()})


# lines


def test_a_row_is_a_line_with_types_and_nanoseconds():
    given = frame({"f": [1.5, 2.0], "i": [1, 2], "b": [True, False], "s": ["x", "y"]})
    assert list(lines("host/samples", {"site": "lab 1"}, given)) == [
        f'host/samples,site=lab\\ 1 f=1.5,i=1i,b=true,s="x" {T}',
        f'host/samples,site=lab\\ 1 f=2.0,i=2i,b=false,s="y" {T + 1}',
    ]


def test_what_the_protocol_has_no_value_for_is_left_out_and_so_is_a_row_of_nothing():
    given = frame({"a": [np.nan, np.inf, 3.0], "b": [1, None, None]}, (1, 2, 3))
    assert list(lines("m", {}, given)) == ["m b=1i 1", "m a=3.0 3"]


def test_a_measurement_can_be_a_channel_of_grafana_live():
    assert measurement("host", "samples") == "host/samples"
    assert measurement("host", "a b/ü,=x.1-2") == "host/a_b____x.1-2"


def test_influxdb_reads_every_line_as_it_was_meant(tmp_path: Path):
    written = frame(ODD)
    with influxdb(tmp_path) as ask:
        body = "\n".join(lines("odd/samples", {"site": "lab, 1=x", "k\\": "v\\"}, written)).encode()
        assert ask("/write?db=test&precision=ns", body) is None
        (series,) = ask("/query?db=test&epoch=ns&q=" + urllib.parse.quote('select * from "odd/samples"'))["results"][0][
            "series"
        ]
        (tags,) = ask("/query?db=test&q=" + urllib.parse.quote("show series"))["results"][0]["series"]
    back = {name: [row[at] for row in series["values"]] for at, name in enumerate(series["columns"])}
    assert back.pop("time") == [T, T + 1]
    assert (back.pop("site"), back.pop("k_")) == (["lab, 1=x"] * 2, ["v_"] * 2)
    expected = {name.replace("path\\", "path_").replace("back\\", "back_"): values for name, values in ODD.items()}
    assert back == expected
    assert tags["values"] == [["odd/samples,k_=v_,site=lab\\,\\ 1\\=x"]]


class influxdb:  # noqa: N801  # used as a function
    """InfluxDB with a database `test`; what comes back asks it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()

    def __enter__(self):
        http, rpc = self.port, free_port()
        config = self.folder / "influx.conf"
        config.write_text(
            f'reporting-enabled = false\nbind-address = "127.0.0.1:{rpc}"\n[meta]\n dir = "{self.folder}/meta"\n'
            f'[data]\n dir = "{self.folder}/data"\n wal-dir = "{self.folder}/wal"\n[http]\n bind-address = "127.0.0.1:{http}"\n'
        )
        log = (self.folder / "influx.log").open("wb")
        self.process = subprocess.Popen([need("influxd"), "-config", str(config)], stdout=log, stderr=log)
        log.close()
        wait_for(self._there)
        return self.ask

    def _there(self) -> bool:
        try:
            self.ask("/query?q=" + urllib.parse.quote("create database test"), b"")
        except OSError:
            assert self.process.poll() is None, (self.folder / "influx.log").read_text()
            return False
        return True

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)

    def ask(self, path: str, body: bytes | None = None):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", body, timeout=10) as answer:
            told = answer.read()
        return json.loads(told) if told else None


# the queue


def test_where_there_is_no_room_the_oldest_lines_go_and_are_counted():
    waiting = Waiting(most_lines=3)
    waiting.put(f"m v={n}" for n in range(5))
    assert waiting.take(10, 1000) == [b"m v=2\n", b"m v=3\n", b"m v=4\n"]
    assert waiting.dropped == 2
    narrow = Waiting(most_bytes=12)
    narrow.put(["m v=1", "m v=2", "m v=3"])
    assert (narrow.take(10, 1000), narrow.dropped) == ([b"m v=2\n", b"m v=3\n"], 1)


def test_portions_have_a_size_and_what_is_put_back_comes_first_and_goes_first():
    waiting = Waiting(most_lines=3)
    waiting.put(["m v=1", "m v=2", "m v=3"])
    assert waiting.take(10, 13) == [b"m v=1\n", b"m v=2\n"]
    waiting.put(["m v=4"])
    waiting.put_back([b"m v=1\n", b"m v=2\n"])
    assert (waiting.take(1, 1), waiting.dropped) == ([b"m v=2\n"], 1)
    assert waiting.take(10, 1000) == [b"m v=3\n", b"m v=4\n"]
    assert not waiting.wait(0)


# the connection


def test_lines_go_to_the_stream_with_the_token_over_one_connection(token: Path):
    with serving() as grafana:
        live = Live(address(f"http://127.0.0.1:{grafana.port}/grafana/", "lab"), token)
        for n in range(3):
            live.send([b"m v=%d\n" % n])
        live.close()
    assert {push.path for push in grafana.pushes} == {"/grafana/api/live/push/lab"}
    assert grafana.lines == ["m v=0", "m v=1", "m v=2"]
    assert grafana.connections == 1


def test_a_connection_that_grafana_has_closed_meanwhile_is_made_anew(token: Path):
    with serving() as grafana:
        live = Live(address(f"http://127.0.0.1:{grafana.port}", "lab"), token)
        live.send([b"m v=1\n"])
        grafana.hang_up()
        live.send([b"m v=2\n"])
        live.close()
    assert grafana.lines == ["m v=1", "m v=2"]
    assert grafana.connections == 2


@pytest.mark.parametrize(
    ("status", "sentence", "refused"),
    [
        (401, "does not know the token in .*token: make a service account", False),
        (403, "may not push .* the role Editor", False),
        (404, "no Grafana Live at .*/api/live/push/lab: give the address", False),
        (413, "let it take bodies of 1 MiB", True),
        (400, "does not take the lines", True),
        (500, 'answers 500: {"message":"no"}', False),
        (302, "answers 302: give the address to which it sends", False),
        (418, "answers 418", False),
        (599, "answers 599", False),
        ("cut", "breaks off", False),
    ],
)
def test_what_grafana_answers_is_a_sentence_with_the_cure(token: Path, status, sentence: str, refused: bool):
    with serving() as grafana:
        grafana.always = status
        live = Live(address(f"http://127.0.0.1:{grafana.port}", "lab"), token)
        with pytest.raises(Trouble, match=sentence) as caught:
            live.send([b"m v=1\n"])
        live.close()
    assert caught.value.lines_refused is refused
    assert TOKEN not in str(caught.value)


def test_a_grafana_that_is_not_there_or_does_not_answer_is_told(token: Path, monkeypatch: pytest.MonkeyPatch):
    live = Live(address(f"http://127.0.0.1:{free_port()}", "lab"), token)
    with pytest.raises(Trouble, match="cannot be reached: Connection refused"):
        live.send([b"m v=1\n"])
    monkeypatch.setattr("sisock.outlets.grafana_live._PATIENCE", 0.2)
    with serving() as grafana:
        grafana.always = "never"
        with pytest.raises(Trouble, match=r"no answer within 0\.2 s"):
            Live(address(f"http://127.0.0.1:{grafana.port}", "lab"), token).send([b"m v=1\n"])


@pytest.mark.parametrize("text", ["", "two words", "ü", "a\nb"])
def test_a_file_without_a_token_is_told(tmp_path: Path, text: str):
    (tmp_path / "token").write_text(text)
    with pytest.raises(Trouble, match="holds no token"):
        read_token(tmp_path / "token")
    with pytest.raises(Trouble, match="cannot be read from .*: No such file"):
        read_token(tmp_path / "none")


@pytest.mark.parametrize("url", ["http://grafana.example", "http://10.0.0.1:3000", "http://127.0.0.1.example"])
def test_the_token_never_goes_over_a_network_in_the_clear(url: str):
    with pytest.raises(ValueError, match="in the clear: give an address with https://"):
        address(url, "lab")


@pytest.mark.parametrize(
    "url", ["ftp://x", "https://", "https://u:p@x", "https://x/?q", "https://x:99999", "https://ü", "https://x/a b"]
)
def test_addresses_that_are_none_are_refused(url: str):
    with pytest.raises(ValueError, match="is not where a Grafana is|is no URL"):
        address(url, "lab")


@pytest.mark.parametrize("stream", ["", "a/b", "a b", "x" * 61])
def test_streams_that_grafana_cannot_have_are_refused(stream: str):
    with pytest.raises(ValueError, match="cannot name a stream"):
        address("https://x", stream)


def test_a_certificate_that_is_not_trusted_is_refused_unless_its_authority_is_named(tmp_path: Path, token: Path):
    certificate = self_signed(tmp_path)
    with serving(certificate=certificate) as grafana:
        where = address(f"https://127.0.0.1:{grafana.port}", "lab")
        with pytest.raises(Trouble, match="is not trusted .*: name its authority with --authority"):
            Live(where, token).send([b"m v=1\n"])
        assert grafana.pushes == []
        trusting = Live(where, token, certificate)
        trusting.send([b"m v=1\n"])
        trusting.close()
        with pytest.raises(Trouble, match="is not trusted"):  # it is of another host
            Live(where._replace(host="localhost"), token, certificate).send([b"m v=1\n"])
    assert grafana.lines == ["m v=1"]


def self_signed(folder: Path) -> Path:
    """A certificate of 127.0.0.1 with its key, in one file."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lab")]),
    )
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / "grafana.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


# the sender


class Told(list):
    """Sentences that were told."""

    def __call__(self, sentence: str) -> None:
        self.append(sentence)


@pytest.fixture
def sender(token: Path):
    """Start a sender to a port, which ends with the test."""
    made: list[Sender] = []

    def start(port: int, waiting: Waiting, told: Told) -> Sender:
        live = Live(address(f"http://127.0.0.1:{port}", "lab"), token)
        made.append(Sender(waiting, live, told, pause=0.05))
        return made[-1]

    yield start
    for each in made:
        each.stop()


@pytest.mark.parametrize("trouble", [500, 503, 401, 404, "cut"])
def test_after_any_trouble_every_line_arrives_in_order(sender, trouble):
    waiting, told = Waiting(), Told()
    with serving() as grafana:
        grafana.failing = [trouble] * 3
        sender(grafana.port, waiting, told)
        waiting.put(f"m v={n}" for n in range(100))
        grafana.wait(lambda: len(grafana.lines) >= 100)
        waiting.put(["m v=100"])
        grafana.wait(lambda: len(grafana.lines) >= 101)
    assert grafana.lines == [f"m v={n}" for n in range(101)]
    assert len(told) == 2  # once that it is away, once that it is there again
    assert told[1] == "Grafana takes lines again; 0 were dropped for want of room, 0 were refused"


def test_a_grafana_that_comes_later_gets_the_newest_lines_and_what_was_dropped_is_told(sender):
    port, waiting, told = free_port(), Waiting(most_lines=50), Told()
    sender(port, waiting, told)
    waiting.put(f"m v={n}" for n in range(200))
    wait_for(lambda: told)
    with serving(port) as grafana:
        grafana.wait(lambda: "m v=199" in grafana.lines)
    assert grafana.lines == [f"m v={n}" for n in range(150, 200)]
    assert waiting.dropped == 150
    wait_for(lambda: len(told) == 2)
    assert "cannot be reached: Connection refused" in told[0]
    assert told[1] == "Grafana takes lines again; 150 were dropped for want of room, 0 were refused"


def test_lines_that_grafana_does_not_want_are_counted_and_hold_up_no_others(sender):
    waiting, told = Waiting(), Told()
    with serving() as grafana:
        grafana.failing = [400, *[500] * 5]
        started = sender(grafana.port, waiting, told)
        for n in (1, 2, 3):
            waiting.put([f"m v={n}"])
            wait_for(lambda n=n: started.refused + started.sent >= n)
    assert (started.refused, grafana.lines) == (2, ["m v=3"])
    assert "2 were refused" in told[-1]


def test_a_token_that_is_replaced_is_used_from_the_next_attempt_on(sender, token: Path):
    waiting, told = Waiting(), Told()
    token.write_text("old")
    with serving() as grafana:
        sender(grafana.port, waiting, told)
        waiting.put(["m v=1"])
        wait_for(lambda: told)
        token.write_text(TOKEN)
        grafana.wait(lambda: grafana.lines == ["m v=1"])
    assert "does not know the token" in told[0]


def wait_for(what, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


# what is chosen


NODES = [Node("host", ""), Node("freezer1", ""), Node("freezer2", ""), Node("lsof", "", sensitive=True)]


@pytest.mark.parametrize(
    ("targets", "nodes"),
    [
        ((), ["host", "freezer1", "freezer2"]),
        (("freezer*",), ["freezer1", "freezer2"]),
        (("host", "lsof::total"), ["host", "lsof"]),
        (("?ost::cpu",), ["host"]),
        (("*::cpu",), ["host", "freezer1", "freezer2"]),
    ],
)
def test_nodes_are_chosen_by_pattern_and_sensitive_ones_only_by_name(targets: tuple[str, ...], nodes: list[str]):
    assert choice(targets).nodes(NODES) == nodes


def test_fields_are_chosen_by_pattern_and_health_only_by_name():
    known = ["cpu", "cpu/0", "a[1]", "health.took", "health.state"]
    assert choice(("host",)).fields("host", known) == ["cpu", "cpu/0", "a[1]"]
    assert choice(("host::cpu*", "h*::health.took")).fields("host", known) == ["cpu", "cpu/0", "health.took"]
    assert choice(("host::a[1]",)).fields("host", known) == ["a[1]"]
    assert choice(("host::cpu",)).fields("other", known) == []
    assert choice(("host::cpu", "host::a*", "*::b")).plain == {"host": ["cpu"]}
    assert choice(("host::cpu", "host")) == Choice({"host": None})


@pytest.mark.parametrize("target", ["a b", "1x", "", "host::", "::cpu"])
def test_targets_that_are_none_are_refused(target: str):
    with pytest.raises(ValueError, match="cannot name a"):
        choice((target,))


async def test_at_a_pace_of_ones_own_the_newest_row_of_each_timeline_goes():
    taken: list[tuple[str, list[float]]] = []
    pace = Pace(lambda node, frame: taken.append((frame.timeline, frame.columns["v"].values.tolist())), 0.05)
    for timeline, t, values in (("a", (1, 2), [1.0, 2.0]), ("b", (9,), [9.0]), ("a", (3,), [3.0]), ("a", (2,), [0.0])):
        pace.take("n", Frame(timeline, np.array(t, np.int64), {"v": Column(np.array(values))}))
    task = asyncio.ensure_future(pace.run())
    while len(taken) < 2:
        await asyncio.sleep(0.01)
    task.cancel()
    assert taken == [("a", [3.0]), ("b", [9.0])]


# the command


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("http://grafana.example",), "in the clear"),
        (("http://127.0.0.1:3000", "--stream", "a/b"), "cannot name a stream"),
        (("http://127.0.0.1:3000", "--every", "soon"), "is not a duration"),
        (("http://127.0.0.1:3000", "--tag", "site"), "write it as KEY=VALUE"),
        (("http://127.0.0.1:3000", "1x"), "cannot name a data node"),
        (("http://127.0.0.1:3000",), "holds no token"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(tmp_path: Path, arguments: tuple[str, ...], sentence: str):
    empty = tmp_path / "token"
    empty.touch()
    ended = CliRunner().invoke(main, ["grafana", "push", *arguments, "--token-file", str(empty)], env=dict(os.environ))
    assert ended.exit_code == Exit.USAGE
    assert sentence in ended.output
