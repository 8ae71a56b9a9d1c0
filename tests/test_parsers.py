"""Texts of others become rows; nothing of a text is lost, and none can harm."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock.parsers import csv_text, json_text, keys, patterns
from sisock.parsers.choosing import PARSERS, Wanted, make
from sisock.parsers.moments import EARLIEST, LATEST, reader
from sisock.parsers.rows import value_in
from sisock.times import NS

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.from_regex(r"[g-z]{3,12}", fullmatch=True).filter(lambda word: value_in(word) == word)
ROWS = st.dictionaries(NAMES, NUMBERS | WORDS | st.booleans(), min_size=1, max_size=8)


def rows(parsed):
    assert parsed.refused == []
    return [row.values for row in parsed.rows]


def why(parsed):
    assert parsed.rows == []
    return [each.reason for each in parsed.refused]


# what is written is read


@given(ROWS)
def test_json_is_read_as_it_was_written(row):
    assert rows(json_text.parser()(json.dumps(row))) == [row]
    assert rows(make(Wanted())(json.dumps(row))) == [row]


@given(st.lists(ROWS, min_size=1, max_size=5))
def test_a_list_of_objects_and_lines_of_objects_are_as_many_rows(listed):
    assert rows(json_text.parser()(json.dumps(listed))) == listed
    assert rows(json_text.parser()("\n".join(map(json.dumps, listed)))) == listed
    assert rows(json_text.parser("data/items")(json.dumps({"data": {"items": listed}, "n": 1}))) == listed


@given(ROWS)
def test_pairs_are_read_as_they_were_written(row):
    text = " ".join(f"{name}={json.dumps(value)}" for name, value in row.items())
    assert rows(keys.parser()(text)) == [row]
    assert rows(keys.parser()(f"INFO sent off, {text}")) == [row]


@given(st.lists(NAMES, min_size=1, max_size=6, unique=True), st.data())
def test_cells_are_read_as_they_were_written(titles, data):
    cells = [data.draw(st.lists(NUMBERS, min_size=len(titles), max_size=len(titles))) for _ in range(3)]
    text = "\n".join([",".join(titles), *(",".join(map(repr, line)) for line in cells)])
    assert rows(csv_text.parser()(text)) == [dict(zip(titles, line, strict=True)) for line in cells]
    for delimiter in (" ", ";", "\t"):
        line = delimiter.join(map(repr, cells[0]))
        assert rows(csv_text.parser(titles)(line)) == [dict(zip(titles, cells[0], strict=True))]


@given(st.lists(NUMBERS, min_size=1, max_size=5))
def test_numbers_alone_are_values(values):
    (row,) = rows(make(Wanted())(" ".join(map(repr, values))))
    assert list(row.values()) == values
    assert next(iter(row)) == ("value" if len(values) == 1 else "value 1")


# whatever comes, nothing is lost


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "replace")), st.sampled_from(PARSERS))
def test_any_text_becomes_rows_or_is_refused_with_a_reason(text, parser):
    parsed = make(Wanted(parser, r"(?P<a>\d+)"))(text)
    assert all(each.reason and each.text for each in parsed.refused)
    assert parsed.rows or parsed.refused or not text.strip() or parser == "csv"


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 5000 + "1" + "}" * 5000, "=" * 65536, "a=" * 32768, 'a="' * 20000, "a" * 65536, '"' * 65536,
     "1" * 5000, "a:" + " " * 65536, ",".join("ab" * 20000), "[" + "1," * 20000 + "1]"],
    ids=range(11),
)  # fmt: skip
@pytest.mark.parametrize("parser", [each for each in PARSERS if each != "regex"])
def test_what_would_take_long_or_lies_deep_is_over_soon(text, parser):
    make(Wanted(parser, columns=("a",)))(text)


@pytest.mark.parametrize(
    ("parser", "text", "reason"),
    [
        ("json", '{"a": 1', "it is no JSON: "),
        ("json", "{}", "there are no values in it"),
        ("json", "[" * 100_000, "it is no JSON: lists and objects lie too deep in it"),
        ("json", '{"a":' * 30 + "1" + "}" * 30, "objects lie more than 16 deep in it"),
        ("json", json.dumps(list(range(20_000))), "more than 10000 values are in it"),
        ("csv", "a,a\n1,2", "the first line does not name each column once"),
        ("csv", "a,b\n1", "it has not as many cells as there are columns, 2"),
        ("keys", "nothing here", "there is no name=value in it"),
        ("numbers", "1 two", "it is not numbers alone"),
        ("regex", "none", "the regular expression does not match"),
        ("auto", "torn li", "it is neither JSON nor name=value nor numbers alone"),
    ],
)
def test_what_is_refused_has_its_reason(parser, text, reason):
    (said,) = why(make(Wanted(parser, r"(?P<a>\d+)"))(text))
    assert said.startswith(reason)


def test_a_line_that_cannot_be_read_costs_only_itself():
    parsed = csv_text.parser()("a,b\n1,2\n3\n5,6\n")
    assert [row.values for row in parsed.rows] == [{"a": 1, "b": 2}, {"a": 5, "b": 6}]
    assert [each.text for each in parsed.refused] == ["3"]
    parsed = json_text.parser()('{"a": 1}\n{"a": \n{"a": 3}\n')
    assert [row.values for row in parsed.rows] == [{"a": 1}, {"a": 3}]
    assert [each.text for each in parsed.refused] == ['{"a": ']


# what it means


def test_what_lies_deeper_in_json_has_names_with_slashes():
    text = '{"fridge": {"temp": -20.5, "door": {"open": false}}, "fans": [1, 2], "none": null}'
    assert rows(json_text.parser()(text)) == [
        {"fridge/temp": -20.5, "fridge/door/open": False, "fans/0": 1, "fans/1": 2, "none": None}
    ]


def test_a_name_that_comes_again_begins_the_next_row():
    text = "a=1 b=2\na=3\n"
    assert rows(keys.parser()(text)) == [{"a": 1, "b": 2}, {"a": 3}]
    meminfo = "MemTotal:       16 kB\nMemFree:        8 kB\n"
    assert rows(keys.parser()(meminfo)) == [{"MemTotal": 16, "MemFree": 8}]
    pattern = patterns.parser(r"temp (?P<temp>\S+)|hum (?P<hum>\S+)")
    assert rows(pattern("temp 1\nhum 2\ntemp 3\nhum 4")) == [{"temp": 1, "hum": 2}, {"temp": 3, "hum": 4}]


def test_between_semicolons_a_comma_is_a_decimal_one():
    (row,) = csv_text.parser()("a;b;c;d;e\n20,5;-0,25;,5;1,5e-3;20.5\n").rows
    assert row.values == {"a": 20.5, "b": -0.25, "c": 0.5, "d": 0.0015, "e": 20.5}
    (row,) = csv_text.parser(["a", "b"], ";")("1,2,3;20,5").rows
    assert row.values == {"a": "1,2,3", "b": 20.5}
    (row,) = csv_text.parser(["a", "b"], "\t", {"a"})("20,5\t20,5").rows
    assert row.values == {"a": "20,5", "b": "20,5"}
    (row,) = csv_text.parser(["a", "b"], ";", {"a"})("20,5;20,5").rows
    assert row.values == {"a": "20,5", "b": 20.5}


def test_texts_that_look_like_numbers_stay_texts_where_that_is_wanted():
    texts = frozenset({"id"})
    assert rows(make(Wanted("csv", columns=("id", "n"), texts=texts))("007,7")) == [{"id": "007", "n": 7}]
    assert rows(make(Wanted("keys", texts=texts))("id=007 n=7")) == [{"id": "007", "n": 7}]
    assert rows(make(Wanted("regex", r"(?P<id>\d+) (?P<n>\d+)", texts=texts))("007 7")) == [{"id": "007", "n": 7}]


@pytest.mark.parametrize("pattern", [r"(?P<x>(a+)+)$", r"(?P<x>(a|a)*)$", r"(?P<x>a*a*a*a*a*)$"])
def test_a_line_that_would_keep_a_pattern_busy_for_ever_is_refused_at_once_or_read(pattern):
    parse = patterns.parser(pattern)
    assert [row.values for row in parse("a" * 3000).rows if row.values["x"]] == [{"x": "a" * 3000}]
    assert not [row for row in parse("a" * 60_000 + "!").rows if row.values["x"]]


def test_groups_are_found_by_their_names_in_their_order_at_each_line_and_in_any_letters():
    parse = patterns.parser(r"^(?P<zone>\S+) (?P<grad>\S+?)°(?P<ab>,)?(?:;|$)")
    assert [list(row.values.items()) for row in parse("Küche 1°\nx\nBüro 2.5°,\nα -3°;").rows] == [
        [("zone", "Küche"), ("grad", 1)],
        [("zone", "Büro"), ("grad", 2.5), ("ab", ",")],
        [("zone", "α"), ("grad", -3)],
    ]
    assert [row.values for row in patterns.parser("(?P<x>é)")("aé\ud800é").rows] == [{"x": "é"}, {"x": "é"}]


@pytest.mark.parametrize(
    "pattern", ["(", r"\d+", "(?P<a>x){99999999999}", "(?P<a>x{1001})", r"(?P<a>x)\Z", "(?P<a>x)++"]
)
def test_a_pattern_that_cannot_be_is_refused(pattern):
    with pytest.raises(ValueError, match="is no regular expression|names no value: write"):
        patterns.parser(pattern)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), (" 2.5 ", 2.5), ("1_000", "1_000"), ("TRUE", True), ("", None), ("x", "x"), ("1e400", math.inf)],
)
def test_values_are_what_they_look_like(text, value):
    assert value_in(text) == value


# times


@given(st.integers(EARLIEST // 1000 + 1, LATEST // 1000 - 1))
def test_iso_times_are_read_to_the_microsecond(us):
    import numpy as np

    text = str(np.datetime64(us, "us"))
    assert reader()(text) == us * 1000
    assert reader()(text + "Z") == us * 1000


@given(st.integers(10**8, LATEST // NS - 1))
def test_unix_times_are_known_by_their_size(seconds):
    read = reader()
    assert read(seconds) == read(str(seconds)) == seconds * NS
    if seconds * 1000 >= 10**11:
        assert read(seconds * 1000) == read(seconds * 10**6) == read(seconds * NS) == seconds * NS
    assert read(seconds + 0.5) == seconds * NS + NS // 2


@given(st.text() | st.floats() | st.integers() | st.booleans() | st.none())
def test_any_time_is_read_or_refused(value):
    try:
        assert EARLIEST <= reader()(value) < LATEST
    except ValueError as error:
        assert str(error).startswith("its time ")


def test_a_time_without_a_zone_is_of_the_zone_that_is_said():
    assert reader(zone="Europe/Berlin")("2026-07-01 12:00:00") == reader()("2026-07-01 10:00:00")
    assert reader("%d.%m.%Y %H:%M", "Europe/Berlin")("01.07.2026 12:00") == reader()("2026-07-01T10:00Z")
    with pytest.raises(ValueError, match="is no time zone that this machine knows"):
        reader(zone="Mars/Olympus")
