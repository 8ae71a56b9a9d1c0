"""Rows in every form: CSV, JSON and Arrow tell the same, whatever the names and values."""

import csv
import io
import json
import math

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grafana_json.query import RequestError
from grafana_json.rows import as_arrow, as_csv, as_json
from grafana_json.rows.fetching import Samples
from grafana_json.rows.headers import headers
from grafana_json.rows.layouts import laid_out, wide
from grafana_json.series import Label
from sisock.frames import Column, Frame, column

TEXTS = st.text(max_size=8) | st.sampled_from(
    ['"', ",", "\n", "\r\n", "=1+1", "ü𐍈", 'a,b\n"c"', " ", "\x00", "NaN", ""]
)
VALUES = st.one_of(
    st.lists(
        st.floats() | st.none() | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324, 1e308]), max_size=6
    ),
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), max_size=6),
    st.lists(st.booleans() | st.none(), max_size=6),
    st.lists(TEXTS | st.none(), max_size=6),
)
NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
TIMES = st.integers(-(2**63), 2**63 - 1)
ABOUT = {"series": [], "notices": []}
WORDS = {"true": True, "false": False}


@st.composite
def samples(draw):
    made = column(draw(VALUES))
    t = np.array(sorted(draw(st.lists(TIMES, min_size=len(made.values), max_size=len(made.values)))), np.int64)
    unit = draw(st.none() | TEXTS)
    return Samples(draw(NAMES), draw(NAMES), t, made, unit, Label("raw", len(t), None, ()), None)


def distinct(made):
    return list({each.name: each for each in made}.values())


TABLES = st.tuples(st.lists(samples(), max_size=4).map(distinct), st.sampled_from(["long", "wide"]))


def plain(column):
    """Python's values of a column, None where one is missing."""
    gone = np.zeros(len(column.values), bool) if column.missing is None else column.missing
    return [None if none else value for value, none in zip(column.values.tolist(), gone.tolist(), strict=True)]


def rows_of(made, shape):
    """The rows that these samples are, made in the plainest way: a list of dicts, times in ns."""
    if shape == "long":
        return [
            {"time": t, "node": each.node, "field": each.field, "value": value, "unit": each.unit}
            for each in made
            for t, value in zip(each.t.tolist(), plain(each.column), strict=True)
        ]
    found = {}
    for each in made:
        seen = {}
        for t, value in zip(each.t.tolist(), plain(each.column), strict=True):
            nth = seen[t] = seen.get(t, -1) + 1
            found.setdefault((t, nth), {})[each.name] = value
    return [{"time": t, **{each.name: row.get(each.name) for each in made}} for (t, _), row in sorted(found.items())]


def same(a, b):
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)
    return a == b and (isinstance(a, bool) == isinstance(b, bool))


def agree(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert list(a) == list(b)
        assert all(same(a[name], b[name]) for name in a), (a, b)


def of_cell(text, value):
    """The value of a cell of CSV, read as the type that is expected."""
    if value is None:
        assert text == ""
        return None
    if isinstance(value, str):
        return text
    return WORDS[text] if isinstance(value, bool) else float(text) if isinstance(value, float) else int(text)


@given(TABLES)
def test_csv_read_back_by_python_is_the_same(given_):
    made, shape = given_
    expected = rows_of(made, shape)
    text = b"".join(as_csv.written(laid_out(made, shape), "ns")).decode()
    head, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert head == (
        ["time", *(each.name for each in made)] if shape == "wide" else ["time", "node", "field", "value", "unit"]
    )
    assert text.endswith("\r\n")
    read = [
        {name: of_cell(cell, row[name]) for name, cell in zip(head, line, strict=True)}
        for line, row in zip(lines, expected, strict=True)
    ]
    agree(read, expected)


@given(TABLES)
def test_json_is_the_same_with_null_for_what_it_does_not_have(given_):
    made, shape = given_
    read = json.loads(b"".join(as_json.written(laid_out(made, shape), "ns")), parse_constant=pytest.fail)
    agree(read, [{name: finite(value) for name, value in row.items()} for row in rows_of(made, shape)])


def finite(value):
    return None if isinstance(value, float) and not math.isfinite(value) else value


@given(TABLES)
def test_arrow_is_the_same_in_types_of_its_own(given_):
    made, shape = given_
    stream = b"".join(as_arrow.written(laid_out(made, shape), ABOUT))
    table = pa.ipc.open_stream(stream).read_all()
    table.validate(full=True)
    assert table.schema.field("time").type == pa.timestamp("ns", tz="UTC")
    found = table.set_column(0, "time", table.column("time").cast(pa.int64()))
    rows = [
        dict(zip(found.column_names, row, strict=True))
        for row in zip(*(c.to_pylist() for c in found.columns), strict=True)
    ]
    expected = rows_of(made, shape)
    if shape == "long":
        kinds = {each.column.values.dtype.kind for each in made}
        if kinds == {"f", "i"}:
            expected = [{**row, "value": None if row["value"] is None else float(row["value"])} for row in expected]
        elif len(kinds) > 1:
            expected = [{**row, "value": as_text(row["value"])} for row in expected]
    agree(rows, expected)


def as_text(value):
    """A value as it stands in CSV, without quotes."""
    if value is None or isinstance(value, str):
        return value
    (cell,) = as_csv.cells_of(column([value]), 1, "ns")
    return cell.decode()


@given(TABLES)
def test_a_frame_has_nan_infinities_and_nanoseconds(given_):
    made, shape = given_
    read = json.loads(b"".join(as_json.frame(laid_out(made, shape), ABOUT, "ms")), parse_constant=pytest.fail)
    names = [field["name"] for field in read["schema"]["fields"]]
    columns = read["data"]["values"]
    odd = {"NaN": math.nan, "Inf": math.inf, "NegInf": -math.inf}
    for column_, entities, finer in zip(columns, read["data"]["entities"], read["data"]["nanos"], strict=True):
        for name, rows in (entities or {}).items():
            for row in rows:
                assert column_[row] is None
                column_[row] = odd[name]
        if finer:
            column_[:] = [ms * 10**6 + nanos for ms, nanos in zip(column_, finer, strict=True)]
    if not read["data"]["nanos"][0]:
        columns[0] = [ms * 10**6 for ms in columns[0]]
    expected = rows_of(made, shape)
    mixed = shape == "long" and len({"n" if k in "fi" else k for k in (e.column.values.dtype.kind for e in made)}) > 1
    if mixed:
        expected = [{**row, "value": as_text(row["value"])} for row in expected]
    agree([dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)], expected)


@given(TABLES)
def test_no_cell_of_a_sheet_is_a_formula(given_):
    made, shape = given_
    text = b"".join(as_csv.written(laid_out(made, shape), "ns", safe=True)).decode()
    assert text.startswith("\ufeff")
    numbers = {
        as_csv.cells_of(each.column, len(each.t), "ns")[i].decode()
        for each in made
        if each.column.type == "number"
        for i in range(len(each.t))
    }
    times = {str(t) for each in made for t in each.t.tolist()}
    for line in csv.reader(io.StringIO(text[1:], newline=""), strict=True):
        for cell in line:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) or cell in numbers | times


def test_texts_that_begin_like_formulas_are_left_as_they_are_but_for_sheets():
    made = [Samples("n", "=f", np.array([0]), column(["=cmd|' /C calc'!A0"]), "@u", Label("raw", 1, None, ()), None)]
    exact = b"".join(as_csv.written(laid_out(made, "long"), "ms"))
    assert exact == b"time,node,field,value,unit\r\n0,n,=f,=cmd|' /C calc'!A0,@u\r\n"
    safe = b"".join(as_csv.written(laid_out(made, "long"), "ms", safe=True))
    assert safe == b"\xef\xbb\xbftime,node,field,value,unit\r\n0,n,'=f,'=cmd|' /C calc'!A0,'@u\r\n"


def test_missing_and_empty_are_two_things_in_csv():
    made = [Samples("n", "f", np.array([0, 1]), column(["", None]), None, Label("raw", 2, None, ()), None)]
    assert b"".join(as_csv.written(wide(made), "ms")).splitlines()[1:] == [b'0,""', b"0,"]


@pytest.mark.parametrize(
    ("time", "shown"), [("ms", 1769990400001), ("ns", 1769990400001999999), ("iso", "2026-02-02T00:00:00.001Z")]
)
def test_times_are_written_as_is_asked(time, shown):
    made = [Samples("n", "f", np.array([1769990400001999999]), column([1.0]), None, Label("raw", 1, None, ()), None)]
    assert orjson.loads(b"".join(as_json.written(wide(made), time))) == [{"time": shown, "n::f": 1.0}]
    assert b"".join(as_csv.written(wide(made), time)) == f"time,n::f\r\n{shown},1.0\r\n".encode()


def test_very_many_targets_of_different_times_are_refused_side_by_side():
    rng = np.random.default_rng(1)
    made = [
        Samples(
            "n",
            f"f{i}",
            np.sort(rng.integers(0, 2**60, 30_000)),
            Column(np.zeros(30_000)),
            None,
            Label("raw", 1, None, ()),
            None,
        )
        for i in range(30)
    ]
    with pytest.raises(RequestError, match="shape=long"):
        wide(made)
    alike = [each._replace(t=made[0].t) for each in made]
    assert wide(alike).rows == 30_000


def test_many_rows_come_in_pieces_and_are_whole():
    t = np.arange(70_000, dtype=np.int64) * 10**6
    made = [Samples("n", "f", t, Column(t / 7), None, Label("raw", len(t), None, ()), None)]
    pieces = list(as_json.written(wide(made), "ms"))
    assert len(pieces) > 4
    assert [row["time"] for row in orjson.loads(b"".join(pieces))] == list(range(70_000))
    assert len(list(as_csv.written(wide(made), "ms"))) > 4
    assert len(pa.ipc.open_stream(b"".join(as_arrow.written(wide(made), ABOUT))).read_all()) == 70_000


@given(st.lists(st.text(max_size=400), max_size=20), st.dictionaries(NAMES, TEXTS.filter(bool), max_size=80))
def test_headers_are_short_ascii_and_say_what_they_leave_out(notices, units):
    series = [
        {
            "target": f"n::{name}",
            "unit": unit,
            "method": "raw",
            "samples": 1,
            "bin": None,
            "gaps": [],
            "finalized_until": None,
        }
        for name, unit in units.items()
    ]
    made = headers({"series": series, "notices": [{"text": text} for text in notices]})
    for text in made.values():
        assert text.isascii()
        assert text.isprintable()
        assert len(text) <= 1000
    told = json.loads(made.get("Sisock-Units", "{}"))
    left_out = int(told.pop("…", "0 more").split()[0])
    assert len(told) + left_out == len(units)


def test_a_frame_that_is_not_ascending_is_no_reason_to_fail():
    frame = Frame("t", np.array([3, 1, 1]), {"f": column([1, 2, 3])})
    made = [
        Samples("n", "f", frame.t, frame.columns["f"], None, Label("raw", 3, None, ()), None),
        Samples("n", "g", np.array([2]), column([9]), None, Label("raw", 1, None, ()), None),
    ]
    values = [row["n::f"] for row in orjson.loads(b"".join(as_json.written(wide(made), "ns")))]
    assert sorted(value for value in values if value is not None) == [1, 2, 3]
