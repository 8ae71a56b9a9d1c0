"""Live nodes without a router: whatever their authors do, they go on and say how they are."""

import asyncio
import itertools
import logging
import re
import threading
from datetime import UTC, datetime

import numpy as np
import pytest

from sisock.frames import Column, Field, Frame, Query, column
from sisock.nodes import ArchivedNode, CommandNode, LiveNode, NoData
from sisock.nodes.base import declared
from sisock.nodes.live import LiveService
from sisock.times import FIRST, LAST, NS
from tests.nodes import data, working

NOW = 1_763_000_000 * NS


class Counter(LiveNode):
    """Count the samples."""

    interval = 0.001

    def __init__(self):
        self.count = 0

    def sample(self):
        self.count += 1
        return {"count": self.count}


def node(sample, **attributes):
    """A node whose `sample` is this function."""
    return type("Made", (LiveNode,), {"interval": 0.001, "sample": staticmethod(sample), **attributes})()


async def health_of(sample, state=None, **options):
    async with working(LiveService(node(sample), **options)) as published:
        return await published.health(state)


# measuring


async def test_each_sample_is_published_with_its_identity_and_remembered():
    service = LiveService(Counter(), clock=itertools.count(NOW).__next__)
    async with working(service) as published:
        frames = await published.samples(5)
    assert [frame.columns["count"].values.tolist() for frame in frames] == [[1], [2], [3], [4], [5]]
    assert [frame.seq for frame in frames] == [1, 2, 3, 4, 5]
    assert len({frame.epoch for frame in frames}) == 1
    assert (await data(service, "count"))["count"][:5] == [1, 2, 3, 4, 5]


async def test_a_sample_may_be_a_coroutine():
    async def sample():
        await asyncio.sleep(0)
        return {"a": 1}

    async with working(LiveService(node(sample))) as published:
        (frame,) = await published.samples(1)
    assert frame.columns["a"].values.tolist() == [1]


async def test_a_sample_is_taken_by_the_node_s_clock_on_its_declared_timeline():
    service = LiveService(node(lambda: {"a": 1}, fields={"a": Field(timeline="odd")}), clock=lambda: NOW)
    async with working(service) as published:
        (frame,) = await published.samples(1)
    assert (frame.timeline, frame.t.tolist()) == ("odd", [NOW])


async def test_frames_of_many_rows_and_lists_of_them_are_samples():
    def sample():
        t = np.array([NOW, NOW, NOW + 1])
        return [{"a": 1}, Frame("scan", t, {"b": column(["x", "y", "z"])})]

    service = LiveService(node(sample))
    async with working(service) as published:
        frames = await published.samples(2)
    assert {frame.timeline: len(frame) for frame in frames} == {"samples": 1, "scan": 3}
    assert (await data(service, "b", end=NOW + 1))["b"][:2] == ["x", "y"]


async def test_no_sample_is_taken_before_its_time():
    begun, times = asyncio.get_running_loop().time(), []

    async def sample():
        times.append(asyncio.get_running_loop().time())
        return {"a": 1}

    async with working(LiveService(node(sample, interval=0.03))) as published:
        await published.samples(5)
    assert all(t - begun > number * 0.03 - 0.001 for number, t in enumerate(times))


async def test_what_is_overdue_is_not_made_up_for():
    times = []

    async def sample():
        times.append(asyncio.get_running_loop().time())
        if len(times) == 1:
            await asyncio.sleep(1.5)  # five intervals late
        return {"a": 1}

    async with working(LiveService(node(sample, interval=0.3))) as published:
        await published.samples(4)
    assert times[3] - times[1] > 0.3  # two intervals, less what a busy machine holds back


@pytest.mark.parametrize("interval", [0, -1, float("nan"), "1", None])
def test_an_interval_that_cannot_be_kept_is_refused(interval):
    with pytest.raises(ValueError, match=r"made: an interval of .* s cannot be kept: give a number above 0"):
        node(lambda: None, interval=interval).service()


# health


async def test_a_good_sample_is_healthy():
    assert (await health_of(lambda: {"a": 1})).items() >= {"state": "ok"}.items()


class Unspeakable(Exception):
    def __str__(self):
        raise ValueError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("the sensor is out of range"), "ValueError: the sensor is out of range"),
        (KeyError("x"), "KeyError: 'x'"),
        (OSError(5, "Input/output error"), "OSError: [Errno 5] Input/output error"),
        (SystemExit(3), "RuntimeError: SystemExit raised: 3"),
        (KeyboardInterrupt(), "RuntimeError: KeyboardInterrupt raised: "),
        (StopIteration(), "RuntimeError: StopIteration raised: "),
        (asyncio.CancelledError(), "RuntimeError: CancelledError raised: "),
        (Unspeakable(), "Unspeakable"),
        (
            FileNotFoundError(2, "No such file", "/tmp/\udc80"),
            "FileNotFoundError: [Errno 2] No such file: '/tmp/\\udc80'",
        ),
        (RuntimeError("half a pair \ud800"), "RuntimeError: half a pair ?"),
    ],
)
async def test_whatever_a_sample_raises_is_told_and_the_node_goes_on(error, said):
    calls = itertools.count()

    def sample():
        if next(calls) == 0:
            raise error
        return {"a": 1}

    async with working(LiveService(node(sample))) as published:
        told = await published.health()
        await published.samples(2)
        assert (await published.health("ok"))["state"] == "ok"
    assert (told["state"], re.sub(r" \(test_live\.py:\d+\)$", "", told["error"])) == ("failed", said)


async def test_a_coroutine_that_is_cancelled_from_within_does_not_end_the_node():
    calls = itertools.count()

    async def sample():
        if next(calls) == 0:
            raise asyncio.CancelledError
        return {"a": 1}

    async with working(LiveService(node(sample))) as published:
        assert (await published.health())["error"] == "RuntimeError: it was cancelled from within"
        await published.samples(2)


@pytest.mark.parametrize("error", [SystemExit("bye"), KeyboardInterrupt("bye"), BaseException("bye")])
async def test_a_coroutine_that_would_end_the_process_does_not(error):
    calls = itertools.count()

    async def sample():
        if next(calls) == 0:
            raise error
        return {"a": 1}

    async with working(LiveService(node(sample))) as published:
        assert (await published.health())["error"] == f"RuntimeError: {type(error).__name__} raised: bye"
        await published.samples(2)


async def test_a_coroutine_whose_task_is_cancelled_does_not_end_the_node():
    calls = itertools.count()

    async def sample():
        if next(calls) == 0:
            asyncio.current_task().cancel()
            await asyncio.sleep(0)
        return {"a": 1}

    async with working(LiveService(node(sample))) as published:
        assert (await published.health())["error"] == "sample() was cancelled from within"
        await published.samples(2)


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        (lambda: None, "sample() returned nothing"),
        (dict, "sample() returned no values"),
        (lambda: {"a": None}, "sample() returned no values"),
    ],
)
async def test_nothing_is_no_data_and_told(sample, said):
    told = await health_of(sample)
    assert (told["state"], told["error"]) == ("no data", said)


async def test_no_data_says_why():
    def sample():
        raise NoData("no chip was found: run sensors-detect")

    told = await health_of(sample)
    assert (told["state"], told["error"]) == ("no data", "no chip was found: run sensors-detect")


class Wordless(NoData):
    def __str__(self):
        raise ValueError


@pytest.mark.parametrize(
    ("none", "said"),
    [
        (Wordless("x"), "sample() raised NoData without saying why"),
        (NoData(), "sample() raised NoData without saying why"),
        (NoData("no file \udcff"), "no file ?"),
        (NoData("x" * 10_000), "x" * 499 + "…"),
    ],
)
async def test_no_data_of_any_make_is_told(none, said):
    def sample():
        raise none

    told = await health_of(sample)
    assert (told["state"], told["error"]) == ("no data", said)


@pytest.mark.parametrize(("kind", "method"), [(LiveNode, "sample"), (CommandNode, "parse"), (ArchivedNode, "read")])
def test_a_node_without_the_method_that_gets_its_data_does_not_start(kind, method):
    class Unfinished(kind):
        argv = ("true",)

    with pytest.raises(TypeError, match=rf"Unfinished has no {method}\(\): write one"):
        Unfinished().service()


async def test_wrong_values_are_told_and_the_good_ones_published():
    async with working(LiveService(node(lambda: {"good": 1, "bad": [1]}))) as published:
        (frame,) = await published.samples(1)
        told = await published.health()
    assert list(frame.columns) == ["good"]
    assert (told["state"], told["error"].split(":")[0]) == ("failed", "'bad' is of type list")


async def test_a_blocking_sample_that_hangs_is_told_and_keeps_neither_others_nor_the_end_waiting():
    running, release = threading.Event(), threading.Event()

    def sample():
        running.set()
        release.wait(60)

    try:
        async with (
            working(LiveService(node(sample), patience=0.05)) as hanging,
            working(Counter().service()) as counting,
        ):
            assert (await hanging.health())["error"] == "sample() has not come back within 0.05 s"
            await counting.samples(50)
            again = await hanging.until(lambda frames: len(frames) >= 2)
            assert again[1].columns["health.took"].values[0] > again[0].columns["health.took"].values[0]
    finally:
        release.set()


async def test_a_coroutine_that_hangs_is_told_and_cancelled_at_the_end():
    ended = asyncio.Event()

    async def sample():
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with working(LiveService(node(sample), patience=0.05)) as published:
        assert (await published.health())["state"] == "failed"
    await asyncio.wait_for(ended.wait(), 30)


async def test_a_sample_that_comes_back_late_counts():
    release = threading.Event()

    def sample():
        release.wait(60)
        return {"a": 1}

    async with working(LiveService(node(sample), patience=0.05)) as published:
        await published.health("failed")
        release.set()
        await published.samples(1)
        assert (await published.health("ok"))["took"] >= 0.05


async def test_an_error_is_logged_once_and_not_at_each_sample(caplog):
    def sample():
        raise ValueError("always")

    async with working(LiveService(node(sample))) as published:
        await published.until(lambda frames: len(frames) >= 20)
    line = sample.__code__.co_firstlineno + 1
    assert [record.getMessage() for record in caplog.records if "always" in record.getMessage()] == [
        f"made: failed: ValueError: always (test_live.py:{line})"
    ]


async def test_who_looks_closely_sees_once_where_an_error_came_from(caplog):
    caplog.set_level(logging.DEBUG, "sisock.nodes.live")

    def sample():
        return float("broken")

    async with working(LiveService(node(sample))) as published:
        await published.until(lambda frames: len(frames) >= 20)
    assert caplog.text.count("Traceback") == 1
    assert 'return float("broken")' in caplog.text


# answering


async def filled(n=100, **options):
    """A service that has taken n samples, one a second."""
    seconds = itertools.count(NOW, NS)
    service = LiveService(
        node(Counter().sample, fields={"count": Field("how many", units="1")}), clock=seconds.__next__, **options
    )
    async with working(service) as published:
        await published.samples(n)
    return service


async def test_a_window_is_half_open():
    t = np.array([10, 20, 30])
    calls = itertools.count()
    service = LiveService(node(lambda: Frame("t", t, {"a": column([1, 2, 3])}) if next(calls) == 0 else {}))
    async with working(service) as published:
        await published.samples(1)
    assert (await data(service, "a", start=10, end=30))["a"] == [1, 2]
    assert (await data(service, "a", start=30, end=10))["a"] == []
    answer = await service.get_data(Query(("a",), 10, 25))
    assert answer.parts[0].finalized_until == 20
    assert (await service.get_data(Query(("a",), 10, 20))).parts[0].finalized_until == 10


async def test_unknown_fields_are_left_out_and_health_is_a_field_like_others():
    service = await filled(3)
    answer = await service.get_data(Query(("count", "unknown", "health.state", "health.error"), FIRST, LAST))
    assert {name for part in answer.parts for name in part.points.columns} == {"count", "health.state", "health.error"}
    assert set(answer.series("health.state")[1].values.tolist()) == {"ok"}
    assert not answer.series("health.error")[1].present().any()


async def test_since_gives_only_what_was_not_seen():
    service = await filled(20)
    first = (await service.get_data(Query(("count",), FIRST, LAST))).parts[0].points
    since = {"samples": (first.epoch, first.seq - 5)}
    assert (await data(service, "count", since=since))["count"] == first.columns["count"].values.tolist()[-5:]
    assert (await data(service, "count", since={"samples": (first.epoch, first.seq)}))["count"] == []
    other = await data(service, "count", since={"samples": ("another epoch", 15)})
    assert len(other["count"]) == len(first)


async def test_answers_are_reduced_as_asked_with_their_label():
    service = await filled(200)
    answer = await service.get_data(Query(("count",), FIRST, LAST, max_points=20))
    values = answer.series("count")[1].values.tolist()
    assert (answer.method, len(values) <= 20, 1 in values, answer.samples >= 200) == ("minmax", True, True, True)


async def test_fields_have_their_units_types_and_intervals():
    service = await filled(10)
    fields, timelines = await service.get_fields(FIRST, LAST)
    assert fields["count"] == Field("how many", "samples", "number", "1")
    assert set(fields) == {"count", "health.state", "health.took", "health.error"}
    assert timelines["samples"].fields == ("count",)
    assert timelines["samples"].interval == pytest.approx(2.0)  # the clock is asked for health, too
    assert set(timelines["health"].fields) == {"health.state", "health.took", "health.error"}
    assert (await service.get_fields(NOW - 10, NOW - 5))[1]["samples"].interval is None


async def test_declared_fields_are_listed_before_the_first_sample():
    fields, timelines = await LiveService(node(lambda: None, fields={"a": Field("what", "t", "bool")})).get_fields(
        FIRST, LAST
    )
    assert fields["a"] == Field("what", "t", "bool")
    assert timelines["t"] == (None, ("a",))


async def test_a_notice_tells_that_older_samples_are_gone():
    many = Frame("t", NOW + np.arange(50_000) * NS, {"a": Column(np.arange(50_000))})
    calls = itertools.count()
    service = LiveService(node(lambda: many if next(calls) == 0 else {"b": 1}), ring=2**18)
    async with working(service) as published:
        await published.samples(2)
    answer = await service.get_data(Query(("a",), FIRST, LAST))
    first = int(answer.series("a")[0][0])
    assert first > NOW
    since = datetime.fromtimestamp(first // NS, UTC).strftime("%Y-%m-%d %H:%M:%S")
    assert answer.notices == (f"made remembers its samples since {since} UTC; older ones are not in memory any more",)
    assert (await service.get_data(Query(("a",), first, LAST))).notices == ()
    assert (await service.get_data(Query(("b",), FIRST, LAST))).notices == ()


async def test_a_sample_larger_than_the_ring_is_published_and_its_absence_told():
    service = LiveService(node(lambda: {"a": "x" * 60_000}), ring=2**14)
    async with working(service) as published:
        await published.samples(1)
        answer = await service.get_data(Query(("a",), FIRST, LAST))
    assert answer.notices == ("made has no room for its samples: give it a larger ring",)


# what is declared


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"a": "volts"}, TypeError, r"'a' is declared with str: use Field\(...\)"),
        ({"a": Field(type="float")}, ValueError, "'a' is declared as a 'float': use one of number, string, bool"),
        ({"a::b": Field()}, ValueError, "cannot name a field"),
        ({5: Field()}, ValueError, "cannot name a field"),
        ({"a": Field(timeline="a::b")}, ValueError, "cannot name a timeline"),
        ({"a": Field(timeline="health")}, ValueError, "is taken by the health that every node has"),
        ({"health.state": Field()}, ValueError, "is taken by the health that every node has"),
    ],
)
def test_a_wrong_declaration_is_refused_at_the_start_with_the_cure(fields, error, said):
    with pytest.raises(error, match=said):
        node(lambda: None, fields=fields).service()


def test_a_wrong_name_is_refused_at_the_start():
    with pytest.raises(ValueError, match="cannot name a data node"):
        node(lambda: None, name="a b").service()


def test_the_name_is_the_class_s_and_the_description_its_docstring():
    service = Counter().service()
    assert (service.name, service.description, service.kind) == ("counter", "Count the samples.", "live")


def test_a_class_without_a_docstring_has_no_description():
    class Terse(LiveNode):
        def sample(self):
            return {"a": 1}

    assert Terse().service().description == ""


def test_very_long_descriptions_and_units_are_cut():
    long = node(lambda: None, fields={"a": Field("d" * 1_000_000, units="u" * 1_000_000)})
    type(long).__doc__ = "n" * 1_000_000
    assert LiveService(long).description == "n" * 9_999 + "…"
    field = declared(long)["a"]
    assert (field.description, field.units) == ("d" * 999 + "…", "u" * 99 + "…")


async def test_times_at_both_ends_of_an_int64_have_an_interval():
    t = np.array([FIRST, 0, 5, LAST], np.int64)
    service = LiveService(node(lambda: Frame("odd", t, {"a": column([1.0, 2.0, 3.0, 4.0])})))
    async with working(service) as published:
        await published.samples(1)
    _, timelines = await service.get_fields(FIRST, LAST)
    assert timelines["odd"].interval > 4.6e9
    answer = await service.get_data(Query(("a",), FIRST, LAST, max_points=2))
    assert len(answer.series("a")[0]) == 2
