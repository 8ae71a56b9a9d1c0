"""What a panel asks, and which series its targets stand for."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grafana_json.patterns import expand, is_pattern, matches
from grafana_json.query import (
    Filter,
    Panel,
    RequestError,
    Target,
    parse_filters,
    parse_panel,
    parse_points,
    parse_range,
)
from grafana_json.targets import Broken, Wanted, attribute, needs_known, resolve, search
from sisock.frames import Field

KNOWN = {
    "host": {"cpu": Field(units="%"), "cpu (core 0)": Field(units="%"), "memory": Field(units="B")},
    "weather": {"temperature": Field(units="C"), "sky.state": Field(type="string"), "rain": Field(type="bool")},
    "lsof": {"total": Field()},
}
DAY = {"from": "2026-01-31T00:00:00.000Z", "to": "2026-02-01T00:00:00.000Z"}


def names(text, *filters):
    target = Target(text, "A", "timeserie")
    return [s.name for s in resolve(Panel(1, 2, 10, (target,), parse_filters(list(filters))), KNOWN)]


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("host::cpu", ["host::cpu"]),
        ("host::(cpu|memory)", ["host::cpu", "host::memory"]),
        (r"(host|weather)::sky\.state", ["host::sky.state", "weather::sky.state"]),
        (r"(a\|b|c\))", ["a|b", "c)"]),
        ("(weather::temperature|host::cpu)", ["weather::temperature", "host::cpu"]),
        ("host::cpu (core 0)", ["host::cpu (core 0)"]),
        ("(a|b)::(x|x)", ["a::x", "b::x"]),
        ("((a|b)", ["(a", "(b"]),
        ("a|b", ["a|b"]),
        ("(|a)", ["", "a"]),
        ("\\", ["\\"]),
        ("", [""]),
    ],
)
def test_alternatives_and_escapes_are_written_out(pattern, texts):
    assert expand(pattern, 10) == [(text,) for text in texts]


@given(st.lists(st.text(max_size=12), min_size=2, max_size=6, unique=True))
def test_every_value_of_a_variable_comes_back_as_it_was(values):
    escaped = ["".join(f"\\{c}" if c in r"\^$*+?.()|[]{}/" else c for c in value) for value in values]
    assert expand(f"n::({'|'.join(escaped)})", 10) == [(f"n::{value}",) for value in values]


@given(st.text(alphabet="ab.*(|)\\", max_size=30), st.text(alphabet="ab.", max_size=20))
def test_no_text_is_refused_but_for_its_size(pattern, text):
    assert all(isinstance(matches(pieces, text), bool) for pieces in expand(pattern, 10**6))


def test_a_wildcard_matches_anything_between_its_pieces():
    (pieces,) = expand("ho.*::.*cpu.*0", 1)
    assert matches(pieces, "host::cpu (core 0")
    assert not matches(pieces, "host::cpu (core 0)")
    assert not matches(expand("aba.*aba", 1)[0], "aba")


@pytest.mark.parametrize("text", ["(a|b)" * 40, "(" * 19_000, "(a" * 9_000, "\\a" * 9_000 + "(a|b)" * 9, ".*" * 9_000])
def test_a_hostile_pattern_costs_nothing(text):
    before = time.process_time()
    try:
        for pieces in expand(text, 1000):
            matches(pieces, "a" * 200)
    except ValueError as error:
        assert "choose fewer values" in str(error)  # either is fine, but fast
    assert time.process_time() - before < 20  # without a bound it would be hours


def test_too_many_values_are_refused_with_the_cure():
    with pytest.raises(ValueError, match="stands for more than 1000 texts: choose fewer values"):
        expand("(a|b)" * 11, 1000)
    with pytest.raises(ValueError, match="longer than 20000 characters"):
        expand("a" * 20_001, 10)


def test_a_panel_is_read_whole():
    panel = parse_panel(
        {
            "range": DAY,
            "intervalMs": 60_000,
            "interval": "1y",
            "maxDataPoints": 500,
            "targets": [
                {"target": "host::cpu", "refId": "A", "type": "timeserie"},
                {"target": "host::memory", "refId": "B", "hide": True},
                {"refId": "C"},
                {"target": "host::memory", "type": "table"},
            ],
            "adhocFilters": [{"key": "unit", "operator": "=", "value": "%"}],
        }
    )
    assert (panel.start, panel.end, panel.points) == (1769817600.0, 1769904000.0, 500)
    assert panel.targets == (Target("host::cpu", "A", "timeserie"), Target("host::memory", None, "table"))
    assert panel.filters == (Filter("unit", "=", "%"),)


@pytest.mark.parametrize(
    ("given", "start", "end"),
    [
        (("2026-01-31T12:00:00.500Z", "2026-01-31T12:00:01+00:00"), 1769860800.5, 1769860801.0),
        (("2026-01-31", "2026-02-01T00:00:00"), 1769817600.0, 1769904000.0),
        (("0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"), 1e-6, 253402300799.999),
        (("1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"), 1e-6, 1e-6),
    ],
)
def test_a_range_is_unix_seconds_and_never_an_ago(given, start, end):
    assert parse_range({"from": given[0], "to": given[1]}) == (start, end)


@pytest.mark.parametrize(
    ("most", "interval", "span", "points"),
    [
        (800, None, 3600, 800),
        (None, 60_000, 3600, 120),
        (800, 60_000, 3600, 120),
        (50, 1000, 3600, 50),
        (None, None, 3600, 1000),
        (1e9, None, 3600, 100_000),
        (0.5, None, 3600, 1),
        (800, 3.2e10, 3600, 2),
        (800, 1000, 0, 2),
    ],
)
def test_points_follow_the_panel_and_its_interval(most, interval, span, points):
    assert parse_points(most, interval, span) == points


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"range": None}, "range is missing"),
        ({"range": {"from": "yesterday", "to": "now"}}, "range.from='yesterday' is not a time"),
        ({"range": {"from": 1, "to": 2}}, "range.from=1 is not a time"),
        ({"range": {"from": DAY["to"], "to": DAY["from"]}}, "swap from="),
        ({"maxDataPoints": "many"}, "maxDataPoints='many' is not a number above zero"),
        ({"maxDataPoints": -3}, "is not a number above zero"),
        ({"maxDataPoints": True}, "is not a number above zero"),
        ({"intervalMs": 0}, "intervalMs=0 is not a number above zero"),
        ({"targets": {"a": 1}}, "targets is {'a': 1}: it must be a list"),
        ({"targets": ["host::cpu"]}, "a target is 'host::cpu': it must be an object"),
        ({"targets": [{"target": 7}]}, "target is 7: it must be a text"),
        ({"targets": [{"target": "a::b", "type": "heatmap"}]}, "use 'timeserie' or 'table'"),
        ({"targets": [{"target": "a::b"}] * 201}, "201 targets are too many"),
        ({"adhocFilters": [{"key": "colour", "value": "x"}]}, "use one of node, field, unit, type"),
        ({"adhocFilters": [{"key": "unit", "operator": "<", "value": "x"}]}, "use one of =, !=, =~, !~"),
        ({"adhocFilters": [{"key": "unit", "operator": "="}]}, "a filter's value is missing"),
    ],
)
def test_a_senseless_request_is_a_sentence(change, sentence):
    with pytest.raises(RequestError) as error:
        parse_panel({"range": DAY, "targets": [], **change})
    assert sentence in str(error.value)


def test_a_request_that_is_no_object_is_a_sentence():
    with pytest.raises(RequestError, match=r"the request is \[\]: it must be an object"):
        parse_panel([])


@pytest.mark.parametrize(
    ("text", "series"),
    [
        ("host::cpu", ["host::cpu"]),
        ("away::field", ["away::field"]),
        ("host::cpu (core 0)", ["host::cpu (core 0)"]),
        (r"(host|weather)::(cpu|sky\.state)", ["host::cpu", "host::sky.state", "weather::cpu", "weather::sky.state"]),
        ("host::cpu.*", ["host::cpu", "host::cpu (core 0)"]),
        (".*::total", ["lsof::total"]),
        (r"weather::sky\.state", ["weather::sky.state"]),
        (r"host::cpu \(core 0\)", ["host::cpu (core 0)"]),
    ],
)
def test_a_target_stands_for_its_series(text, series):
    assert names(text) == series


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("cpu", "'cpu' is not a target: write it as node::field"),
        ("no node::cpu", "'no node' cannot name a data node"),
        ("host::", "'' cannot name a field"),
        ("host::nothing.*", "nothing matches 'host::nothing.*'"),
        ("(a|b)" * 11 + "::x", "choose fewer values"),
    ],
)
def test_a_target_that_is_none_says_why_and_costs_only_itself(text, why):
    targets = (Target(text, "A", "timeserie"), Target("host::cpu", "B", "timeserie"))
    broken, good = resolve(Panel(1, 2, 10, targets, ()), KNOWN)
    assert isinstance(broken, Broken)
    assert broken.name == text
    assert why in broken.why
    assert good == Wanted(targets[1], "host", "cpu")


def test_a_panel_of_too_many_series_is_refused():
    targets = (Target("(a|b)" * 9 + "::x", "A", "timeserie"),) * 2
    with pytest.raises(RequestError, match="more than 1000 series"):
        resolve(Panel(1, 2, 10, targets, ()), KNOWN)


@pytest.mark.parametrize(
    ("given", "series"),
    [
        ({"key": "node", "operator": "=", "value": "weather"}, ["weather::rain", "weather::sky.state"]),
        ({"key": "node", "operator": "!=", "value": "weather"}, ["host::memory"]),
        ({"key": "unit", "operator": "=", "value": "B"}, ["host::memory"]),
        ({"key": "type", "operator": "=~", "value": "(string|bool)"}, ["weather::rain", "weather::sky.state"]),
        ({"key": "type", "operator": "!~", "value": "(string|number)"}, ["weather::rain"]),
        ({"key": "field", "operator": "=~", "value": "m.*"}, ["host::memory"]),
    ],
)
def test_filters_look_at_node_field_unit_and_type(given, series):
    assert names(r"(host::memory|weather::rain|weather::sky\.state)", given) == series


def test_what_is_not_known_has_no_unit():
    assert attribute("unit", "away", "x", KNOWN) == ""
    assert attribute("unit", "lsof", "total", KNOWN) == ""


def test_plain_targets_do_not_wait_for_field_lists():
    def needs(text, *filters):
        return needs_known(Panel(1, 2, 10, (Target(text, "A", "timeserie"),), parse_filters(list(filters))))

    assert not needs("host::cpu")
    assert not needs("host::health.state")
    assert needs("host::(cpu|memory)")
    assert needs("host::cpu", {"key": "unit", "value": "%"})
    assert not is_pattern("host::cpu (core 0)")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("CPU", ["host::cpu", "host::cpu (core 0)"]),
        ("(rain|total)", ["lsof::total", "weather::rain"]),
        (r"sky\.state", ["weather::sky.state"]),
        ("(core 0)", ["host::cpu (core 0)"]),
        ("weather::.*e", ["weather::sky.state", "weather::temperature"]),
        ("nothing", []),
    ],
)
def test_search_finds_what_is_typed(text, found):
    assert search(text, KNOWN, 100) == found


def test_search_is_bounded_and_sorted():
    everything = search("", KNOWN, 100)
    assert everything == sorted(everything)
    assert len(everything) == 7
    assert search("", KNOWN, 2) == everything[:2]
