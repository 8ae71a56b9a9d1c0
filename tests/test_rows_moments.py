"""Times in a URL, as people and Grafana write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grafana_json.query import RequestError
from grafana_json.rows.moments import duration, moment
from sisock.times import FIRST, LAST, NS

NOW = 1_770_000_000 * NS + 5
MONDAY = 1_769_990_400 * NS


@pytest.mark.parametrize(
    ("text", "ns", "fixed"),
    [
        ("now", NOW, False),
        ("-6h", NOW - 6 * 3600 * NS, False),
        ("now-6h", NOW - 6 * 3600 * NS, False),
        ("now - 1.5 d", NOW - 36 * 3600 * NS, False),
        ("now+1h", NOW + 3600 * NS, False),
        ("2026-02-02", MONDAY, True),
        ("2026-02-02T01:00:00+01:00", MONDAY, True),
        ("2026-02-02T01:00:00 01:00", MONDAY, True),  # an unescaped plus
        ("2026-02-02 00:00", MONDAY, True),
        ("2026-02-02T00:00:00.123456789Z", MONDAY + 123_456_789, True),
        ("1769990400", MONDAY, True),
        ("1769990400.000000001", MONDAY + 1, True),
        ("1769990400123", MONDAY + 123 * 10**6, True),  # Grafana's ${__from}
        ("1769990400123456", MONDAY + 123_456_000, True),
        ("1769990400123456789", MONDAY + 123_456_789, True),
        ("1.7699904e9", MONDAY, True),
        ("0", 0, True),
        ("1e4000", LAST, True),
        ("9999-12-31T23:59:59Z", LAST, True),
        ("0001-01-01T00:00:00+23:59", FIRST, True),
        ("-9999999y", NOW - LAST, False),
        (1769990400, MONDAY, True),
        (1769990400.5, MONDAY + NS // 2, True),
        (" now ", NOW, False),
    ],
)
def test_a_time_is_read_to_the_nanosecond(text, ns, fixed):
    assert moment(text, NOW, "from") == (ns, fixed)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "-6", "-6 fortnights", "now-", "1_000", "-1", "inf", "nan", "١٢", "2026-13-01", True, [], {},
             None, "1" * 101, 10**200, "now-6h-2h", "1e99999"],
)  # fmt: skip
def test_what_is_no_time_is_told_what_would_be_one(text):
    with pytest.raises(RequestError, match=r"^from[=:].* "):
        moment(text, NOW, "from")


@pytest.mark.parametrize(
    ("text", "ns"), [("90s", 90 * NS), ("1m", 60 * NS), ("0.5", NS // 2), (60, 60 * NS), ("1d", 86_400 * NS)]
)
def test_a_width_is_a_length_of_time_or_seconds(text, ns):
    assert duration(text, "bin") == ns


@pytest.mark.parametrize("text", ["", "0", "0s", "1e-12", "-1m", "1 fortnight", None, "soon", 10**200])
def test_what_is_no_width_is_a_sentence(text):
    with pytest.raises(RequestError, match="^bin"):
        duration(text, "bin")


@given(st.text(max_size=30) | st.integers() | st.floats())
def test_whatever_is_given_is_a_time_that_an_int64_holds_or_a_sentence(given_):
    try:
        ns, _ = moment(given_, NOW, "from")
    except RequestError:
        return
    assert FIRST <= ns <= LAST


@given(st.integers(10**17, LAST - 1))
def test_nanoseconds_come_through_as_they_are(ns):
    assert moment(str(ns), NOW, "t") == (ns, True)
