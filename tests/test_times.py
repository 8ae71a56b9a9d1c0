"""Seconds at the door, nanoseconds inside."""

import math
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sisock.times import FIRST, LAST, NS, at_the_door, moment, parse_duration, to_ns, to_seconds, utc, window

NOW = 1_763_000_000 * NS + 123_456_789


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (1_500_000_000, 1_500_000_060.5, (1_500_000_000 * NS, 1_500_000_060 * NS + NS // 2)),
        (-60, 0, (NOW - 60 * NS, NOW)),
        (-0.25, -0.0, (NOW - NS // 4, NOW)),
        (1, 0, (FIRST, LAST)),
        (1.0, 0.0, (FIRST, LAST)),
        (0, 0, (NOW, NOW)),
        (1, 2, (NS, 2 * NS)),
        (0.5, 0, (NS // 2, NOW)),
        (0, -10, (NOW, NOW - 10 * NS)),
    ],
)
def test_positive_is_unix_time_zero_or_less_is_ago_and_1_0_is_everything(start, end, expected):
    assert window(start, end, NOW) == expected


@pytest.mark.parametrize("seconds", [9.2e9, 1e12, 1e300, math.inf, 10**12, 10**400])
def test_what_lies_beyond_int64_is_clamped(seconds):
    assert (to_ns(seconds), to_ns(-seconds)) == (LAST, FIRST)
    start, end = window(-seconds, seconds, NOW)
    assert FIRST <= start < -(2**62)
    assert end == LAST


def test_a_moment_is_clamped_after_now_was_added():
    assert moment(-9.1e9, FIRST + NS) == FIRST


@pytest.mark.parametrize("t", [True, False, "1", "now", None, [], {}, b"1", 1j, Decimal(1)])
def test_what_is_no_number_is_refused_with_the_cure(t):
    for start, end in ((t, 0), (1, t)):
        with pytest.raises(ValueError, match="is not a time: give seconds"):
            window(start, end, NOW)


def test_nan_is_refused():
    for start, end in ((math.nan, 0), (-60, math.nan), (math.nan, math.nan)):
        with pytest.raises(ValueError, match="not NaN"):
            window(start, end, NOW)


@given(st.integers(-(10**15), 4 * 10**15))
@example(1_763_000_000_123_456)
@example(-1)
def test_unix_times_of_our_age_are_exact_to_the_microsecond(microseconds):
    assert to_ns(microseconds / 1e6) == microseconds * 1000


@given(st.integers(-(10**15), 4 * 10**15))
def test_a_time_comes_back_the_same_after_a_trip_through_the_door(microseconds):
    assert to_ns(to_seconds(microseconds * 1000)) == microseconds * 1000


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_the_order_of_times_is_kept(a, b):
    a, b = sorted((a, b))
    assert FIRST <= to_ns(a) <= to_ns(b) <= LAST


@given(st.floats(allow_nan=False) | st.integers(), st.floats(allow_nan=False) | st.integers())
def test_a_window_of_any_numbers_is_two_int64(start, end):
    assert all(type(t) is int and FIRST <= t <= LAST for t in window(start, end, NOW))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("90s", 90), ("15m", 900), ("1h", 3600), (" 2d ", 172_800), ("1 w", 604_800), ("1.5h", 5400)],
)
def test_durations_are_a_number_and_a_unit(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "h", "1", "-1h", "1h30m", "1e3s", "nan s", "inf", "1 H", ".5h", "1.h", "1µs"])
def test_anything_else_is_no_duration(text):
    with pytest.raises(ValueError, match="is not a duration: write a number and one of ms, s"):
        parse_duration(text)


@given(st.integers(FIRST, LAST))
def test_what_is_told_to_the_door_is_heard_there_to_the_microsecond_or_as_near_as_a_float_is(ns):
    heard = moment(at_the_door(ns, NOW), NOW)
    assert abs(heard - ns) <= max(2_000, abs(ns - NOW) / 1e12, abs(ns) / 1e12) or ns < FIRST + NOW


def test_a_time_for_people_is_utc_to_the_second():
    assert utc(1_763_000_000 * NS + 999_999_999) == "2025-11-13 02:13:20 UTC"
    assert utc(-1) == "1969-12-31 23:59:59 UTC"
    assert utc(FIRST)[:4] == "1677"
