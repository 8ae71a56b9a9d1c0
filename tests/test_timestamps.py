"""Times as others write them: exact to what they say, and none beyond what an int64 holds."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock import timestamps
from sisock.times import LAST, NS

T = 1_700_000_000


@given(st.integers(-LAST + 2000, LAST - 2000))
def test_iso_8601_is_read_to_the_nanosecond_with_any_zone(t):
    text = str(np.datetime64(t, "ns"))
    assert (
        timestamps.of_text(text) == timestamps.of_text(f" {text}Z ") == timestamps.of_text(text.replace("-", "/")) == t
    )
    assert timestamps.of_text(text, ZoneInfo("Etc/GMT-2")) == t - 7200 * NS or abs(t) > LAST - 7201 * NS


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, NS])
def test_unix_times_are_known_by_their_size_or_by_their_unit(unit):
    assert timestamps.of_number(T * NS // unit) == T * NS
    assert timestamps.of_number(5, unit) == 5 * unit
    assert timestamps.of_number(0.5, NS) == NS // 2


def test_whole_numbers_lose_nothing():
    assert timestamps.of_number(T * NS + 123_456_789) == T * NS + 123_456_789


def test_a_clock_of_python_is_read_as_utc_where_it_has_no_zone():
    assert timestamps.of_datetime(datetime(2023, 11, 14, 22, 13, 20, 5)) == T * NS + 5000  # noqa: DTZ001  # so it comes
    assert timestamps.of_datetime(datetime.max.replace(tzinfo=UTC)) is None
    assert timestamps.of_datetime(datetime.fromtimestamp(T, UTC)) == T * NS


@given(st.floats() | st.integers(), st.sampled_from([0, 1, 10**3, 10**6, NS]))
def test_any_number_is_a_time_or_none(value, unit):
    t = timestamps.of_number(value, unit)
    assert t is None or (type(t) is int and abs(t) <= LAST + 1)


@given(st.text())
def test_any_text_is_a_time_or_none(text):
    t = timestamps.of_text(text)
    assert t is None or (type(t) is int and abs(t) <= LAST)
