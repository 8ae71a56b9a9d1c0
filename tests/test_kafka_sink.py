"""A node's journal to a topic of a real Kafka: all of it, in order, whatever the broker does meanwhile."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sisock.frames import Frame, column
from sisock.nodes import LiveNode
from sisock.outlets import cursors
from sisock.outlets.cursors import Place
from sisock.outlets.kafka import Kafka, hang_up, kafka
from sisock.outlets.kafka_sink import Sink
from sisock.records import written
from sisock.settings import Settings
from sisock.store import quarantine
from sisock.store.journal import Journal
from sisock.streaming import stream
from sisock.times import NS
from tests.kafka_broker import Broker, broker, mock
from tests.nodes import working
from tests.topics import LEFT_OPEN, PATIENCE, collect, consumed

pytestmark = [pytest.mark.filterwarnings(each) for each in LEFT_OPEN]
T = 1_700_000_000 * 10**9


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("kafka"), message_bytes=100_000) as started:
        yield started
    collect()


class Writer:
    """A journal that is written to, and what must be in the topic for it."""

    def __init__(self, folder: Path, **limits) -> None:
        self.journal = Journal(folder / "node.sqlite", **limits)
        self.expected: list[bytes] = []

    def write(self, rows: int, timeline: str = "records", text: str = "a") -> None:
        seq = self.journal.next_seq(timeline) + rows
        values = {"n": column(np.arange(seq - rows, seq)), "text": column([text] * rows)}
        frame = Frame(timeline, np.arange(seq - rows, seq) + T, values, self.journal.epoch, seq)
        self.journal.commit(frames=[(timeline, frame)])
        self.expected += [each.value for each in written("node", frame)]


@pytest.fixture
def writer(tmp_path) -> Iterator[Writer]:
    made = Writer(tmp_path)
    yield made
    made.journal.close()


def until(true: Callable[[], bool], what: str) -> None:
    waiting = threading.Event()
    for _ in range(int(PATIENCE / 0.05)):
        if true():
            return
        waiting.wait(0.05)
    raise AssertionError(what)


def sent(sink: Sink, count: int) -> None:
    until(lambda: sink.place.sent >= count, f"{sink.place}, {sink.trouble}")


@pytest.fixture
def begun(tmp_path, writer) -> Iterator[Callable[[Kafka], Sink]]:
    sinks: list[Sink] = []

    def begin(where: Kafka) -> Sink:
        sinks.append(
            Sink(
                "node",
                where,
                writer.journal.read_from,
                tmp_path / "kafka" / "node.json",
                quarantine.Quarantine(tmp_path, "node"),
            )
        )
        sinks[-1].start()
        return sinks[-1]

    yield begin
    for each in sinks:
        each.stop(PATIENCE)


def test_the_topic_equals_the_journal_and_goes_on_where_it_was(running, writer, begun, tmp_path):
    where = Kafka(running.address, "all.{node}", "0.9")
    writer.write(3000)
    writer.write(200, "other")
    first = begun(where)
    sent(first, 3200)
    first.stop(PATIENCE)
    writer.write(500)
    second = begun(where)
    sent(second, 3700)
    messages = consumed(where, "all.node", 3700)
    assert sorted(each.value for each in messages) == sorted(writer.expected)
    assert len(messages) == 3700
    assert len({each.key for each in messages}) == 3700
    of_one = [json.loads(each.value)["seq"] for each in messages if b'"records"' in each.value]
    assert of_one == sorted(of_one)  # one partition a timeline, in order
    assert cursors.load(tmp_path / "kafka" / "node.json") == second.place == Place(writer.journal.epoch, 3700, 3700)


def test_a_broker_that_hangs_dies_and_comes_back_costs_nothing(running, writer, begun):
    where = Kafka(running.address, "killed", "0.9")
    writer.write(1000)
    sink = begun(where)
    sent(sink, 1000)
    running.pause()
    try:
        writer.write(2000)  # nobody who measures waits
        until(lambda: sink.trouble is not None, "it does not tell")
        assert "does not answer" in sink.trouble
        running.kill()
        writer.write(2000)
        assert sink.place.sent == 1000
    finally:
        running.start()
    sent(sink, 5000)
    until(lambda: sink.trouble is None, "it goes on to tell of trouble that is over")
    values = {each.value for each in consumed(where, "killed", 5000)}
    assert values == set(writer.expected)


def test_48_hours_without_a_broker_arrive_with_their_times_in_order_and_once(running, writer, begun):
    rows, step = 48 * 360, 10 * NS  # a sample each ten seconds
    t = time.time_ns() - rows * step + np.arange(rows) * step
    frame = Frame("freezer", t, {"n": column(np.arange(rows))}, writer.journal.epoch, rows)
    writer.journal.commit(frames=[("freezer", frame)])
    sent(begun(Kafka(running.address, "absent", "0.9")), rows)
    records = [json.loads(each.value) for each in consumed(Kafka(running.address, version="0.9"), "absent", rows)]
    assert [(each["t"], each["n"]) for each in records] == list(zip(t.tolist(), range(rows), strict=True))


def test_what_had_to_go_from_the_journal_is_counted(running, tmp_path, begun):
    small = Writer(tmp_path / "small", most_bytes=200_000)
    place = tmp_path / "kafka" / "small.json"
    small.write(10)
    cursors.save(place, Place(small.journal.epoch, 10, 10))
    for _ in range(50):
        small.write(1000, text="long " * 20)
    sink = Sink("node", Kafka(running.address, "small", "0.9"), small.journal.read_from, place)
    sink.start()
    until(lambda: sink.place.position == small.journal.position, str(sink.place))
    sink.stop(PATIENCE)
    assert sink.place.dropped > 0
    assert sink.told_of_late == f"{sink.place.dropped} samples had to go from the journal before Kafka took them"
    assert sink.place.dropped + sink.place.sent == 50_010
    small.journal.close()


def test_a_sample_that_no_broker_takes_holds_up_no_other_and_is_in_quarantine(running, writer, begun, tmp_path):
    writer.write(10)
    writer.write(1, text="x" * 150_000)
    writer.write(10)
    sink = begun(Kafka(running.address, "large", "0.9"))
    sent(sink, 20)
    assert sink.place.refused == 1
    assert sink.trouble is None
    assert sink.told_of_late == "1 were too large for Kafka: see `sisock quarantine node`"
    (only,) = quarantine.latest(tmp_path, "node", 9)
    assert (only.source, only.reason) == ("kafka", "it is larger than Kafka takes")
    assert json.loads(writer.expected[10])["text"] == "x" * 150_000
    assert only.payload == writer.expected[10][:65_536]


def test_a_newer_broker_gets_the_time_of_each_sample(writer, begun):
    with mock() as address:
        where = Kafka(address, "times", "2.2")
        writer.write(100)
        sent(begun(where), 100)
        assert {each.timestamp for each in consumed(where, "times", 100)} == {T // 10**6}


def test_without_a_broker_it_waits_and_says_so(writer, begun):
    sink = begun(Kafka("127.0.0.1:1", "x"))
    until(lambda: sink.trouble is not None, "it does not tell")
    assert sink.trouble.startswith("Kafka at 127.0.0.1:1 does not answer")


def test_the_hub_says_where_kafka_is_to_who_does_not_know(running, writer, begun):
    sink = begun(Kafka(version="0.9"))
    writer.write(5)
    sink.told(None)
    assert sink.trouble.startswith("the hub names no Kafka")
    sink.told({"bootstrap": running.address, "topic": "told.{node}"})
    sent(sink, 5)
    assert len(consumed(Kafka(running.address, version="0.9"), "told.node", 5)) == 5
    before = sink._kafka
    sink.told({"bootstrap": running.address, "topic": "told.{node}"})
    assert sink._kafka is before
    sink.told({"bootstrap": running.address, "topic": "elsewhere.{node}"})
    writer.write(5)
    assert len(consumed(Kafka(running.address, version="0.9"), "elsewhere.node", 5)) == 5


def test_whoever_asks_for_nothing_again_and_again_has_no_thread_more(monkeypatch):
    from kafka import KafkaConsumer
    from kafka.errors import KafkaTimeoutError

    for ask in (Kafka("127.0.0.1:1").consumer, Kafka("127.0.0.1:1").producer):
        with pytest.raises(KafkaTimeoutError):
            ask(bootstrap_timeout_ms=100)
    monkeypatch.setattr(KafkaConsumer, "close", lambda *args, **kwargs: 1 / 0)
    hang_up(Kafka("127.0.0.1:1", version="0.9").consumer())
    assert [each.name for each in threading.enumerate() if each.name.startswith("kafka")] == []


async def test_a_nodes_health_tells_that_kafka_is_away(tmp_path):
    class Meter(LiveNode):
        interval = 0.05

        def sample(self):
            return {"x": 1}

    service = Meter().service(journal=lambda: Journal(tmp_path / "meter.sqlite"))
    sink = stream(service, Settings(state=tmp_path), {"bootstrap": "127.0.0.1:1", "topic": "x"})
    async with working(service) as published:
        sink.start()
        frames = await published.until(lambda frames: any("Kafka at 127.0.0.1:1" in told(frame) for frame in frames))
        assert {frame.columns["health.state"].values[0] for frame in frames if frame.timeline == "health"} == {"ok"}
        await asyncio.to_thread(sink.stop)


def told(frame: Frame) -> str:
    return str(frame.columns["health.error"].values[0]) if frame.timeline == "health" else ""


async def test_a_node_without_a_journal_is_told_that_it_has_nothing_to_send(tmp_path):
    class Meter(LiveNode):
        def sample(self):
            return {"x": 1}

    with pytest.raises(ValueError, match="meter keeps no journal that could go to Kafka"):
        stream(Meter().service(), Settings(state=tmp_path), True)
    assert stream(Meter().service(), Settings(state=tmp_path), False) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"v": 2}', '{"v": 1, "epoch": 5}'])
def test_a_damaged_cursor_begins_anew_and_is_told(tmp_path, caplog, text):
    (tmp_path / "c.json").write_text(text)
    assert cursors.load(tmp_path / "c.json") == Place()
    assert "is no cursor" in caplog.text


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("yes", "give true, or a table"),
        ({"colour": "red"}, "kafka.colour is unknown"),
        ({"bootstrap": 9092}, "kafka.bootstrap = 9092: give a text"),
        ({"version": "new"}, "write it as 0.9"),
        ({"user": "ann"}, "needs kafka.password_file"),
    ],
)
def test_what_cannot_be_a_kafka_is_refused_with_the_cure(given, why):
    with pytest.raises(ValueError, match=why):
        kafka(given)
    assert kafka(False) is None
    assert kafka({"bootstrap": "a:1", "topic": "t"}) == Kafka("a:1", "t")


def test_who_signs_in_does_so_as_told(tmp_path):
    (tmp_path / "password").write_text("secret\n")
    options = Kafka("a:1, b:2", user="ann", password_file=str(tmp_path / "password"), ca="ca.pem")._options()
    assert options["bootstrap_servers"] == ["a:1", "b:2"]
    assert options["security_protocol"] == "SASL_SSL"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("ann", "secret")
    assert "api_version" not in options
