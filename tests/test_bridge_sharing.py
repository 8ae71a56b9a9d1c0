"""Questions that several ask are asked once, and the answer is what each of them would have got."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grafana_json.sharing import OLDEST, Sharing, lasts, question
from sisock.consumer import Node, Request
from sisock.errors import ConsumerError, NoAnswer
from sisock.frames import TEXT, Answer, Column, Field, Frame, Part
from sisock.reduction import METHODS
from sisock.times import NS
from tests.memory import MONDAY, Memory

HOUR = 3600
SPAN = 20_000  # seconds of samples


class Counting(Memory):
    """Counts what it is asked, and may be held up."""

    def __init__(self):
        t = np.arange(SPAN, dtype=np.int64) * NS + MONDAY * NS
        wave = np.sin(np.arange(SPAN) / 700)
        wave[7777] = 50.0
        super().__init__({"host": ({"cpu": Field()}, Frame("samples", t, {"cpu": Column(wave)}))})
        self.go = threading.Event()
        self.go.set()
        self.began = threading.Semaphore(0)
        self.until = None  # finalized until, ns
        self.fails = False

    def ask(self, requests, deadline, take=None):
        self.began.release()
        assert self.go.wait(10)
        if self.fails:
            raise ConsumerError("this consumer is closed")
        return super().ask(requests, deadline, take)

    def _answer(self, request):
        answer = super()._answer(request)
        if self.until is None or isinstance(answer, NoAnswer):
            return answer
        parts = tuple(part._replace(finalized_until=self.until) for part in answer.parts)
        return Answer(parts, answer.method, answer.bin)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def source():
    return Counting()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def shared(source, clock):
    return Sharing(source, 3.0, clock=clock)


def request(start=0.0, span=HOUR, points=1000, **more):
    return Request("host", ("cpu",), MONDAY + start, MONDAY + start + span, max_points=points, **more)


def values(answer):
    return [(part.points.t.tolist(), part.points.columns["cpu"].values.tolist()) for part in answer.parts]


def test_who_asks_at_the_same_time_gets_one_answer(shared, source):
    source.go.clear()
    heard = []
    asking = [threading.Thread(target=lambda: heard.extend(shared.ask([request()], 3))) for _ in range(8)]
    for each in asking:
        each.start()
    assert source.began.acquire(timeout=10)
    while shared.shared < 7:
        pass
    source.go.set()
    for each in asking:
        each.join()
    assert len(source.asked) == 1
    assert all(values(each) == values(heard[0]) for each in heard)


def test_viewers_whose_clocks_differ_by_less_than_a_bin_share_it(shared, source):
    (first,), (second,) = (shared.ask([request(at)], 3) for at in (1000.0, 1000.2))
    assert len(source.asked) == 1
    assert values(first) == values(second)


def test_what_is_not_over_is_asked_again_soon_and_what_is_over_is_not(shared, source, clock):
    shared.ask([request(span=HOUR)], 3)
    clock.now += OLDEST + 0.1
    shared.ask([request(span=HOUR)], 3)
    assert len(source.asked) == 2
    source.until = (MONDAY + SPAN) * NS
    shared.ask([request(5000)], 3)
    clock.now += 300
    shared.ask([request(5000)], 3)
    assert len(source.asked) == 3


def test_a_node_that_comes_again_is_asked_again(shared, source):
    source.until = (MONDAY + SPAN) * NS
    shared.ask([request()], 3)
    source.tell("added", Node("other", ""))
    shared.ask([request()], 3)
    assert len(source.asked) == 1
    source.tell("added", Node("host", ""))
    shared.ask([request()], 3)
    assert len(source.asked) == 2


def test_without_a_router_nothing_is_shown_as_if_there_were_one(shared, source):
    source.until = (MONDAY + SPAN) * NS
    shared.ask([request()], 3)
    source.connected = False
    shared.ask([request()], 3)
    assert len(source.asked) == 2


def test_failures_are_not_kept_and_keep_nobody_waiting(shared, source):
    source.stopped.add("host")
    (answer,) = shared.ask([request()], 3)
    assert isinstance(answer, NoAnswer)
    source.stopped.clear()
    source.fails = True
    with pytest.raises(ConsumerError):
        shared.ask([request()], 3)
    source.fails = False
    (answer,) = shared.ask([request()], 3)
    assert answer.parts


def test_what_is_kept_is_bounded_and_the_oldest_goes(source, clock):
    source.until = (MONDAY + SPAN) * NS
    shared = Sharing(source, 3.0, 100_000, clock=clock)
    for start in range(0, 10_000, 500):
        shared.ask([request(start, 400)], 3)
    assert shared._size <= 100_000
    asked = len(source.asked)
    shared.ask([request(9500, 400)], 3)
    assert len(source.asked) == asked
    shared.ask([request(0, 400)], 3)
    assert len(source.asked) == asked + 1


def test_samples_lie_within_the_window_and_a_spike_at_its_edge_is_there(shared):
    (raw,) = shared.ask([request(10.5, 100)], 3)
    (part,) = raw.parts
    assert part.points.t.tolist() == [(MONDAY + second) * NS for second in range(11, 111)]
    assert part.samples == 100
    (reduced,) = shared.ask([request(7777, HOUR, points=100)], 3)
    assert 50.0 in reduced.parts[0].points.columns["cpu"].values


def test_answers_without_points_and_long_texts_count(source, clock):
    source.until = (MONDAY + SPAN) * NS
    shared = Sharing(source, 3.0, 200_000, clock=clock)
    for number in range(1000):
        shared.ask([Request("host", (f"nobody{number}",), MONDAY + 1.0, MONDAY + 3601.0, max_points=1000)], 3)
    assert len(shared._entries) <= 200
    texts = Column(np.array(["x" * 10_000] * 50, TEXT))
    long = Frame("samples", np.arange(50, dtype=np.int64) * NS + MONDAY * NS, {"cpu": texts})
    source.frames["host"] = ({"cpu": Field(type="string")}, long)
    shared.ask([request()], 3)
    assert shared._size <= 200_000


def test_an_answer_that_lacks_a_field_may_still_change(source):
    frame = Frame("samples", np.array([MONDAY * NS]), {"cpu": Column(np.array([1.0]))})
    whole = Part(frame, "samples", (MONDAY + 2 * 86400) * NS, 1)
    asked = question(request(0, 86400, 1000)._replace(fields=("cpu", "late")))
    assert lasts(asked, Answer((whole,))) == OLDEST


def test_whose_connection_was_lost_is_shown_nothing_of_before(shared, source):
    source.until = (MONDAY + SPAN) * NS
    shared.ask([request()], 3)
    source.lose()
    shared.ask([request()], 3)
    assert len(source.asked) == 2


def test_one_question_in_two_widths_is_answered_once_and_soon_without_a_router(shared, source):
    source.connected = False
    source.stopped.add("host")
    answers = shared.ask([request(points=1000), request(points=1001)], 3)
    assert [type(each) for each in answers] == [NoAnswer, NoAnswer]
    assert all("within 3 s" in str(each) for each in answers)
    assert [len(each) for each in source.asked] == [1]


def test_who_has_little_time_does_not_ask_for_less_than_others(source, clock):
    deadlines = []
    ask = source.ask
    source.ask = lambda requests, deadline, take=None: deadlines.append(deadline) or ask(requests, deadline, take)
    Sharing(source, 3.0, clock=clock).ask([request()], 0.05)
    assert deadlines == [3.0]


def test_a_node_is_told_of_with_its_seconds(source, clock):
    told = []
    shared = Sharing(source, 3.0, answered=lambda *each: told.append(each), clock=clock)
    for _ in range(3):
        shared.ask([request()], 3)
    assert [(name, seconds) for name, _, seconds in told] == [("host", 0.0)]


@given(
    start=st.integers(1, 60 * 365 * 86400),
    span=st.floats(0.001, 20 * 365 * 86400.0),
    points=st.integers(1, 5000),
    method=st.sampled_from([None, *METHODS]),
)
def test_a_question_covers_the_window_by_bins_and_asks_for_no_more_points(start, span, points, method):
    given_ = Request("host", ("cpu",), float(start), start + span, max_points=points, reduce=method)
    asked = question(given_)
    again = question(asked)
    if asked.ns is None:
        assert asked == given_
        return
    first, last = asked.ns
    assert first <= start * NS
    assert last >= int((start + span) * NS) - 1000
    assert last - first <= (span * NS) * 1.5 + 10
    assert asked.max_points <= max(points, 4) + 4
    assert again.ns is None or again.ns[0] <= first


def test_how_long_an_answer_is_one():
    asked = question(request(0, 86400, 1000))
    frame = Frame("samples", np.array([MONDAY * NS]), {"cpu": Column(np.array([1.0]))})
    whole = Part(frame, "samples", (MONDAY + 2 * 86400) * NS, 1)
    assert lasts(asked, Answer((whole,))) > 60
    assert lasts(asked, Answer((whole,), notices=("host is away",))) == OLDEST
    assert lasts(asked, Answer((whole._replace(finalized_until=None),))) == OLDEST
    assert lasts(asked, Answer()) == OLDEST
