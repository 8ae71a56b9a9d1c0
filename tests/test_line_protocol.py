"""Line protocol as it is read: the grammar, the columns, what is refused, and what sisock's own lines say."""

import math
import urllib.error
import urllib.parse

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sisock.frames import Frame, column
from sisock.outlets import lines as written
from sisock.parsers.lines import Lines
from tests.test_live_lines import influxdb

NOW = 1_700_000_000 * 10**9


def read(text, precision="ns", lines=None):
    """Rows as (measurement, tags, t, fields) in the order of lines, and reasons by line."""
    parsed = (lines or Lines()).read(text, NOW, precision)
    rows = [
        (at, (p.series.measurement, dict(p.series.tags), t, {k: c.values.tolist()[row] for k, c in p.columns.items()}))
        for p in parsed.points
        for row, (at, t) in enumerate(zip(p.lines.tolist(), p.t.tolist(), strict=True))
    ]
    return [row for _, row in sorted(rows, key=lambda each: each[0])], {r.line: r.reason for r in parsed.refused}


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("m v=1 5", ("m", {}, 5, {"v": 1.0})), ("m v=1", ("m", {}, NOW, {"v": 1.0})),
        ("m,b=2,a=1 v=1i 5", ("m", {"a": "1", "b": "2"}, 5, {"v": 1})), ("m v=7u 5", ("m", {}, 5, {"v": 7})),
        ("m v=-1.5e-3,w=t,x=FALSE 5", ("m", {}, 5, {"v": -0.0015, "w": True, "x": False})),
        (r"we\ at\,her,lo\ c=us\,mi\=d te\=m\ p=82 5", ("we at,her", {"lo c": "us,mi=d"}, 5, {"te=m p": 82.0})),
        (r'm s="a \"b\" \\ c, d=e" 5', ("m", {}, 5, {"s": 'a "b" \\ c, d=e'})),
        ('m s="" 5', ("m", {}, 5, {"s": ""})), ('m s="two\nlines",v=1 5', ("m", {}, 5, {"s": "two\nlines", "v": 1.0})),
        (r"m,path=C:\dir v=1 5", ("m", {"path": r"C:\dir"}, 5, {"v": 1.0})),
        ("m  v=1   5  ", ("m", {}, 5, {"v": 1.0})), ("m v=1 -5", ("m", {}, -5, {"v": 1.0})),
        ("m v=1 5\r", ("m", {}, 5, {"v": 1.0})), ('m,t=a"b v=1 5', ("m", {"t": 'a"b'}, 5, {"v": 1.0})),
        ("m v=18446744073709551615u 5", ("m", {}, 5, {"v": float(2**64 - 1)})),
        ("température,où=là v=1 5", ("température", {"où": "là"}, 5, {"v": 1.0})),
    ],
)  # fmt: skip
def test_a_line_is_read(line, row):
    lines = Lines()
    for _ in range(2):  # the second time its series is known
        assert read(line, lines=lines) == ([row], {})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("m", "no fields"), ("m,a=1", "no fields"), (",a=1 v=1", "no measurement"), ("m,a v=1", "tag"),
        ("m,a= v=1", "tag"), ("m,a=1,a=2 v=1", "twice"), ("m v", "key=value"), ("m v=", "key=value"), ("m v=x", "no value"),
        ("m v=1ii", "no value"), ("m v=1.5i", "no value"), ("m v=nan", "no value"), ("m v=inf", "no value"),
        ("m v=1_0", "no value"), ("m v=-1u", "no value"), ("m v=9223372036854775808i", "64 bits"), ("m v=1e999", "no value"),
        ('m v="a', "key=value"), ("m v=1 x", "no time"), ("m v=1 1.5", "no time"), ("m v=1 9223372036854775808", "no time"),
        ("m v=1 1 1", "no time"), ("m v=1,", "not written"), ("m =1", "key=value"), ('m v="' + "x" * 65_537 + '"', "65536"),
    ],
)  # fmt: skip
def test_what_is_no_line_is_refused_with_its_number_and_the_others_are_kept(line, reason):
    rows, refused = read(f"m v=1 1\n{line}\nm v=2 2\n# a comment\n\nm v=3 3")
    assert [row[3] for row in rows] == [{"v": 1.0}, {"v": 2.0}, {"v": 3.0}]
    assert list(refused) == [1]
    assert reason in refused[1]


def test_a_text_that_is_never_closed_costs_its_own_line_only():
    rows, refused = read('m s="a 1\nm v=1 2\nm s="b" 3')
    assert ([row[3] for row in rows], list(refused)) == ([{"v": 1.0}, {"s": "b"}], [0])


@pytest.mark.parametrize(("precision", "unit"), [("ns", 1), ("n", 1), ("us", 10**3), ("u", 10**3), ("ms", 10**6), ("s", 10**9), ("m", 60 * 10**9)])  # fmt: skip
def test_times_have_the_unit_that_the_request_says(precision, unit):
    assert [row[2] for row in read("m v=1 7\nm v=1 8", precision)[0]] == [7 * unit, 8 * unit]


def test_a_time_beyond_64_bits_of_ns_is_refused():
    assert "64 bits" in read("m v=1 9223372037", "s")[1][0]


def test_an_unknown_precision_is_told():
    with pytest.raises(ValueError, match="precision='weeks' is unknown"):
        Lines().read("m v=1", NOW, "weeks")


def test_lines_of_one_series_are_rows_of_one_frame_whatever_the_order_of_tags():
    parsed = Lines().read("m,a=1,b=2 v=1 1\nm,b=2,a=1 v=2 2\nm,a=2 v=3 3", NOW)
    assert sorted(p.columns["v"].values.tolist() for p in parsed.points) == [[1.0, 2.0], [3.0]]


def test_a_field_that_changes_its_kind_is_two_frames():
    assert [row[3] for row in read('m v=1 1\nm v="x" 2\nm v=2i 3')[0]] == [{"v": 1.0}, {"v": "x"}, {"v": 2}]


names = st.text(st.characters(exclude_categories=["C"], exclude_characters="\\\n"), min_size=1, max_size=8)
columns = st.one_of(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.lists(st.text(st.characters(exclude_categories=["C"]), max_size=9), min_size=3, max_size=3),
)


@given(names.filter(lambda name: name[0] != "#"), st.dictionaries(names, names, max_size=3), st.dictionaries(names, columns, min_size=1, max_size=3))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_what_sisock_writes_comes_back(name, tags, fields):
    frame = Frame("t", np.array([1, 2, 3]), {key: column(values) for key, values in fields.items()})
    rows, refused = read("\n".join(written.lines(name, tags, frame)))
    assert refused == {}
    assert [row[:3] for row in rows] == [(name, tags, t) for t in (1, 2, 3)]
    for row, found in enumerate(rows):
        assert found[3] == {key: values[row] for key, values in fields.items()}


@given(st.text(st.sampled_from(list('m,=" \\\n#1ie.-+tv')), max_size=60))
@settings(max_examples=500, deadline=None)
def test_whatever_comes_each_line_is_a_row_or_refused_and_the_fast_way_is_the_slow_one(text):
    lines = Lines()
    first, again = read(text, lines=lines), read(text, lines=lines)
    assert repr(first) == repr(again)
    alone = [read(line) for line in text.split("\n")]
    if '"' not in text:
        assert repr(first[0]) == repr([row for rows, _ in alone for row in rows])
        assert first[1] == {at: why for at, (_, refused) in enumerate(alone) for why in refused.values()}
    for _, _, _, fields in first[0]:
        assert all(not isinstance(value, float) or math.isfinite(value) for value in fields.values())


LINES = ["m v=1 5","m v=1","m","m,a=1","m,a v=1","m,a= v=1","m,a=1,a=2 v=1","m v","m v=","m v=x","m v=1ii","m v=1.5i","m v=nan","m v=inf","m v=1_0","m v=-1","m v=+1","m v=1.","m v=.5","m v=-.5","m v=1e5","m v=1E+5","m v=1e","m v=e5","m v=5i","m v=-5i","m v=+5i","m v=9223372036854775808i","m v=1e999",'m v="a','m v="a" 1',"m v=1 x","m v=1 1.5","m v=1 9223372036854775808","m v=1 1 1","m v=1,","m =1",",a=1 v=1","m,a=b=c v=1","m v=t","m v=tRue","m v=True","m v=TRUE","m  v=1  5 ",r"m,a=b\,c v=1",r"m,a\=b=c v=1",r"m\,n v=1",r"m,a=b\\ v=1",r"m,a=b\ c v=1",r'm v="a\"b"',r'm v="a\\"','m v="a\nb"','m,a="x y" v=1','m v="a"b',"m v=1 -5","m v=1\r","m,b=1,a=2 v=1","m v=1,v=2","#c","m v=1 5#","\tm v=1","m\tv=1","m v=1\t5",'m v=1i,w=t,x="s" 5',"m,a=1 ,v=1","m,,a=1 v=1","m,a=1, v=1","m v==1","m v=1=2","m v=--1","m v=1-1","m v=0x10","m v=7u",r"m\ v=1",r"m v\=1=2","m v=1.5.5","m v=00012i","é v=1"]  # fmt: skip
OTHERWISE = {  # than InfluxDB 1.6, on purpose
    "m v=+1": "a sign is no harm", "m v=1\r": "lines of Windows", "m v=7u": "whole numbers of InfluxDB 2",
    'm v="a"b': "InfluxDB writes what nobody sent",
}  # fmt: skip


def test_influxdb_takes_the_same_lines_and_reads_the_same_in_them(tmp_path):
    found, expected = {}, {}
    with influxdb(tmp_path) as ask:
        for line in LINES:
            expected[line] = in_influxdb(ask, line)
            rows, refused = read(line)
            found[line] = None if refused else [(name, tags, fields) for name, tags, _, fields in rows]
    assert {line for line in LINES if found[line] != expected[line]} == set(OTHERWISE)


def in_influxdb(ask, line):
    """What it has read in a line; None where it refused it."""
    query = lambda text: "/query?db=t&q=" + urllib.parse.quote(text)  # noqa: E731
    ask(query("drop database t"), b"")
    ask(query("create database t"), b"")
    try:
        ask("/write?db=t", line.encode())
    except urllib.error.HTTPError as error:
        error.close()
        return None
    found = ask(query("select * from /.*/ group by *"))["results"][0].get("series", [])
    return [
        (each["name"], each.get("tags") or {}, {key: value for key, value in zip(each["columns"][1:], row[1:], strict=True) if value is not None})
        for each in found
        for row in each["values"]
    ]  # fmt: skip
