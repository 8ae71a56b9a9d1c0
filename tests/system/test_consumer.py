"""What a consumer gets from data nodes, and what it is told where it gets nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest

from sisock import tables
from sisock.blocking import BlockingConsumer, connect
from sisock.consumer import Consumer, Request
from sisock.errors import ConsumerError, NoAnswer, NodeAway, NodeUnknown, NoHub
from sisock.frames import Answer
from sisock.settings import Settings, read
from sisock.testing import Refused
from sisock.testing.router import free_port
from sisock.times import NS
from tests.by_hand import add, proof
from tests.fleet import ARCHIVE, COUNTER, Fleet, running_fleet

SECRET = '''
from sisock.nodes import LiveNode

class Secret(LiveNode):
    """For few eyes only."""

    sensitive = True

    def sample(self):
        return {"value": 1}
'''
ODD = '''
import threading
from sisock.frames import Field
from sisock.nodes import ArchivedNode

class Odd(ArchivedNode):
    """Hangs, raises, has nothing, or says odd things."""

    fields = {name: Field(timeline=name) for name in ("hangs", "raises", "empty", "short", "good")}

    def read(self, field, start, end):
        if field == "hangs":
            threading.Event().wait()
        if field == "raises":
            raise OSError("the disk is gone")
        if field == "short":
            return [1, 2, 3], [1.0]
        t = [] if field == "empty" else [1_500_000_000_000_000_000]
        return t, [float("nan") for _ in t]
'''

WIDE = '''
from sisock.frames import Field
from sisock.nodes import ArchivedNode

class Wide(ArchivedNode):
    """Has many fields with long names."""

    fields = {f"{number:05}" + "ü" * 190: Field("ü" * 900, units="ü" * 20) for number in range(9_000)}

    def read(self, field, start, end):
        return [], []
'''


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(
        tmp_path_factory.mktemp("consumer"), {"secret": {"role": "data_node", "sensitive": True}, "odd2": "data_node"}
    ) as fleet:
        for name, code in (("counter", COUNTER), ("archive", ARCHIVE), ("secret", SECRET), ("odd", ODD)):
            fleet.node(name, code)
        with BlockingConsumer(fleet.settings) as consumer:
            wait_for(consumer, {"counter", "archive", "secret", "odd"})
        yield fleet


def wait_for(consumer: BlockingConsumer, names: set[str]) -> None:
    seen: list[str] = []
    while not names <= set(seen):
        try:
            seen = [node.name for node in consumer.nodes()]
        except NoHub:
            continue


@pytest.fixture
async def consumer(fleet: Fleet) -> AsyncIterator[Consumer]:
    async with Consumer(fleet.settings) as consumer:
        yield consumer


async def test_an_answer_beyond_the_limit_comes_in_parts_and_is_whole(consumer: Consumer) -> None:
    answer = await consumer.data("archive", ["sine", "label"], 1, 0, deadline=60)
    t, sine = answer.series("sine")
    assert len(t) == 1_000_000
    assert (np.diff(t) == 10**9).all()
    assert np.array_equal(sine.values, np.sin(t / 1e11))
    assert answer.series("label")[1].values[-1] == "099"
    assert answer.samples == 1_000_000


def test_an_answer_beyond_the_limit_is_false_to_existing_callers(fleet: Fleet) -> None:
    uri = fleet.settings.uris.node("archive", "get_data")
    with fleet.router.client("cli") as client:
        assert client.call(uri, ["sine"], 1, 0) is False
        assert len(client.call(uri, ["sine"], 1_500_000_000, 1_500_000_100)["data"]["sine"]) == 100
        assert client.call(uri, ["sine", "label"], 1, 0, columns="typed") is False


async def test_what_is_reduced_keeps_every_spike_and_says_so(consumer: Consumer) -> None:
    answer = await consumer.data("archive", ["sine"], 1, 0, max_points=500)
    t, sine = answer.series("sine")
    whole = np.sin((np.arange(1_000_000) + 1_500_000_000) * 1e9 / 1e11)
    assert len(t) <= 500
    assert (sine.values.min(), sine.values.max()) == (whole.min(), whole.max())
    assert (answer.method, answer.samples) == ("minmax", 1_000_000)


async def test_min_stride_is_literal(consumer: Consumer) -> None:
    t, _ = (await consumer.data("archive", ["sine"], 1_500_000_000, 1_500_000_100, min_stride=7)).series("sine")
    assert np.diff(t).tolist() == [7 * 10**9] * 14


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ((["sine"], float("nan"), 0), {}, "not NaN"),
        ((["sine"], "yesterday", 0), {}, "'yesterday' is not a time"),
        (("sine", 1, 0), {}, "list of field names"),
        (([1], 1, 0), {}, "list of field names"),
        ((["sine"], 1, 0, -1), {}, "min_stride=-1"),
        ((["sine"], 1, 0), {"max_points": 0}, "max_points=0"),
        ((["sine"], 1, 0), {"max_points": 10**9}, "whole number from 1 to"),
        ((["sine"], 1, 0), {"reduce": "magic"}, "use one of minmax, m4"),
        ((["sine"], 1, 0), {"columns": "pillars"}, "'list' or 'typed'"),
        ((["sine"], 1, 0), {"since": [1]}, "{timeline: [epoch, seq]}"),
        ((["sine"], 1, 0), {"colour": "red"}, "colour"),
        ((["sine"],), {}, "missing"),
        ((["x"] * 20_000, 1, 0), {}, "20000 fields are too many"),
    ],
)
def test_what_makes_no_query_is_refused_with_a_sentence(
    fleet: Fleet, arguments: Any, options: Any, sentence: str
) -> None:
    with fleet.router.client("cli") as client:
        with pytest.raises(Refused) as refused:
            client.call(fleet.settings.uris.node("archive", "get_data"), *arguments, **options)
        assert sentence in str(refused.value)
        assert "bad_request" in str(refused.value) or refused.value.uri.endswith("bad_request")


@pytest.mark.parametrize(("start", "end"), [(0, -60), (1_600_000_000, 1_500_000_000), (1e30, 2e30), (-1e30, -1e29)])
async def test_reversed_and_absurd_ranges_are_empty(consumer: Consumer, start: float, end: float) -> None:
    assert len((await consumer.data("archive", ["sine"], start, end)).series("sine")[0]) == 0


async def test_unknown_fields_and_fields_without_data_are_empty_lists(fleet: Fleet, consumer: Consumer) -> None:
    with fleet.router.client("cli") as client:
        answer = client.call(fleet.settings.uris.node("odd", "get_data"), ["nothing", "empty"], 1, 0)
    assert answer == {"data": {"nothing": [], "empty": []}, "timeline": {}}


async def test_a_field_that_cannot_be_read_costs_only_itself(consumer: Consumer) -> None:
    answer = await consumer.data("odd", ["raises", "good", "short"], 1, 0)
    assert len(answer.series("good")[0]) == 1
    assert len(answer.notices) == 2
    assert "raises could not be read: OSError: the disk is gone" in answer.notices
    state = await consumer.data("odd", ["health.state", "health.error"], -60)
    assert "failed" in state.series("health.state")[1].values


def test_nan_is_null_in_valid_json(fleet: Fleet) -> None:
    with fleet.router.client("cli") as client:
        answer = client.call(fleet.settings.uris.node("odd", "get_data"), ["good"], 1, 0)
    assert json.loads(json.dumps(answer, allow_nan=False))["data"]["good"] == [None]


async def test_a_node_that_hangs_costs_only_its_own_answer(consumer: Consumer) -> None:
    requests = [Request("odd", ("hangs",), 1, 0), Request("counter", ("count",), -5, 0), Request("none", ("x",), 1, 0)]
    hung, good, unknown = await asyncio.wait_for(consumer.ask(requests, deadline=1), 5)
    assert isinstance(hung, NoAnswer)
    assert isinstance(good, Answer)
    assert isinstance(unknown, NodeUnknown)
    assert "the hub knows" in str(unknown)


async def test_a_sensitive_node_is_hidden_from_those_who_may_not_see_it(fleet: Fleet, consumer: Consumer) -> None:
    assert "secret" in {node.name for node in await consumer.nodes()}
    async with Consumer(fleet.settings, "bridge") as bridge:
        assert {node.name for node in await bridge.nodes()} == {"counter", "archive", "odd"}
        with pytest.raises(NodeUnknown):
            await bridge.data("secret", ["value"])
    with fleet.router.client("bridge") as client:
        assert "secret" not in {node["name"] for node in client.call(fleet.settings.uris.get_data_node)}


def test_the_hub_believes_the_router_and_not_the_argument(fleet: Fleet) -> None:
    uris = fleet.settings.uris
    with BlockingConsumer(fleet.settings) as consumer, fleet.router.client("counter") as forger:
        before = consumer.nodes()
        with pytest.raises(Refused, match="may not be the data node 'ghost'"):
            forger.call(uris.add, "ghost", "a ghost", 1)
        with pytest.raises(Refused, match="cannot name a data node"):
            forger.call(uris.add, "a ghost", "a ghost", 1)
        with pytest.raises(Refused, match="has not signed"):
            forger.call(uris.add, "counter", "an impostor", 1)
        forger.call(uris.subtract, "archive", 1)
        forger.call(uris.subtract, "counter", 1)
        assert consumer.nodes() == before


def test_without_async_in_a_notebook(fleet: Fleet) -> None:
    with connect(state=fleet.settings.state, router=fleet.settings.url) as lab:
        fields, _ = lab.fields("counter")
        assert fields["parity"].type == "string"
        answer = lab.data("archive", ["sine", "label"], 1_500_000_000, 1_500_000_010)
        table = tables.to_pandas(answer)["seconds"]
        assert list(table.columns) == ["sine", "label"]
        assert table.index[0].isoformat() == "2017-07-14T02:40:00+00:00"
        assert tables.to_polars(answer)["seconds"].height == 10
        live = lab.live("counter", ["count"])
        assert next(live).columns["count"].values[0] > 0
        live.close()


async def test_the_tail_comes_in_bins_of_the_viewers_own_width_also_to_a_slow_one(
    fleet: Fleet, consumer: Consumer
) -> None:
    width, bins = NS // 2, dict[int, float]()
    answers = consumer.live_bins("counter", ["count"], 0.5, reduce="count", last=1)
    for _ in range(3):
        answer = await anext(answers)
        assert answer.bin == width
        t, counts = answer.series("count")
        assert (t % width == 0).all()
        bins.update(zip(t.tolist(), counts.values.tolist(), strict=True))
        await asyncio.sleep(1.2)  # slower than the bins come
    closed = answer.parts[0].finalized_until
    await answers.aclose()
    assert closed is not None
    first, until = min(bins), closed // width * width
    raw = await consumer.data("counter", ["count"], ns=(first, until))
    t, _ = raw.series("count")
    numbers, counted = np.unique(t // width * width, return_counts=True)
    assert {at: n for at, n in bins.items() if at < until} == dict(zip(numbers.tolist(), counted.tolist(), strict=True))


async def test_a_node_gone_for_good_says_so(fleet: Fleet, consumer: Consumer) -> None:
    await consumer.nodes()  # joined from now on: it hears who goes
    with consumer.watching() as events:
        fleet.kill("secret")
        what, node = await asyncio.wait_for(events.get(), 10)
    assert (what, node.name) == ("subtracted", "secret")
    with pytest.raises(NodeAway, match="secret is away"):
        await consumer.data("secret", ["value"])


async def test_without_a_router_a_consumer_is_told_after_its_deadline(state: Any) -> None:
    nowhere: Settings = read(state=state, router=f"ws://127.0.0.1:{free_port()}/ws", deadline=0.5)
    async with Consumer(nowhere) as consumer:
        with pytest.raises(NoHub, match="cannot join the router at ws"):
            await consumer.nodes()


async def test_a_key_that_is_not_admitted_is_told(fleet: Fleet) -> None:
    async with Consumer(
        read(state=fleet.settings.state, router=fleet.settings.url, deadline=2), "stranger"
    ) as consumer:
        with pytest.raises(ConsumerError, match="cannot join"):
            await consumer.nodes()


def test_what_a_node_says_of_itself_cannot_harm_the_hub(fleet: Fleet) -> None:
    for info in ({"x": "x" * 9_000_000}, {"x": float("nan")}, [1], "text", {"x": b"bytes"}):
        odd = fleet.router.client("odd2")
        with odd:
            assert add(fleet, odd, "odd2", proof(fleet, odd, "odd2"), "x" * 100_000, info=info) is True
    with fleet.router.client("odd2") as odd:
        assert add(fleet, odd, "odd2", proof(fleet, odd, "odd2"), "x" * 100_000, info={"x": b"bytes"}) is True
        with BlockingConsumer(fleet.settings) as consumer:
            listed = {node.name: node for node in consumer.nodes()}
        assert listed["odd2"].info == {}
        assert len(listed["odd2"].description) == 1000
    assert fleet.processes["hub"].poll() is None


def test_an_answer_that_no_message_holds_is_an_error_and_not_silence(fleet: Fleet) -> None:
    fleet.node("wide", WIDE)
    with BlockingConsumer(fleet.settings) as consumer:
        wait_for(consumer, {"wide"})
        with pytest.raises(ConsumerError, match="larger than a message may be"):
            consumer.fields("wide")
