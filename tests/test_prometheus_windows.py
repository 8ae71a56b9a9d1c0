"""What windows of time hold of samples and of bins, and how long a sample stands."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grafana_json.prometheus import fetching
from grafana_json.prometheus.samples import of_bins, of_values
from grafana_json.prometheus.windows import Windows, fold
from sisock import reduction
from sisock.frames import Column, Field, Frame, Query
from sisock.times import NS
from tests.memory import MONDAY, Memory
from tests.promql import DAY, ask, client_of, numbers, one_node, over


@given(st.lists(st.floats(-1e6, 1e6), max_size=40), st.data())
def test_a_fold_is_what_is_in_each_window(values, data):
    edges = st.integers(0, len(values))
    windows = data.draw(st.lists(st.tuples(edges, edges).map(sorted), min_size=1, max_size=10))
    low, high = (np.array(each, np.intp) for each in zip(*windows, strict=True))
    sums, most = (fold(ufunc, np.array(values), low, high) for ufunc in (np.add, np.maximum))
    for i, (a, b) in enumerate(windows):
        if b > a:
            assert sums[i] == pytest.approx(sum(values[a:b]), abs=1e-6)
            assert most[i] == max(values[a:b])


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(-50, 50)), min_size=1, max_size=60), st.integers(1, 3))
def test_windows_that_fit_bins_hold_what_is_after_their_begin_up_to_their_end(samples, factor):
    """Samples at the very edges of bins belong to the window that ends there, one of equal times aside."""
    samples = sorted(dict(samples).items())
    t, values = (np.array(each) for each in zip(*samples, strict=True))
    frame = Frame("t", t.astype(np.int64), {"x": Column(values.astype(float))})
    answer = reduction.answer([frame], Query(("x",), -1, 91, bin=10, reduce="bins"), {})
    made = of_bins(reduction.bins_from(answer.parts[0].points, "x"), 10, (-1, 91), aligned=True)
    until = np.arange(0, 91, 10)
    windows = Windows(until - 10 * factor, until)
    low, high = windows.held(made)
    raw = of_values(t.astype(np.int64), values.astype(float))
    first, beyond = windows.held(raw)
    assert (fold(np.add, made.count, low, high)[high > low] == (beyond - first)[high > low]).all()
    assert ((high > low) == (beyond > first)).all()
    total, expected = fold(np.add, made.total, low, high), fold(np.add, raw.total, first, beyond)
    assert total[high > low] == pytest.approx(expected[high > low])
    closed = np.searchsorted(t, windows.after, "left")
    greatest, least = fold(np.maximum, made.high, low, high), fold(np.maximum, raw.high, first, beyond)
    outer = fold(np.maximum, raw.high, closed, beyond)
    assert ((greatest >= least) & (greatest <= outer))[high > low].all()


def test_a_sample_at_the_begin_of_a_window_is_not_in_it_and_one_at_its_end_is():
    client = client_of(one_node([MONDAY, MONDAY + 60, MONDAY + 120], [1.0, 2.0, 4.0]))
    assert numbers(over(client, "sum_over_time(x[1m])", MONDAY, MONDAY + 120, 60)) == {
        MONDAY: 1, MONDAY + 60: 2, MONDAY + 120: 4,
    }  # fmt: skip
    assert numbers(over(client, "x", MONDAY, MONDAY + 120, 60)) == {MONDAY: 1, MONDAY + 60: 2, MONDAY + 120: 4}


OF_ALL = [*(f"{name}_over_time(x[5m])" for name in ("sum", "count", "avg", "max", "stddev", "last", "present")), "x"]
OF_ENDS = ["min_over_time(x[5m])", "first_over_time(x[5m])", "rate(x[5m])", "delta(x[5m])", "increase(x[5m] offset 1m)"]


@pytest.mark.parametrize(
    ("query", "fraction"), [*((query, 0) for query in OF_ALL), *((query, 0.5) for query in (*OF_ALL, *OF_ENDS))]
)
def test_bins_have_the_values_of_the_samples_where_windows_fit(query, fraction, monkeypatch):
    """Where a sample lies on a window's begin, firsts, rates and what is least in a rise may take it in: not asked here."""
    values = np.cumsum(np.random.default_rng(3).integers(0, 5, 7200)).astype(float)
    client = client_of(one_node(MONDAY + np.arange(7200) + fraction, values))
    exact = numbers(over(client, query, MONDAY + 600, MONDAY + 7000, 60))
    monkeypatch.setattr(fetching, "MOST_RAW", 0)
    answer = over(client, query, MONDAY + 600, MONDAY + 7000, 60)
    assert "infos" not in answer
    assert numbers(answer) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("query", [*OF_ALL, *OF_ENDS])
def test_very_many_samples_are_answered_nearly_and_that_is_said(query, monkeypatch):
    query = query.replace("5m", "1h")
    t = np.arange(0, 2 * DAY, 10) + 0.5
    client = client_of(one_node(MONDAY + t, t / 10))
    window = MONDAY + 7200, MONDAY + 2 * DAY, 3600
    expected = numbers(over(client, query, *window))
    for name in ("MOST_RAW", "MOST_EXACT"):
        monkeypatch.setattr(fetching, name, 0)
    answer = over(client, query, *window)
    assert any("windows begin and end where these do" in each for each in answer["infos"])
    found = numbers(answer)
    assert found.keys() == expected.keys()
    a_bin = 55 if query == "x" or re.match("min|max|last|first", query) else 1  # what the field rises in 550 s
    for at, value in expected.items():
        assert found[at] == pytest.approx(value, rel=0.08 if "stddev" in query else 0.005, abs=a_bin)


def test_windows_that_are_short_against_the_step_still_hold_something(monkeypatch):
    for name in ("MOST_RAW", "MOST_EXACT"):
        monkeypatch.setattr(fetching, name, 0)
    t = np.arange(0, 30 * DAY, 10)
    client = client_of(one_node(MONDAY + t, t % 7))
    for query in ("avg_over_time(x[1m])", "rate(x[1m])", "x", "last_over_time(x[10s])"):
        values = numbers(over(client, query, MONDAY + DAY, MONDAY + 30 * DAY - 1, 6 * 3600))
        assert len(values) == 116


def test_an_instant_over_very_much_is_exact(monkeypatch):
    monkeypatch.setattr(fetching, "MOST_RAW", 0)
    rng = np.random.default_rng(5)
    values = rng.normal(size=20_000)
    source = one_node(MONDAY + np.arange(20_000) + 0.25, values)
    client = client_of(source)
    for name, expected in (
        ("sum", values.sum()),
        ("max", values.max()),
        ("stddev", values.std()),
        ("last", values[-1]),
        ("count", 20_000),
    ):
        answer = ask(client, f"{name}_over_time(x[1d])", MONDAY + 20_001.123)
        assert list(numbers(answer).values()) == [pytest.approx(expected)]
        assert "infos" not in answer


def test_what_needs_every_sample_says_so_where_there_are_too_many(client, monkeypatch):
    monkeypatch.setattr(fetching, "MOST_ONLY_RAW", 100)
    answer = over(client, "irate(cpu[5m])", MONDAY, MONDAY + 9000, 60)
    assert answer["errorType"] == "execution"
    assert "needs the samples themselves" in answer["error"]


# staleness --------------------------------------------------------------------------------------


def test_a_sample_stands_for_five_minutes():
    client = client_of(one_node(MONDAY + np.arange(0, 600, 10), np.arange(60.0)))
    values = numbers(over(client, "x", MONDAY + 590, MONDAY + 1200, 10))
    assert max(values) == MONDAY + 590 + 290


def test_a_sample_of_a_slow_node_stands_for_three_of_its_intervals():
    client = client_of(one_node(MONDAY + np.arange(0, DAY, 3600), np.arange(24.0)))
    last = MONDAY + 23 * 3600
    values = numbers(over(client, "x", last - 7200, last + 6 * 3600, 600))
    assert min(values) == last - 7200
    assert max(values) == last + 3 * 3600 - 600
    daily = client_of(one_node(MONDAY + np.arange(0, 30 * DAY, DAY), np.arange(30.0)))
    assert numbers(ask(daily, "x", MONDAY + 29 * DAY + 2.5 * DAY)) == {MONDAY + 31.5 * DAY: 29}
    assert ask(daily, "x", MONDAY + 29 * DAY + 3.1 * DAY)["data"]["result"] == []


def test_the_lookback_can_be_said(client):
    assert ask(client, "wind", MONDAY + 400, lookback_delta="1m")["data"]["result"] == []
    assert numbers(ask(client, "wind", MONDAY + 330, lookback_delta="1m")) == {MONDAY + 330: 4}


# counters ---------------------------------------------------------------------------------------


def test_a_counter_that_begins_anew_within_a_bin_is_made_up_for(monkeypatch):
    monkeypatch.setattr(fetching, "MOST_RAW", 0)
    values = np.concatenate((np.arange(100, 400), np.arange(0, 300))).astype(float)
    client = client_of(one_node(MONDAY + np.arange(600) + 0.5, values))
    found = numbers(over(client, "increase(x[10m])", MONDAY + 540, MONDAY + 660, 60))
    assert found[MONDAY + 600] == pytest.approx(600, rel=0.005)


def test_few_bins_and_no_samples_are_asked_for_however_many_there_are(monkeypatch):
    """Cost follows the steps: a year of samples is asked for in no more than 64 bins a step."""
    monkeypatch.setattr(fetching, "MOST_EXACT", 100_000)
    heard = []

    class Spy(Memory):
        def ask(self, requests, *more):
            heard.extend(requests)
            return super().ask(requests, *more)

    t = np.arange(0, 365 * DAY, 60)
    ns = (MONDAY + t) * NS
    client = client_of(Spy({"n": ({"x": Field()}, Frame("samples", ns, {"x": Column(t * 1.0)}))}))
    over(client, "avg_over_time(x[1d])", MONDAY, MONDAY + 365 * DAY, DAY)
    bins = [request for request in heard if request.statistics == ("sum",)]
    assert len(bins) == 1
    assert bins[0].bin & (bins[0].bin - 1) == 0  # as archives keep them
    assert 365 * DAY * NS / bins[0].bin <= 64 * 366


# series that come rarely and often in one query ---------------------------------------------------


class Heard(Memory):
    """Its requests, one by one."""

    def ask(self, requests, *more):
        self.heard = [*getattr(self, "heard", []), *requests]
        return super().ask(requests, *more)


def rare_and_often(days=60):
    """`rare` comes every 20 days, `often` every 10 s, each at a node of its own; and the last time of both."""
    end = MONDAY + days * DAY
    nodes = {}
    for name, every in (("rare", 20 * DAY), ("often", 10)):
        t = np.arange(MONDAY, end + 1, every, dtype=np.int64)
        nodes[name] = {name: Field()}, Frame("samples", t * NS, {name: Column(np.arange(len(t)) * 1.0)})
    return Heard(nodes), end


def test_what_comes_often_is_not_asked_for_as_far_back_as_what_comes_rarely():
    source, end = rare_and_often()
    found = ask(client_of(source), "sisock", end + 5)["data"]["result"]
    assert {each["metric"]["node"]: each["value"][1] for each in found} == {"rare": "3", "often": str(60 * 8640)}
    raw = {each.node: each.ns for each in source.heard if each.reduce is None}
    assert raw["often"][1] - raw["often"][0] == 300 * NS
    assert raw["rare"][1] - raw["rare"][0] >= 60 * DAY * NS


def test_what_a_rare_field_had_before_is_counted_before_it_is_asked_for():
    """Ten samples a second until 61 days ago, two since: that these are rare does not make the others few."""
    dense, end = np.arange(0, 100_000, 0.1), 65 * DAY
    source = one_node(MONDAY + np.concatenate((dense, [end - 30 * DAY, end])), np.arange(1_000_002.0))
    source.__class__ = Heard
    assert numbers(ask(client_of(source), "x", MONDAY + end + 5)) == {MONDAY + end + 5: 1_000_001}
    assert all(each.bin is not None for each in source.heard)


def test_a_rare_series_whose_node_does_not_answer_costs_no_other_its_values():
    source, end = rare_and_often()
    client = client_of(source)
    ask(client, "sisock", end)
    source.stopped.add("rare")
    answer = ask(client, "sisock", end + 5)
    assert [each["metric"]["node"] for each in answer["data"]["result"]] == ["often"]
    assert answer["warnings"] == ["rare did not answer within 3 s"]


ONCE = np.concatenate((np.arange(100, 400), np.arange(0, 300))).astype(float)
OFTEN = np.tile(np.arange(4.0), 150)  # falls more than once within each of 128 bins


@pytest.mark.parametrize(("values", "least", "most"), [(ONCE, 595, 605), (OFTEN, 100, 440)], ids=["once", "often"])
def test_at_an_instant_one_beginning_anew_within_a_bin_is_seen_and_of_several_one(values, least, most, monkeypatch):
    monkeypatch.setattr(fetching, "MOST_RAW", 0)
    client = client_of(one_node(MONDAY + np.arange(600) + 0.5, values))
    (found,) = numbers(ask(client, "increase(x[10m])", MONDAY + 600)).values()
    assert least <= found <= most
