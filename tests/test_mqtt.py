"""The node `mqtt` with a real Mosquitto: what was acknowledged is on disk, what was not comes again, once."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_nodes.admitting import Fields
from data_nodes.mqtt.broker import Broker
from data_nodes.mqtt.node import Mqtt
from data_nodes.mqtt.payloads import Message, Payloads
from data_nodes.mqtt.topics import rules
from data_nodes.points import Naming
from data_nodes.points import rules as names
from sisock.nodes import Intake
from sisock.nodes.rows import Schema
from sisock.records.mapping import mapping
from sisock.store import quarantine
from sisock.store.journal import Journal, JournalError
from tests.mosquitto import mosquitto
from tests.nodes import data, working

NOW = 1_700_000_000 * 10**9


@pytest.fixture
def broker(tmp_path):
    with mosquitto(tmp_path / "broker") as running:
        yield running


@contextlib.asynccontextmanager
async def gateway(folder, port, **options):
    node = Mqtt(port=port, **options)
    node.home, node.interval = folder, 0.05
    service = node.service(journal=lambda: Journal(folder / "mqtt.sqlite", patient=True))
    async with working(service) as published:
        yield service, published


async def subscribed(published):
    await published.health("ok")


def values(frames, field):
    return [v for frame in frames if field in frame.columns for v in frame.columns[field].values.tolist()]


async def test_numbers_texts_and_records_become_fields_of_their_topics(tmp_path, broker):
    async with gateway(tmp_path, broker.port, topics=["home/{device}/{field}", "lab/#"]) as (service, published):
        await subscribed(published)
        broker.publish("home/kitchen/temperature", "21.5", "22")
        broker.publish("home/kitchen/door", "open")
        broker.publish("home/cellar/wet", "true")
        broker.publish("lab/cryostat", '{"stage": {"one": 4.2}, "ok": true}')
        await published.until(lambda frames: values(frames, "lab/cryostat/ok"))
        assert await data(service, "kitchen/temperature", "kitchen/door", "cellar/wet", "lab/cryostat/stage/one") == {
            "kitchen/temperature": [21.5, 22], "kitchen/door": ["open"], "cellar/wet": [True],
            "lab/cryostat/stage/one": [4.2],
        }  # fmt: skip


async def test_line_protocol_is_read_where_a_topic_says_so(tmp_path, broker):
    topics = [{"topic": "telegraf/#", "form": "lines"}]
    async with gateway(tmp_path, broker.port, topics=topics) as (service, published):
        await subscribed(published)
        broker.publish("telegraf/a/mem", "mem,host=a used=5i", "mem,host=a used=")
        await published.until(lambda frames: sum(values(frames, "received.quarantined")))
        assert await data(service, "a/mem/used") == {"a/mem/used": [5]}
    (bad,) = quarantine.latest(tmp_path, "mqtt", 9)
    assert (bad.source, bad.payload) == ("telegraf/a/mem", b"mem,host=a used=")


async def test_senml_has_times_and_units(tmp_path, broker):
    pack = '[{"bn": "dev1:", "bt": 1700000000, "n": "t", "u": "Cel", "v": 21.5}, {"n": "t", "t": 1, "v": 22}, {"n": "on", "vb": true}]'
    topics = [{"topic": "senml/{device}", "form": "senml"}]
    async with gateway(tmp_path, broker.port, topics=topics) as (service, published):
        await subscribed(published)
        broker.publish("senml/hall", pack)
        await published.until(lambda frames: values(frames, "hall/dev1:on"))
        assert await data(service, "hall/dev1:t") == {"hall/dev1:t": [21.5, 22]}
        assert (await service.get_fields(0, 0))[0]["hall/dev1:t"].units == "°C"


async def test_what_cannot_be_a_sample_is_quarantined_and_does_not_come_again(tmp_path, broker):
    async with gateway(tmp_path, broker.port, largest=1000) as (_, published):
        await subscribed(published)
        broker.publish("a", "1", "one")
        broker.publish_whole("b", b"\xff\xfe")
        broker.publish_whole("c", b"{")
        broker.publish_whole("d", b"x" * 1001)
        broker.publish("e", "2")
        await published.until(lambda frames: 2 in values(frames, "e"))
        await published.until(lambda frames: 4 in values(frames, "received.quarantined"))
    reasons = {each.source: each.reason for each in quarantine.latest(tmp_path, "mqtt", 9)}
    assert "was a number before" in reasons["a"]
    assert "neither text nor a record" in reasons["b"]
    assert "not JSON" in reasons["c"]
    assert "1000 at the most" in reasons["d"]


async def test_what_is_published_while_the_gateway_is_away_comes_when_it_is_back(tmp_path, broker):
    async with gateway(tmp_path, broker.port) as (_, published):
        await subscribed(published)
    broker.publish("n", *map(str, range(50)))
    async with gateway(tmp_path, broker.port) as (service, published):
        await published.until(lambda frames: 49 in values(frames, "n"))
        assert (await data(service, "n"))["n"] == list(range(50))


async def test_a_broker_that_stops_and_is_back_has_lost_nothing(tmp_path, broker):
    async with gateway(tmp_path, broker.port) as (service, published):
        await subscribed(published)
        broker.publish("n", *map(str, range(20)))
        broker.stop()
        await published.until(lambda frames: any("connection to the broker" in str(text) for text in told(frames)))
        broker.start()
        broker.publish("n", *map(str, range(20, 40)))
        await published.until(lambda frames: 39 in values(frames, "n"))
        assert (await data(service, "n"))["n"] == list(range(40))


def told(frames):
    return values(frames, "health.error")


async def test_without_a_broker_it_says_so_and_waits(tmp_path, broker):
    broker.stop()
    async with gateway(tmp_path, broker.port) as (_, published):
        await published.until(
            lambda frames: f"there is no broker at localhost:{broker.port}; it is tried again" in told(frames)
        )
        broker.start()
        await published.health("ok")


async def test_retained_messages_are_taken_only_where_wanted(tmp_path, broker):
    broker.publish("old", "1", options=("-r",))
    async with gateway(tmp_path, broker.port) as (service, published):
        await published.until(lambda frames: 1 in values(frames, "mqtt.retained"))
        assert (await data(service, "old"))["old"] == []
    async with gateway(tmp_path, broker.port, retained=True) as (_, published):
        await published.until(lambda frames: 1 in values(frames, "old"))


async def test_a_password_is_shown_and_a_wrong_one_is_told(tmp_path):
    passwords = tmp_path / "passwords"
    passwords.write_text("ann:right\n")
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
    passwords.chmod(0o644)
    tmp_path.chmod(0o755)
    secret = tmp_path / "secret"
    with mosquitto(tmp_path / "broker", access=f"allow_anonymous false\npassword_file {passwords}") as broker:
        for given, wanted in (("wrong", "no data"), ("right", "ok")):
            secret.write_text(given)
            async with gateway(tmp_path, broker.port, username="ann", password=str(secret)) as (_, published):
                await published.until(lambda frames, wanted=wanted: any(
                    (text or "").startswith("the broker at") for text in told(frames)
                ) if wanted != "ok" else "ok" in values(frames, "health.state"))  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*SSLSocket:pytest.PytestUnraisableExceptionWarning")  # paho leaves it open
async def test_a_broker_with_a_certificate_is_reached_and_an_unknown_one_is_not(tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    for file in (certificate, key):
        file.chmod(0o644)
    tmp_path.chmod(0o755)
    with mosquitto(tmp_path / "broker", more=f"certfile {certificate}\nkeyfile {key}") as broker:
        async with gateway(tmp_path, broker.port, tls=True) as (_, published):
            await published.until(
                lambda frames: any("is not trusted: self-signed certificate" in str(text) for text in told(frames))
            )
        async with gateway(tmp_path, broker.port, ca=str(certificate)) as (_, published):
            await subscribed(published)
            broker.publish("n", "1", options=("--cafile", str(certificate), "-h", "localhost"))
            await published.until(lambda frames: 1 in values(frames, "n"))


KILLED = """
import asyncio, sys
from pathlib import Path
from data_nodes.mqtt import broker
from data_nodes.mqtt.node import Mqtt
from sisock.store.journal import Journal, JournalError

acknowledge = broker.Broker.acknowledge
def told(self, messages):
    if sys.argv[3] == "after":
        acknowledge(self, messages)
    for each in messages:
        print(each.payload.decode(), flush=True)
    if sys.argv[3] == "before":
        sys.stdin.read()
broker.Broker.acknowledge = told
node = Mqtt(port=int(sys.argv[2]))
node.home = Path(sys.argv[1])
service = node.service(journal=lambda: Journal(node.home / "mqtt.sqlite", patient=True))
asyncio.run(service.run(lambda frame: None))
"""


async def test_what_comes_again_while_the_disk_is_full_is_not_acknowledged(tmp_path, broker, monkeypatch):
    commit, full, acknowledged, tries, twice = Journal.commit, True, [], [], asyncio.Event()
    keep, acknowledge = Intake.keep, Broker.acknowledge

    def committed(self, *given):
        if full:
            raise JournalError("the disk is full")
        return commit(self, *given)

    async def tried(self, *given, **more):
        tries.append(1)
        if len(tries) > 1:
            twice.set()
        return await keep(self, *given, **more)

    def told(self, messages):
        acknowledged.append(full)
        twice.set()
        acknowledge(self, messages)

    monkeypatch.setattr(Journal, "commit", committed)
    monkeypatch.setattr(Intake, "keep", tried)
    monkeypatch.setattr(Broker, "acknowledge", told)
    async with gateway(tmp_path, broker.port) as (service, published):
        await subscribed(published)
        broker.publish("n", "1")
        await asyncio.wait_for(twice.wait(), 60)
        full = False
        broker.publish("n", "2")
        await published.until(lambda frames: 2 in values(frames, "n"))
        assert (await data(service, "n"))["n"] == [1, 2]
    assert True not in acknowledged


@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_was_kept_is_there_once_after_kill_9_beside_its_acknowledgement(tmp_path, broker, when):
    async with gateway(tmp_path, broker.port) as (_, published):
        await subscribed(published)
    broker.publish("n", *map(str, range(100)))
    for _ in range(3):
        argv = [sys.executable, "-c", KILLED, str(tmp_path), str(broker.port), when]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as child:
            assert child.stdout.readline()
            child.send_signal(signal.SIGKILL)
        broker.publish("n", *map(str, range(100 + 10 * _, 110 + 10 * _)))
    async with gateway(tmp_path, broker.port) as (service, _):
        kept = []
        async with asyncio.timeout(60):
            while len(kept) < 130:
                await asyncio.sleep(0.05)
                kept = (await data(service, "n"))["n"]
        assert sorted(kept) == list(range(130))


def read(fields, *payloads):
    """What messages of one topic become: values, and why the others become none."""
    payloads = [Message("t", each.encode(), NOW, 1, False, False) for each in payloads]
    made = Payloads(rules(["#"]), mapping({}), Naming(names([]), fields), fields).read(payloads)
    found = [value for frame in made.frames for value in frame.columns["t"].values.tolist()]
    return found, [(each.message.payload.decode(), each.reason) for each in made.refused]


@pytest.mark.parametrize("odd", ["inf", "-Infinity", "NaN", "+INF"])
def test_what_is_written_for_no_number_is_one_unless_the_field_is_a_text(odd):
    fields = Fields()
    assert read(fields, odd, "1.5") == ([pytest.approx(float(odd), nan_ok=True), 1.5], [])
    texts = Fields()
    assert read(texts, "on")[0] == ["on"]
    assert read(texts, odd) == ([odd], [])


@pytest.mark.parametrize("large", ["1e999", "-1e999", "9" * 400])
def test_a_number_too_large_for_a_float_is_refused_and_no_text(large):
    fields = Fields()
    assert read(fields, large, "1") == ([1], [(large, "it is a number too large for a float64")])
    assert len(read(fields, f'{{"a": {large}}}')[1]) == 1


@pytest.mark.parametrize(
    ("pattern", "topic", "name"),
    [
        ("home/{device}/{field}", "home/kitchen/t", "kitchen/t"), ("home/{device}/{field}", "home/kitchen", None),
        ("home/{device}/{field}", "home/kitchen/t/x", None), ("#", "a/b", "a/b"), ("a/#", "a", "a"),
        ("a/+/{what}", "a/b/c", "c"), ("a/{what}/#", "a/b/c/d", "b/c/d"), ("a/b", "a/c", None), ("#", "/", "/"),
    ],
)  # fmt: skip
def test_a_pattern_names_the_topics_that_fit(pattern, topic, name):
    (rule,) = rules([pattern])
    assert rule.name(topic) == name


@pytest.mark.parametrize("odd", ["", "a/#/b", "a+/b", "{x", 5, {"topic": "a", "form": "odd"}, {"topics": "a"}])
def test_what_is_no_pattern_is_refused_with_the_cure(odd):
    with pytest.raises((ValueError, TypeError)):
        rules([odd])


def test_a_password_does_not_cross_a_network_in_the_clear():
    with pytest.raises(ValueError, match="in the clear to 192"):
        Mqtt(host="192.0.2.1", password="file")
    Mqtt(host="192.0.2.1", password="file", tls=True)
    assert json.dumps(Mqtt(host="192.0.2.1", password="file", plaintext=True).port) == "1883"


topic_names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
payload_bytes = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"{", b'{"a": [1]}', b'[{"a": 1}, 2]', b"1e999", b"0x1", b"\xa1aa\x01", b"\xbf", b'{"time": "x", "a": 1}']),
    st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda each: st.dictionaries(st.text(max_size=5), each, max_size=4), max_leaves=8).map(lambda made: json.dumps(made).encode()),
)  # fmt: skip


@given(st.lists(st.tuples(topic_names, payload_bytes), max_size=20))
@settings(max_examples=300, deadline=None)
def test_whatever_is_published_is_taken_or_refused_by_itself(came):
    fields = Fields()
    how = Mqtt()._how
    payloads = Payloads(
        rules(["a/{b}", {"topic": "l/#", "form": "lines"}, {"topic": "s/#", "form": "senml"}, "#"]),
        how,
        Naming(names([]), fields),
        fields,
    )
    messages = [
        Message(topic, payload, NOW + at, 1, again=False, retained=False) for at, (topic, payload) in enumerate(came)
    ]
    made = payloads.read(messages)
    for frame in made.frames:
        assert not Schema({}).frames(frame, NOW)[1]
    told = {each.message.t for each in made.refused} | {t for frame in made.frames for t in frame.t.tolist()}
    assert {m.t for m in messages if m.payload.lstrip()[:1] not in (b"{", b"[") and m.payload[:1] < b"\x80"} <= told  # fmt: skip


def test_topics_beyond_what_a_node_may_have_are_refused(monkeypatch):
    monkeypatch.setattr("data_nodes.admitting.MOST", 3)
    fields = Fields()
    payloads = Payloads(rules(["#"]), Mqtt()._how, Naming(names([]), fields), fields)
    made = payloads.read([Message(f"t/{n}", b"1", NOW, 1, again=False, retained=False) for n in range(9)])
    assert (len(made.frames), len(made.refused)) == (3, 6)


class Acknowledging:
    """A broker of which only the acknowledgements are heard."""

    def __init__(self):
        self.acknowledged = []

    def acknowledge(self, messages):
        self.acknowledged += messages


async def test_of_very_many_fields_in_messages_that_are_taken_together_none_is_left_out(tmp_path):
    records = json.dumps([{"n": name, "v": 1.5} for name in "abc"]).encode()
    came = [Message(f"home/{number % 300}/s", records, NOW + number, number, False, False) for number in range(4000)]
    mqtt, heard = Mqtt(topics=[{"topic": "home/{device}/s", "form": "senml"}], plaintext=True), Acknowledging()
    mqtt.home, over = tmp_path, asyncio.get_running_loop().create_future()
    payloads = Payloads(mqtt._rules, mqtt._how, Naming(mqtt._lines, mqtt._met), mqtt._met)

    async def receive(intake):
        await mqtt._take(intake, payloads, heard, came)
        over.set_result(None)
        await asyncio.Event().wait()

    mqtt.receive = receive
    service = mqtt.service(journal=lambda: Journal(tmp_path / "mqtt.sqlite"))
    async with working(service):
        await asyncio.wait_for(over, 60)
        assert len(heard.acknowledged) == 4000
        taken = await data(service, *(f"{number}/{name}" for number in (0, 299) for name in "abc"))
        assert {name: len(each) for name, each in taken.items()} == {
            f"{number}/{name}": count for number, count in ((0, 14), (299, 13)) for name in "abc"
        }
        assert service.quarantine.count == 0


async def test_a_field_keeps_its_kind_also_when_the_connection_was_made_anew(tmp_path, broker, monkeypatch):
    monkeypatch.setattr("sisock.nodes.receiving._AGAIN_FIRST", 0.01)
    failing, take = [], Mqtt._take

    async def once(self, intake, payloads, broker, came):
        await take(self, intake, payloads, broker, came)
        if not failing:
            failing.append(1)
            raise ValueError("odd")

    monkeypatch.setattr(Mqtt, "_take", once)
    async with gateway(tmp_path, broker.port, topics=["#"]) as (_, published):
        await subscribed(published)
        broker.publish("k/t", "1.5")
        await published.until(lambda frames: any(values(frames, "k/t")))
        await published.health("failed")
        broker.publish("k/t", "warm")
        broker.publish("k/t", "2.5")
        await published.until(lambda frames: values(frames, "k/t") == [1.5, 2.5])
    (refused,) = quarantine.latest(tmp_path, "mqtt", 9)
    assert (refused.source, refused.payload) == ("k/t", b"warm")
