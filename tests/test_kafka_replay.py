"""Topics of a real Kafka as a data node: any time of them, what comes, and their past once more."""

import asyncio
import contextlib
import json
import time
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from data_nodes.kafka_replay.following import Group
from data_nodes.kafka_replay.node import KafkaReplay
from data_nodes.kafka_replay.reading import meet
from data_nodes.kafka_replay.seeking import NEAR, Look, Marks, seek
from sisock.frames import Field, Frame, Query, column
from sisock.nodes.base import MOST_FIELDS, tags_of
from sisock.outlets.kafka import Kafka
from sisock.records import Mapping
from sisock.reduction import TooMuchError
from sisock.store.journal import Journal, JournalError
from sisock.times import NS
from tests.kafka_broker import Broker, broker, mock
from tests.nodes import working
from tests.topics import LEFT_OPEN, PATIENCE, collect, fill, produce

pytestmark = [pytest.mark.filterwarnings(each) for each in LEFT_OPEN]
T = 1_700_000_000 * NS
LARGE = 1_000_000  # messages of the large topic


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("kafka")) as started:
        yield started
    collect()


@pytest.fixture(scope="module")
def where(running) -> Kafka:
    return Kafka(running.address, version="0.9")


def record(t: int, **fields) -> bytes:
    return json.dumps({"node": "lab", "timeline": "seconds", "t": t, **fields}).encode()


def second(number: int) -> tuple[int, bytes]:
    """One of the large topic: two timelines in two partitions, a sample a second each."""
    partition = number % 2
    name, field = ("odd", "y") if partition else ("seconds", "x")
    return partition, b'{"node":"lab","timeline":"%b","t":%d,"%b":%d}' % (
        name.encode(),
        T + number * NS,
        field.encode(),
        number,
    )


def replay(kafka: Kafka, *topics: str, **options) -> KafkaReplay:
    node = KafkaReplay(
        bootstrap=kafka.bootstrap,
        topics=topics,
        connection={"version": kafka.version} if kafka.version else {},
        **options,
    )
    node.name = options.pop("name", "kafka_replay")
    return node


async def until_ok(service, state="ok"):
    """Wait until the node says that it is; what it says."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await service.get_data(Query(("health.state", "health.error"), 0, 2**62))
            states = answer.series("health.state")[1].values.tolist()
            if states and states[-1] == state:
                return [*answer.series("health.error")[1].values.tolist(), ""][-2]
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def large(where) -> int:
    """A topic of as many seconds; how many."""
    fill(where, "large", map(second, range(LARGE)))
    return LARGE


async def test_any_minute_of_a_topic_is_there(where, large):
    service = replay(where, "large").service()
    async with working(service):
        await until_ok(service)
        fields, timelines = await service.get_fields(0, 0)
        assert {"lab/x", "lab/y"} < set(fields)
        assert timelines["lab/seconds"].interval == 2
        for minute in (0, 1, large // 120, large // 60 - 1):
            start, end = minute * 60, minute * 60 + 60
            answer = await service.get_data(Query(("lab/x", "lab/y"), T + start * NS, T + end * NS))
            assert answer.series("lab/x")[1].values.tolist() == list(range(start, end, 2))
            assert answer.series("lab/y")[1].values.tolist() == list(range(start + 1, end, 2))
        before = await service.get_data(Query(("lab/x",), T - 3600 * NS, T))
        assert len(before.series("lab/x")[0]) == 0


async def test_the_sample_nearest_to_an_instant_is_found(where, large):
    service = replay(where, "large").service()
    async with working(service):
        await until_ok(service)
        answer = await service.get_sample(["lab/x"], T + 1001 * NS, "before")
        assert answer.series("lab/x")[1].values.tolist() == [1000]
        answer = await service.get_sample(["lab/x"], T + 1000 * NS, "after")
        assert answer.series("lab/x")[1].values.tolist() == [1002]


async def test_a_topic_with_times_in_its_messages_only_and_one_without_are_read(where):
    with mock() as address:
        new = Kafka(address, version="2.2")
        produce(new, "plain", [(0, b'{"x": %d}' % i, (T + i * NS) // 10**6) for i in range(3000)])
        service = replay(new, "plain", records={"device": ""}).service()
        async with working(service):
            await until_ok(service)
            answer = await service.get_data(Query(("x",), T + 100 * NS, T + 110 * NS))
            assert answer.series("x")[1].values.tolist() == list(range(100, 110))
    produce(where, "untimed", [(0, b'{"x": 1}', None)])
    service = replay(where, "untimed").service()
    async with working(service) as published:
        assert await until_ok(service, "no data") == "there is no sample in the topics yet"
        assert service._quarantine.latest.reason == "it has no time, and its message has none either"
        assert published is not None


async def test_what_is_no_sample_is_in_quarantine_and_the_rest_is_there(where, tmp_path):
    messages = [record(T + i * NS, x=i) for i in range(1000)]
    messages[100:100] = [b"\xff\x00", b"{", record(T + 20 * 366 * 86400 * NS, x=1), record(T, x="text"), record(5, x=1)]
    messages[500:500] = [json.dumps({"t": T, "x": "y" * 2_500_000}).encode()]
    messages.insert(700, record(T + 694 * NS, x=None, new="schema"))
    produce(where, "odd", [(0, each, None) for each in messages])
    node = replay(where, "odd", records={"earliest": 10**9})
    node.home = tmp_path
    service = node.service()
    async with working(service):
        await until_ok(service)
        answer = await service.get_data(Query(("lab/x", "lab/new"), T, T + 2000 * NS))
        assert answer.series("lab/x")[1].values[answer.series("lab/x")[1].present()].tolist() == list(range(1000))
        assert "schema" in answer.series("lab/new")[1].values.tolist()
        assert "6 messages about that time are no samples" in " ".join(answer.notices)
        assert service._quarantine.count == 6
        assert service._quarantine.latest.source.startswith("odd/0@")


async def test_a_message_that_is_larger_than_what_is_read_at_once_costs_only_itself(where, monkeypatch):
    from data_nodes.kafka_replay import topics

    monkeypatch.setattr(topics, "MOST_BYTES", 2**20)
    messages = [record(T + i * NS, x=i) for i in range(100)]
    messages[50:50] = [b"x" * 2_000_000]
    produce(where, "giant", [(0, each, None) for each in messages])
    service = replay(where, "giant").service()
    async with working(service):
        await until_ok(service)
        answer = await service.get_data(Query(("lab/x",), T, T + 100 * NS))
        assert answer.series("lab/x")[1].values.tolist() == list(range(100))
        assert service._quarantine.latest.reason.startswith("it is larger than")


async def test_too_many_messages_are_told_with_the_cure(where, large, monkeypatch):
    from data_nodes.kafka_replay import windows

    monkeypatch.setattr(windows, "MOST", 5000)
    service = replay(where, "large").service()
    async with working(service):
        await until_ok(service)
        with pytest.raises(TooMuchError, match="ask for less time, or have them recorded"):
            await service.get_data(Query(("lab/x",), T, T + large * NS))


async def test_what_an_answer_holds_is_bounded_in_bytes(where, large, monkeypatch):
    from data_nodes.kafka_replay import windows

    service = replay(where, "large").service()
    async with working(service):
        await until_ok(service)
        everything = Query(("lab/x",), T, T + 20_000 * NS, max_points=100)
        assert len((await service.get_data(everything)).parts) == 1
        service._windows._kept.clear()
        monkeypatch.setattr(windows, "MOST_HELD", 200_000)
        with pytest.raises(
            TooMuchError, match=r"more than 0\.2 MB of samples: ask for less time, or have them recorded"
        ):
            await service.get_data(everything)
        for minute in range(3):
            await service.get_data(Query(("lab/x",), T + minute * 60 * NS, T + (minute + 10) * 60 * NS))
        held = [found.size for found in service._windows._kept.values()]
        assert len(held) < 3
        assert sum(held) <= 200_000


async def test_messages_are_let_go_as_soon_as_they_are_read(where):
    count, padding = 6000, "y" * 10_000
    produce(where, "padded", [(0, record(T + n * NS, x=n, padding=padding), None) for n in range(count)])
    service = replay(where, "padded", records={"leave": ["padding"]}).service()
    async with working(service):
        await until_ok(service)
        tracemalloc.start()
        try:
            answer = await service.get_data(Query(("lab/x",), T, T + count * NS))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert answer.series("lab/x")[1].values.tolist() == list(range(count))
    assert peak < count * len(padding)  # what it holds is less than what went through


async def test_what_was_sent_twice_is_one_sample_however_far_apart(where, monkeypatch):
    from data_nodes.kafka_replay import topics

    monkeypatch.setattr(topics, "_AT_ONCE", 100)
    again = [record(T + n * NS, x=n, epoch="e", seq=n) for n in [*range(500), *range(200), *range(500, 600)]]
    produce(where, "twice", [(0, each, None) for each in again])
    service = replay(where, "twice").service()
    async with working(service):
        await until_ok(service)
        answer = await service.get_data(Query(("lab/x",), T, T + 1000 * NS))
        assert answer.series("lab/x")[1].values.tolist() == list(range(600))


async def test_it_starts_against_nothing_waits_and_says_so():
    service = replay(Kafka("127.0.0.1:1"), "x").service()
    async with working(service):
        assert "Kafka at 127.0.0.1:1 does not answer" in await until_ok(service, "no data")


async def test_what_comes_is_followed_and_instances_share_it(where, tmp_path):
    topic = "shared"
    produce(where, topic, [(number % 2, record(T + number * NS, x=number), None) for number in range(100)])
    made = [replay(where, topic, follow=True, group="two") for _ in range(2)]
    services = []
    for number, node in enumerate(made):
        node.name, node.home = f"part{number}", tmp_path
        services.append(node.service(journal=lambda number=number: Journal(tmp_path / f"{number}.sqlite")))
    async with working(services[0]), working(services[1]):
        async with asyncio.timeout(PATIENCE):
            while not all(each._receiving._group._has == 1 for each in services):
                await asyncio.sleep(0.05)
        later = [(number % 2, record(T + number * NS, x=number), None) for number in range(100, 200)]
        await asyncio.to_thread(produce, where, topic, later)
        async with asyncio.timeout(PATIENCE):
            while True:
                shares = [await values(each, "lab/x") for each in services]
                if set().union(*shares) == set(range(200)):
                    break
                await asyncio.sleep(0.05)
        assert all(share & set(range(100, 200)) for share in shares)
        assert not shares[0] & shares[1] & set(range(100, 200))


async def values(service, field) -> set:
    return set((await service.get_data(Query((field,), 0, 2**62))).series(field)[1].values.tolist())


async def test_who_follows_goes_on_where_it_was(where, tmp_path):
    def service():
        node = replay(where, "onward", follow=True)
        node.name, node.home = "onward", tmp_path
        return node.service(journal=lambda: Journal(tmp_path / "onward.sqlite"))

    for begin in (0, 50):
        produce(where, "onward", [(0, record(T + n * NS, x=n), None) for n in range(begin, begin + 50)])
        at_work = service()
        async with working(at_work), asyncio.timeout(PATIENCE):
            while await values(at_work, "lab/x") != set(range(begin + 50)):
                await asyncio.sleep(0.05)
            answer = await at_work.get_data(Query(("lab/x",), 0, 2**62))
            assert len(answer.series("lab/x")[0]) == begin + 50  # none twice


@pytest.mark.parametrize("given_up", [False, True])
async def test_who_follows_while_the_disk_is_full_has_each_message_once_afterwards(
    where, tmp_path, monkeypatch, given_up
):
    commit, full = Journal.commit, True

    def failing(self, *given):
        if full:
            if given_up:
                self.shed(0)
            raise JournalError("the disk is full")
        commit(self, *given)

    monkeypatch.setattr(Journal, "commit", failing)
    topic = f"full{given_up}"
    produce(where, topic, [(0, record(T + n * NS, x=n), None) for n in range(50)])
    node = replay(where, topic, follow=True)
    node.name, node.home = topic, tmp_path
    at_work = node.service(journal=lambda: Journal(tmp_path / "full.sqlite"))
    async with working(at_work) as published, asyncio.timeout(PATIENCE):
        await published.until(lambda frames: sum("the disk is full" in error for error in errors(frames)) > 3)
        full = False
        produce(where, topic, [(0, record(T + n * NS, x=n), None) for n in range(50, 60)])
        await published.until(lambda frames: 59 in [x for f in frames if "lab/x" in f.columns for x in f.columns["lab/x"].values.tolist()])  # fmt: skip
    journal = Journal(tmp_path / "full.sqlite")
    kept = [x for f in journal.read_from(None, 0).frames if "lab/x" in f.columns for x in f.columns["lab/x"].values.tolist()]  # fmt: skip
    journal.close()
    assert sorted(kept) == list(range(60))


async def follow(where, topic, home, until) -> list:
    """What lies on disk after a node that follows the topic has had this message."""
    node = replay(where, topic, follow=True)
    node.name, node.home = topic, home
    async with (
        working(node.service(journal=lambda: Journal(home / "followed.sqlite"))) as published,
        asyncio.timeout(PATIENCE),
    ):
        await published.until(lambda frames: any(until in values_of(frame) for frame in frames))
    journal = Journal(home / "followed.sqlite")
    kept = [x for frame in journal.read_from(None, 0).frames for x in values_of(frame)]
    journal.close()
    return sorted(kept)


async def test_what_kafka_was_not_told_of_is_not_taken_again(where, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Group, "commit", lambda self, messages: None)
        produce(where, "untold", [(0, record(T + n * NS, x=n), None) for n in range(50)])
        assert await follow(where, "untold", tmp_path, 49) == list(range(50))
        produce(where, "untold", [(0, record(T + n * NS, x=n), None) for n in range(50, 60)])
        assert await follow(where, "untold", tmp_path, 59) == list(range(60))
    produce(where, "untold", [(0, record(T + 60 * NS, x=60), None)])
    assert await follow(where, "untold", tmp_path, 60) == list(range(61))


@pytest.mark.parametrize("upto", [20, 400])
async def test_a_topic_that_was_made_anew_is_taken_from_its_beginning(where, tmp_path, upto):
    journal = Journal(tmp_path / "followed.sqlite")
    journal.commit({f"kafka/anew{upto}/0": f"{upto} 0123456789abcdef"})
    journal.close()
    produce(where, f"anew{upto}", [(0, record(T + n * NS, x=n), None) for n in range(50)])
    assert await follow(where, f"anew{upto}", tmp_path, 49) == list(range(50))


def errors(frames) -> list[str]:
    return [text for f in frames if "health.error" in f.columns for text in f.columns["health.error"].values.tolist()]


async def replayed(node, count) -> tuple[np.ndarray, np.ndarray, str]:
    """Times and values of the first samples that a replay publishes, and what it says of itself."""
    service = node.service()
    t, x = [], []
    async with working(service) as published, asyncio.timeout(PATIENCE):
        frames = await published.until(lambda frames: sum(len(f) for f in frames if "lab/x" in f.columns) >= count)
        marked, *_ = [each.timeline for each in frames if each.timeline == "replay" or "lab/x" in each.columns]
        assert marked == "replay"  # before the first sample, so that nobody takes that for one of now
        for frame in [each for each in frames if "lab/x" in each.columns]:
            t += frame.t.tolist()
            x += frame.columns["lab/x"].values.tolist()
        fields, _ = await service.get_fields(0, 0)
        assert "replayed" in fields["lab/x"].description
    return np.array(t), np.array(x), service.description


async def test_the_past_is_replayed_as_fast_as_can_be_and_says_that_it_is_a_replay(where, large):
    node = replay(where, "large", speed=0, start="2023-11-14T22:13:40", end="2023-11-14T23:13:20")
    t, x, description = await replayed(node, 1790)
    assert x.tolist() == list(range(20, 3600, 2))
    assert t.tolist() == [T + each * NS for each in range(20, 3600, 2)]
    assert description.startswith("A replay, not what is measured now: large from 2023-11-14 22:13:40 UTC")


async def test_the_past_is_replayed_as_if_it_happened_now_at_a_speed(where, large):
    began = time.time_ns()
    t, x, _ = await replayed(replay(where, "large", speed=100, start="2023-11-14T22:13:20"), 101)
    assert x[:101].tolist() == list(range(0, 202, 2))
    assert t[0] >= began
    assert t[100] - t[0] == pytest.approx(2 * NS, abs=1000)  # 200 s at a hundred times the speed
    assert time.time_ns() - began >= 2 * NS - NS // 2


# where a time lies


@pytest.mark.parametrize("hint", [None, "exact"])
@pytest.mark.parametrize("t", [-5, 0, 1, 499_999, 500_000, 999_999, 1_000_000])
def test_a_time_is_found_in_few_looks(t, hint):
    looks = []

    def look(at: int) -> Look:
        looks.append(at)
        return Look(at, at + 20)

    low, high = seek(look, 0, 1_000_000, t, Marks(), None if hint is None else min(max(t, 0), 1_000_000))
    assert high - low <= NEAR + 20
    assert low == 0 or low < t
    assert high == 1_000_000 or high >= t
    assert len(looks) <= (14 if hint is None else 3)


def test_junk_and_wrong_clocks_do_not_mislead_it():
    rng = np.random.default_rng(1)
    times = np.arange(100_000)
    junk = set(rng.integers(0, 100_000, 5000).tolist()) | set(range(40_000, 45_000))

    def look(at: int) -> Look:
        good = [int(times[each]) for each in range(at, min(at + 20, 100_000)) if each not in junk]
        return Look(sorted(good)[len(good) // 2] if good else None, at + 20)

    for t in rng.integers(0, 100_000, 200).tolist():
        low, high = seek(look, 0, 100_000, t, Marks())
        assert all(each < t + 20 for each in range(low) if each not in junk)
        assert all(each >= t for each in range(high, 100_000) if each not in junk)


def test_no_look_at_a_slow_topic_makes_an_end_too_early():
    times = np.arange(100_000) * 60  # a message a minute, which is more than any disorder

    def look(at: int) -> Look:
        some = times[at : at + 20]
        return Look(int(some[len(some) // 2]), at + 20)

    marks = Marks()
    for t in np.random.default_rng(2).integers(0, 6_000_000, 300).tolist():
        low, high = seek(look, 0, 100_000, t, marks)
        assert low == 0 or times[low - 1] < t
        assert high == 100_000 or times[high] >= t
        assert high - low <= NEAR + 20


def test_what_was_looked_at_before_shortens_the_search():
    marks, looks = Marks(), []

    def look(at: int) -> Look:
        looks.append(at)
        return Look(at * 7, at + 20)

    seek(look, 0, 10**7, 7 * 5_000_000, marks)
    first = len(looks)
    seek(look, 0, 10**7, 7 * 5_000_050, marks)
    assert len(looks) - first <= 3


def test_fields_are_met_as_many_as_a_node_may_have():
    known = {f"f{number}": Field(None, "t") for number in range(MOST_FIELDS - 1)}
    columns = {name: column([1.0]) for name in ("lab/x", "f1", "lab/y")}
    meet(known, Frame("lab/seconds", np.array([T]), columns), Mapping(units={"x": "K", "lab/y": "V"}))
    assert len(known) == MOST_FIELDS
    assert known["lab/x"] == Field(None, "lab/seconds", "number", "K")
    assert known["f1"].timeline == "t"


@pytest.mark.parametrize(
    ("options", "tags"),
    [({"speed": 0}, ["replay"]), ({"speed": 9}, ["replay"]), ({"follow": True}, []), ({}, [])],
)
def test_only_a_replay_is_tagged_as_one_whatever_the_configuration_says(options, tags):
    node = KafkaReplay(**options)
    assert tags_of(node) == tags
    node.tags = ["hall"]
    assert tags_of(node) == ["hall", *tags]
    node.tags = ["replay"]
    assert tags_of(node) == ["replay"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"topics": "x"}, "give a list of names"),
        ({"speed": -1}, "give 1 for as fast as it was"),
        ({"speed": 1, "follow": True}, "run two nodes"),
        ({"start": "noon"}, "write 2026-01-31T12:00"),
        ({"records": {"unit": "h"}}, "unit = 'h' is unknown"),
        ({"connection": {"colour": "red"}}, "kafka.colour is unknown"),
    ],
)
def test_what_cannot_be_is_refused_with_the_cure(options, why):
    with pytest.raises(ValueError, match=why):
        KafkaReplay(**options)


async def test_a_replay_goes_on_where_it_was_when_its_broker_comes_back(tmp_path):
    with broker(tmp_path / "kafka", partitions=1) as fragile:
        kafka = Kafka(fragile.address, version="0.9")
        produce(kafka, "broken", [(0, record(T + number * NS, x=number), None) for number in range(20_000)])
        service = replay(kafka, "broken", speed=2000).service()
        async with working(service) as published, asyncio.timeout(PATIENCE):
            await published.until(lambda frames: any("lab/x" in frame.columns for frame in frames))
            await asyncio.to_thread(fragile.kill)
            await asyncio.to_thread(fragile.start)
            frames = await published.until(lambda frames: any(19_999 in values_of(frame) for frame in frames))
            assert [x for frame in frames for x in values_of(frame)] == list(range(20_000))


@pytest.mark.timeout(240)
async def test_a_replay_whose_broker_dies_skips_nothing_of_any_partition_and_has_nothing_twice(tmp_path):
    """In one partition the later half comes first: what the replay is at says nothing of what it has of that one."""
    with broker(tmp_path / "kafka", partitions=2) as fragile:
        kafka = Kafka(fragile.address, version="0.9")
        numbers = [*range(0, 20_000, 2), *range(10_001, 20_000, 2), *range(1, 10_000, 2)]
        produce(kafka, "halves", [(each % 2, record(T + each * NS, x=each), None) for each in numbers])
        service = replay(kafka, "halves", speed=2000).service()
        async with working(service) as published:
            await published.until(lambda frames: any("lab/x" in frame.columns for frame in frames))
            await asyncio.to_thread(fragile.kill)
            await published.until(lambda frames: any("does not answer" in error for error in errors(frames)))
            await asyncio.to_thread(fragile.start)
            for _ in range(3):  # each waits for half a minute
                with contextlib.suppress(TimeoutError):
                    await published.until(lambda frames: any("the replay is over" in error for error in errors(frames)))
            found = [x for frame in published.frames for x in values_of(frame)]
            assert len(found) == len(set(found))
            assert set(found) == set(range(20_000))


async def test_a_replay_is_kept_once_though_the_disk_was_full_meanwhile(where, large, tmp_path, monkeypatch):
    commit, full = Journal.commit, True

    def failing(self, *given):
        if full:
            raise JournalError("the disk is full")
        commit(self, *given)

    monkeypatch.setattr(Journal, "commit", failing)
    service = replay(where, "large", speed=0, end="2023-11-14T23:13:20").service(
        journal=lambda: Journal(tmp_path / "full.sqlite")
    )
    async with working(service) as published:
        await published.until(lambda frames: any("the disk is full" in error for error in errors(frames)))
        full = False
        await published.until(lambda frames: any("the replay is over" in error for error in errors(frames)))
    journal = Journal(tmp_path / "full.sqlite")
    kept = [x for f in journal.read_from(None, 0, 10**6).frames for x in values_of(f)]
    journal.close()
    assert kept == list(range(0, 3600, 2))


def values_of(frame) -> list:
    return frame.columns["lab/x"].values.tolist() if "lab/x" in frame.columns else []
