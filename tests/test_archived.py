"""Archived nodes without a router: unsorted, broken, hanging; a field that cannot be read costs only itself."""

import asyncio
import functools
import threading

import numpy as np
import pytest

from sisock.frames import TEXT, Column, Field, Query, column
from sisock.nodes import ArchivedNode, NoData
from sisock.nodes.archived import ArchivedService
from sisock.times import FIRST, LAST, NS
from tests.nodes import data, working

T = np.arange(10) * NS


class Archive(ArchivedNode):
    """Ten seconds of something."""

    fields = {"a": Field("what", "t", "number", "V"), "b": Field(timeline="t", type="string")}  # noqa: RUF012

    def read(self, field, start, end):
        return T, np.arange(10) if field == "a" else ["x"] * 10


def node(read, *names, **attributes):
    """An archive whose `read` is this function, its fields on the timeline `t`."""
    fields = {name: Field(timeline="t") for name in names or ("a",)}
    return type("Made", (ArchivedNode,), {"fields": fields, "read": staticmethod(read), **attributes})()


def service(read, *names, **attributes):
    return ArchivedService(node(read, *names, **attributes))


async def notices(made, *fields):
    answer = await made.get_data(Query(fields or ("a",), FIRST, LAST))
    return answer.notices


# reading


async def test_what_lies_outside_the_window_is_cut_off():
    made = Archive().service()
    assert await data(made, "a", "b", start=3 * NS, end=6 * NS) == {"a": [3, 4, 5], "b": ["x"] * 3}
    assert (await data(made, "a"))["a"] == list(range(10))


async def test_read_is_given_the_window_in_nanoseconds():
    asked = []

    def read(field, start, end):
        asked.append((field, start, end))
        return [], []

    assert await data(service(read), "a", start=5, end=7) == {"a": []}
    assert asked == [("a", 5, 7)]


async def test_a_window_that_is_empty_or_backwards_is_not_read():
    def read(field, start, end):
        raise AssertionError("this was read")

    for start, end in ((5, 5), (7, 5)):
        answer = await service(read).get_data(Query(("a",), start, end))
        assert (answer.notices, len(answer.series("a")[0])) == ((), 0)


async def test_unsorted_and_equal_times_are_served_in_order_and_whole():
    made = service(lambda field, start, end: ([3, 1, 2, 1], [30, 10, 20, 11]))
    answer = await made.get_data(Query(("a",), FIRST, LAST))
    assert (answer.series("a")[0].tolist(), answer.series("a")[1].values.tolist()) == ([1, 1, 2, 3], [10, 11, 20, 30])


async def test_read_may_be_a_coroutine():
    async def read(field, start, end):
        await asyncio.sleep(0)
        return T, T

    assert (await data(service(read), "a"))["a"] == T.tolist()


@pytest.mark.parametrize(
    "values",
    [
        [1, 2],
        (1, None),
        np.array([1, 2], np.float32),
        column(["x", None]),
        Column(np.array([1, 2], np.int16)),
        [True, False],
    ],
)
async def test_values_of_any_make_are_served(values):
    kind = column(values).type
    made = service(lambda field, start, end: (np.array([1, 2]), values), fields={"a": Field(type=kind)})
    answer = await made.get_data(Query(("a",), FIRST, LAST))
    assert (answer.notices, len(answer.series("a")[0])) == ((), 2)
    assert answer.series("a")[1].values.dtype in (np.dtype("<f8"), np.dtype("<i8"), np.dtype(bool), TEXT)


@pytest.mark.parametrize(("kind", "values"), [("number", ["x"]), ("string", [1]), ("bool", [0]), ("number", [True])])
async def test_values_of_another_type_than_declared_are_told(kind, values):
    made = service(lambda field, start, end: ([1], values), fields={"a": Field(type=kind)})
    (notice,) = await notices(made)
    assert notice.startswith(f"a could not be read: TypeError: it is declared as a {kind}, but a ")


async def test_nothing_is_of_any_type():
    for values in ([], [None, None]):
        made = service(lambda field, start, end, v=values: (range(len(v)), v), fields={"a": Field(type="string")})
        assert await notices(made) == ()


async def test_fields_that_differ_in_their_times_share_their_timeline():
    axes = {"a": ([1, 3], [1, 3]), "b": ([2, 3], [20, 30])}
    made = service(lambda field, start, end: axes[field], "a", "b")
    answer = await made.get_data(Query(("a", "b"), FIRST, LAST))
    assert [part.points.timeline for part in answer.parts] == ["t"]
    assert answer.parts[0].points.t.tolist() == [1, 2, 3]
    assert await data(made, "a", "b") == {"a": [1, None, 3], "b": [None, 20, 30]}


async def test_answers_are_reduced_as_asked():
    made = service(lambda field, start, end: (np.arange(10_000), np.sin(np.arange(10_000))))
    answer = await made.get_data(Query(("a",), FIRST, LAST, max_points=100))
    assert (answer.method, answer.samples, len(answer.series("a")[0]) <= 100) == ("minmax", 10_000, True)
    strided = await made.get_data(Query(("a",), FIRST, LAST, min_stride=100))
    assert strided.series("a")[0].tolist() == list(range(0, 10_000, 100))


# what is final


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(FIRST, LAST, 9 * NS), (0, 5 * NS, 4 * NS), (0, 4 * NS + 1, 4 * NS), (20 * NS, LAST, None)],
)
async def test_final_is_what_lies_before_the_last_sample(start, end, expected):
    answer = await Archive().service().get_data(Query(("a", "b"), start, end))
    assert {part.finalized_until for part in answer.parts} == {expected}


async def test_the_field_that_is_behind_decides_what_is_final():
    axes = {"a": ([0, 10], [1, 2]), "b": ([0, 7], [1, 2]), "c": ([0], [1])}
    made = service(lambda field, start, end: axes[field], "a", "b", "c")
    for fields, expected in ((("a",), 10), (("a", "b"), 7), (("b", "a"), 7), (("a", "b", "c"), 0)):
        answer = await made.get_data(Query(fields, FIRST, LAST))
        assert answer.parts[0].finalized_until == expected


# what goes wrong


async def test_a_field_that_cannot_be_read_costs_only_itself():
    def read(field, start, end):
        if field == "broken":
            raise OSError(5, "Input/output error")
        return T, T

    made = service(read, "a", "broken", "c")
    values = await data(made, "a", "broken", "c")
    assert (len(values["a"]), values["broken"], len(values["c"])) == (10, [], 10)
    assert await notices(made, "a", "broken") == ("broken could not be read: OSError: [Errno 5] Input/output error",)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, "read() returned NoneType: return two things, times and values"),
        ((1, 2, 3), "read() returned tuple: return two things"),
        (T, "read() returned ndarray: return two things"),
        ((T, T[:3]), "read() returned (10,) times, but (3,) values"),
        ((T, np.zeros((10, 2))), "values of the shape (10, 2) are no column"),
        ((np.zeros((2, 2), int), [1, 2]), "read() returned (2, 2) times, but (2,) values"),
        ((T / NS, T), "read() returned times of type float64: return int64, nanoseconds since 1970"),
        ((["2026"], [1]), "read() returned times of type <U4: return int64"),
        ((None, None), "not iterable"),
        ((T, [object()] * 10), "values of type object are not of one type"),
        ((T, ["x"] + [1] * 9), "values of type int, str are not of one type"),
        ((T, Column(T, np.zeros(3, bool))), "marked by as many booleans"),
        (([1], [10**400]), "too large for a float64"),
        (([2**70], [1]), "read() returned times of type object"),
        ((5, 5), "not iterable"),
    ],
)
async def test_what_is_no_answer_is_told_what_would_be_one(returned, said):
    made = service(lambda field, start, end: returned)
    (notice,) = await notices(made)
    assert notice.startswith("a could not be read: ")
    assert said in notice
    assert (await data(made, "a"))["a"] == []


@pytest.mark.parametrize(
    "error", [ValueError("x"), SystemExit(1), asyncio.CancelledError(), TimeoutError("the socket"), StopIteration()]
)
async def test_whatever_read_raises_is_a_notice(error):
    def read(field, start, end):
        raise error

    async def later(field, start, end):
        raise error

    (notice,) = await notices(service(read))
    assert notice.startswith("a could not be read: ")
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        assert await notices(service(later)) == (notice,)


async def test_a_coroutine_that_is_cancelled_from_within_is_a_notice():
    async def read(field, start, end):
        raise asyncio.CancelledError

    assert await notices(service(read)) == ("a could not be read: RuntimeError: it was cancelled from within",)


async def test_no_data_says_why_and_is_no_failure():
    def read(field, start, end):
        raise NoData("the instrument was off")

    made = service(read)
    assert await notices(made) == ("a: the instrument was off",)
    assert set((await data(made, "health.state"))["health.state"]) == {"no data"}


async def test_no_data_that_cannot_say_why_is_a_notice():
    class Wordless(NoData):
        def __str__(self):
            raise ValueError

    def read(field, start, end):
        raise Wordless

    assert await notices(service(read)) == ("a: read() raised NoData without saying why",)


@pytest.mark.parametrize("error", [SystemExit("bye"), KeyboardInterrupt("bye"), BaseException("bye")])
async def test_a_coroutine_that_would_end_the_process_is_a_notice(error):
    async def read(field, start, end):
        raise error

    said = f"a could not be read: RuntimeError: {type(error).__name__} raised: bye"
    assert await notices(service(read)) == (said,)


async def test_a_read_that_hangs_costs_its_field_and_nobody_else():
    release = threading.Event()

    def read(field, start, end):
        if field == "hangs":
            release.wait(60)
        return T, T

    made = ArchivedService(node(read, "a", "hangs"), patience=0.4)
    try:
        for _ in range(8):  # more than there are readers
            answer = await made.get_data(Query(("a", "hangs"), FIRST, LAST))
            assert answer.notices == ("hangs: read() has not come back within 0.4 s",)
            assert len(answer.series("a")[0]) == 10
    finally:
        release.set()


async def test_fields_that_cannot_be_found_are_told_and_the_node_stays():
    class Gone(Archive):
        @property
        def fields(self):
            raise FileNotFoundError(2, "No such file or directory", "/data")

    made = Gone().service()
    said = "the fields of gone could not be found: FileNotFoundError: [Errno 2] No such file or directory: '/data'"
    async with working(made) as published:
        assert await published.health() == {"state": "failed", "took": 0.0, "error": said}
        assert await notices(made, "a") == (said,)
        assert set((await made.get_fields(FIRST, LAST))[0]) == {"health.state", "health.took", "health.error"}


async def test_a_wrong_declaration_is_told_with_its_cure():
    class Wrong(Archive):
        fields = {"a": "volts"}  # noqa: RUF012

    async with working(Wrong().service()) as published:
        assert "'a' is declared with str: use Field(...)" in (await published.health())["error"]


async def test_a_notice_names_the_first_of_very_many_failures():
    def read(field, start, end):
        raise ValueError("x" * 10_000)

    names = [f"f{number}" for number in range(100)]
    told = await notices(service(read, *names), *names)
    assert (len(told), told[-1]) == (21, "80 more fields could not be read")
    assert all(len(each) < 600 for each in told)


async def test_unknown_fields_are_left_out():
    assert await data(Archive().service(), "a", "unknown") == {"a": list(range(10)), "unknown": []}
    assert await notices(Archive().service(), "unknown") == ()


# fields and health


async def test_fields_have_their_units_and_the_intervals_of_the_window():
    fields, timelines = await Archive().service().get_fields(FIRST, LAST)
    assert fields["a"] == Field("what", "t", "number", "V")
    assert (timelines["t"].interval, timelines["t"].fields) == (1.0, ("a", "b"))
    assert set(timelines) == {"t", "health"}
    assert (await Archive().service().get_fields(0, NS))[1]["t"].interval is None


async def test_fields_may_be_looked_for_each_time():
    class Growing(Archive):
        found = ("a",)

        @property
        def fields(self):
            assert threading.current_thread() is not threading.main_thread()
            return dict.fromkeys(self.found, Field(timeline="t"))

    growing = Growing()
    made = growing.service()
    assert len((await made.get_fields(0, 0))[0]) == 4
    growing.found = ("a", "b")
    assert len((await made.get_fields(0, 0))[0]) == 5


async def test_fields_of_any_make_are_looked_for_in_a_thread():
    class Once(Archive):
        @functools.cached_property
        def fields(self):
            assert threading.current_thread() is not threading.main_thread()
            return {"a": Field(timeline="t")}

    assert "a" in (await Once().service().get_fields(0, 0))[0]


async def test_health_follows_the_reads():
    outcomes = iter([T, OSError("disk"), T])

    def read(field, start, end):
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome, outcome

    made = service(read)
    async with working(made) as published:
        assert (await published.health())["state"] == "ok"
        for _ in range(3):
            await data(made, "a")
        await published.until(lambda frames: len(frames) >= 3)
        states = [frame.columns["health.state"].values[0] for frame in published.frames]
        assert states == ["ok", "failed", "ok"]
        assert (await data(made, "health.state"))["health.state"] == states
    assert (await published.health("failed"))["error"] == "a could not be read: OSError: disk"


class Empty(ArchivedNode):
    """Nothing at all."""

    def read(self, field, start, end):
        return [], []


async def test_an_empty_archive_says_so():
    async with working(Empty().service()) as published:
        told = await published.health()
    assert (told["state"], told["error"]) == ("no data", "there is nothing in the archive")


def test_the_name_is_the_class_s_and_the_description_its_docstring():
    made = Archive().service()
    assert (made.name, made.description, made.kind) == ("archive", "Ten seconds of something.", "archive")
