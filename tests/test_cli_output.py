"""What commands make of times and samples: ranges, tables, files and pictures."""

import json
import math
import re

import numpy as np
import pytest

from sisock.cli.asking import by_node
from sisock.cli.at import Reading, as_lines
from sisock.cli.canvas import BRAILLE, STARS, Canvas
from sisock.cli.formats import as_csv, as_json, as_parquet, as_table, stamps
from sisock.cli.ls import field_lines, node_lines
from sisock.cli.moments import moment, span
from sisock.cli.plot import drawn
from sisock.cli.series import Series, label, side_by_side
from sisock.cli.tail import Fresh
from sisock.frames import Answer, Column, Field, Frame, Part, Query, column
from sisock.listing import Node
from sisock.reduction import answer

NS = 10**9


def series(target: str, t: list[int], values: list[object], *, units: str | None = None, gaps=()) -> Series:
    times = np.array(t, np.int64) * NS
    answer = Answer((Part(Frame("samples", times, {}), "samples", None, len(t), gaps),))
    return Series(target, Field("something", units=units), times, column(values), answer)


# times


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("now", 0.0),
        ("now-2d", -172800.0),
        ("2017-07-14T02:40:00Z", 1.5e9),
        ("2017-07-14T02:40", 1.5e9),
        ("2017-07-14T04:40+02:00", 1.5e9),
        ("1500000000.5", 1500000000.5),
        ("2017", 1483228800.0),
        ("1483228800", 1483228800.0),
    ],
)
def test_times_are_read_as_people_write_them(text: str, time: float) -> None:
    assert moment(text) == time


@pytest.mark.parametrize("text", ["", "now-", "1969-12-31", "-5", "nan", "inf", "14.7.2017", "1970", "0000"])
def test_other_times_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        moment(text)


def test_range_is_the_last_hour_unless_said_otherwise() -> None:
    assert span(None, None, None) == (-3600.0, 0.0)
    assert span("all", None, None) == (1.0, 0.0)
    assert span("15m", None, None) == (-900.0, 0.0)
    assert span(None, "1500000000", None) == (1.5e9, 0.0)
    assert span(None, None, "1500000000") == (1.0, 1.5e9)


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        ("2016-01-01", "2012-01-01", "--start 2016-01-01 is not before --end 2012-01-01"),
        ("now-1h", "now-2h", "--start now-1h is not before --end now-2h"),
        ("2016", "2016-01-01", "--start 2016 is not before --end 2016-01-01"),
        ("now", None, "--start now is not before now"),
        ("2999", None, "--start 2999 is not before now"),
    ],
)
def test_a_range_that_holds_nothing_is_refused(start: str, end: str | None, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        span(None, start, end)


# what is written


def test_targets_are_gathered_by_node_each_once() -> None:
    assert by_node(("a::x", "b::x", "a::y", "a::x")) == {"a": ["x", "y"], "b": ["x"]}


def test_nodes_that_are_away_come_last_the_longest_away_at_the_end() -> None:
    listed = [
        Node("attic", "", "away", 1 * NS), Node("cellar", "Cold.", "away", 90 * NS, kept_by=("recorder",)),
        Node("host", "This machine.", "up", 86 * NS, info={"tags": ["lab"]}), Node("lsof", "", "up", 0, sensitive=True),
    ]  # fmt: skip
    assert node_lines(listed, 100.0) == [
        "NODE             STATE                  SINCE  DESCRIPTION",
        "host             up                      14 s  This machine. #lab",
        "lsof             up                       2 m   (sensitive)",
        "cellar           away, kept by recorder  10 s  Cold.",
        "attic            away                     2 m",
    ]
    assert node_lines([], 100.0) == []


def test_below_a_node_that_is_not_well_stands_why_as_far_as_there_is_room() -> None:
    listed = [Node("mqtt", "Topics.", "up", 0, info={"health": "no data"}), Node("host", "This machine.", "up", 0)]
    why = {"mqtt": "there is no broker at localhost:1883\x9b; it is tried again"}
    lines = node_lines(listed, 5.0, why)
    assert lines[1:3] == [
        "mqtt             up, no data   5 s  Topics.",
        "  there is no broker at localhost:1883\\x9b; it is tried again",
    ]
    assert node_lines(listed, 5.0, why, 24)[2] == "  there is no broker at…"
    assert len(lines) == 4


def test_fields_stand_in_columns_however_long_their_units_are() -> None:
    fields = {"processes": Field("that exist", units="processes"), "uptime": Field("since the start", units="s")}
    wide, narrow = field_lines([("host::processes", fields["processes"]), ("host::uptime", fields["uptime"])])
    assert wide.index("that exist") == narrow.index("since the start")


def test_at_an_instant_a_long_text_does_not_push_the_numbers_away() -> None:
    text = "1 refused, the last one from kitchen: a DTLS client of this name has another key"
    there = Reading("n::x", Field("", units="°C"), "2026-01-01T00:00:00Z", 21.5)
    number, said = as_lines([there, Reading("n::said", Field(""), "2026-01-01T00:00:00Z", text)])
    assert len(number) < 60
    assert said.split("  ")[1].strip() == text


def test_a_table_wider_than_the_terminal_is_laid_out_in_several() -> None:
    given = [series(f"n::{name}", [1, 2], [1.5, 22.25]) for name in "abcd"]
    whole = as_table(given)
    assert as_table(given, 100) == whole
    tables = as_table(given, 36).split("\n\n")
    assert [table.split("\n")[0].split()[2:] for table in tables] == [["n::a", "n::b"], ["n::c", "n::d"]]
    assert all(len(line) <= 36 for table in tables for line in table.split("\n"))
    assert tables[1].split("\n")[2] == "1970-01-01T00:00:02Z  22.25  22.25"
    assert len(as_table(given, 10).split("\n\n")) == 4


def test_times_are_as_fine_as_they_need_to_be() -> None:
    assert stamps(np.array([0, NS], np.int64)) == ["1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"]
    assert stamps(np.array([0, 1_000_000], np.int64))[1] == "1970-01-01T00:00:00.001Z"
    assert stamps(np.array([1], np.int64)) == ["1970-01-01T00:00:00.000000001Z"]
    assert stamps(np.empty(0, np.int64)) == []


def test_series_of_several_timelines_share_the_rows_of_equal_times() -> None:
    t, (a, b) = side_by_side([series("n::a", [1, 2, 4], [1.0, 2.0, 4.0]), series("n::b", [2, 3], ["x", "y"])])
    assert (t // NS).tolist() == [1, 2, 3, 4]
    assert np.flatnonzero(a.missing).tolist() == [2]
    assert [b.values[1], b.values[2]] == ["x", "y"]
    assert np.flatnonzero(b.missing).tolist() == [0, 3]


def test_samples_of_equal_time_in_one_series_are_all_kept() -> None:
    t, (a, b) = side_by_side([series("n::a", [1, 1, 2], [1, 2, 3]), series("n::b", [1], [9])])
    assert (t // NS).tolist() == [1, 1, 2]
    assert a.values.tolist() == [1, 2, 3]
    assert (b.values[0], b.missing.tolist()) == (9, [False, True, True])


def test_a_table_tells_nan_and_infinities_from_no_value_which_json_cannot() -> None:
    given = [series("n::a", [1, 2, 3, 4], [float("nan"), float("inf"), float("-inf"), None])]
    assert [line.split()[1:] for line in as_table(given).splitlines()[1:]] == [["NaN"], ["inf"], ["-inf"], []]
    assert json.loads(as_json(given))[0]["values"] == [None] * 4


def test_csv_has_a_line_for_each_time_and_nothing_where_there_is_no_value() -> None:
    made = as_csv([series("n::a", [1, 2], [1.5, None]), series("n::b", [1, 3], ['say "x", y', "z"])])
    assert made == (
        'time,n::a,n::b\n1970-01-01T00:00:01Z,1.5,"say ""x"", y"\n1970-01-01T00:00:02Z,,\n1970-01-01T00:00:03Z,,z\n'
    )


def test_table_stands_in_columns_under_targets_and_units() -> None:
    lines = as_table([series("n::a", [1, 2], [1.5, 22.25], units="°C")]).splitlines()
    assert lines == [
        "          time (UTC)  n::a (°C)",
        "1970-01-01T00:00:01Z        1.5",
        "1970-01-01T00:00:02Z      22.25",
    ]


def test_json_is_strict_and_labelled() -> None:
    (made,) = json.loads(as_json([series("n::a", [1, 2, 3], [1.5, float("nan"), float("inf")], units="V")]))
    assert made["values"] == [1.5, None, None]
    assert (made["target"], made["units"], made["method"], made["samples"]) == ("n::a", "V", "raw", 3)


def test_parquet_keeps_types_nanoseconds_missing_values_and_units() -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    given = [
        series("n::a", [1, 2], [1.5, None], units="V"),
        series("n::s", [1, 2], ["x", None]),
        series("n::b", [1, 2], [True, False]),
    ]
    table = parquet.read_table(pa.BufferReader(as_parquet(given)))
    assert table.column("n::a").to_pylist() == [1.5, None]
    assert table.column("n::s").to_pylist() == ["x", None]
    assert table.column("n::b").to_pylist() == [True, False]
    assert table.column("time").cast(pa.int64()).to_pylist() == [NS, 2 * NS]
    assert table.schema.field("n::a").metadata[b"units"] == b"V"


def test_label_tells_method_samples_and_notices() -> None:
    part = Part(Frame("samples", np.zeros(2, np.int64), {}), "samples", None, 20167)
    reduced = Answer((part,), "minmax", 10, ("older samples are gone",))
    each = Series("n::a", Field(), np.zeros(2, np.int64), Column(np.zeros(2)), reduced)
    assert label([each]) == "2 values, minmax of 20,167 samples; older samples are gone"


@pytest.mark.parametrize(
    ("shown", "method", "said"), [(1, "raw", "1 value"), (0, "", "0 values"), (1, "mean", "1 value, mean of 3 samples")]
)
def test_label_of_little_is_a_sentence(shown: int, method: str, said: str) -> None:
    answer = Answer((Part(Frame("samples", np.zeros(shown, np.int64), {}), "samples", None, 3),), method, 10, ())
    assert label([Series("n::a", Field(), np.zeros(shown, np.int64), Column(np.zeros(shown)), answer)]) == said


# drawing


def test_canvas_sets_the_dots_of_a_line() -> None:
    canvas = Canvas(2, 1)
    canvas.line(0, 0, 3, 3)
    canvas.dot(99, 99)
    assert canvas.rows() == ["⡠⠊"]


def test_plot_shows_a_single_spike_at_its_full_height_and_says_so() -> None:
    values = [0.0] * 1000
    values[500] = 7.5
    lines = drawn(series("n::a", list(range(1000)), values, units="V"), 60, 10, BRAILLE)
    assert lines[0] == "n::a (V)"
    assert lines[1].strip(" ⠀") == "7.5 ┤⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⡇"
    assert lines[10].strip().startswith("0 ┤")
    assert lines[11].split() == ["1970-01-01T00:00:00Z", "1970-01-01T00:16:39Z"]
    assert lines[12].startswith("min 0, max 7.5; 1,000 values")
    assert max(map(len, lines[:12])) <= 60


@pytest.mark.parametrize("values", [[16930.7, 16930.9], [1e9, 1e9 + 1], [-0.001, 0.001]])
def test_the_scale_of_a_plot_says_another_value_beside_each_row(values: list[float]) -> None:
    lines = drawn(series("n::a", [0, 1], values), 60, 15, BRAILLE)
    marks = [line.partition("┤")[0].strip() for line in lines if "┤" in line]
    assert len(set(marks)) == len([mark for mark in marks if mark]) + 1


def test_the_scale_of_a_plot_says_an_only_value_once() -> None:
    lines = [line for line in drawn(series("n::a", [0, 1], [16930.7] * 2), 60, 15, BRAILLE) if "┤" in line]
    (marked,) = [line for line in lines if not line.startswith(" ")]
    assert marked.startswith("16930.7 ┤")
    assert marked.partition("┤")[2].strip("⠀")


@pytest.mark.parametrize(
    ("ns", "said"),
    [
        ([5, 5 * NS + 7], ["1970-01-01T00:00:00Z", "1970-01-01T00:00:05Z"]),
        ([5_000_000, 23_400_000], ["1970-01-01T00:00:00.005Z", "1970-01-01T00:00:00.023Z"]),
        ([1_005_000, 1_006_001], ["1970-01-01T00:00:00.001005Z", "1970-01-01T00:00:00.001006Z"]),
        ([7, 9], ["1970-01-01T00:00:00.000000007Z", "1970-01-01T00:00:00.000000009Z"]),
        ([7, 7], ["1970-01-01T00:00:00Z"]),
    ],
)
def test_the_times_of_a_plot_are_as_fine_as_tells_them_apart(ns: list[int], said: list[str]) -> None:
    drawing = series("n::a", [0, 1], [1.0, 2.0])._replace(t=np.array(ns, np.int64))
    assert drawn(drawing, 80, 5, BRAILLE)[-2].split() == said


def test_plot_counts_what_no_curve_can_show() -> None:
    values = [1.0, -math.inf, 3.0, math.inf, 2.0]
    lines = drawn(series("n::a", list(range(5)), values), 40, 5, BRAILLE)
    assert lines[-1].startswith("min 1, max 3; 2 infinite; ")
    lines = drawn(series("n::a", [0], [math.inf]), 40, 5, BRAILLE)
    assert lines[1:] == ["no samples to draw in this range", "1 infinite; 1 value"]


def test_plot_does_not_draw_across_a_gap() -> None:
    gap = ((2 * NS, 8 * NS),)
    lines = drawn(series("n::a", [0, 1, 2, 8, 9, 10], [1] * 6, gaps=gap), 40, 3, STARS)
    curve = lines[2].partition("|")[2]
    assert re.fullmatch(r"\*+ +\*+", curve.strip())


@pytest.mark.parametrize("values", [[], [None, None], [5.0, 5.0], [True, False], [0, 5e-324], [-1e308, 1e308]])
def test_plot_of_little_is_still_a_picture(values: list[object]) -> None:
    lines = drawn(series("n::a", list(range(len(values))), values), 40, 5, BRAILLE)
    assert lines[0] == "n::a"


# bins as they come


@pytest.mark.parametrize("method", ["band", "mean", "last", "count"])
def test_of_bins_that_come_each_is_printed_once_and_so_is_each_change_of_a_text_beside_them(method: str) -> None:
    t, words = np.arange(40) * NS, ["off"] * 7 + ["on"] * 20 + ["off"] * 13
    whole = Frame("t", t, {"x": Column(np.arange(40.0)), "s": column(words)}, "e", 40)
    fresh, printed = Fresh(), dict[str, list[int]]()
    for until in (12, 13, 30, 40):
        frame = whole.rows(slice(0, until))
        for each in fresh.of(
            answer([frame], Query(("x", "s"), 0, 100 * NS, bin=5 * NS, reduce=method), {"t": until * NS - NS})
        ):
            for name in each.columns:
                printed.setdefault(name, []).extend((each.t // NS).tolist())
    bins = [0, 5, 10, 15, 20, 25, 30]
    assert printed["x"] == bins
    assert printed["s"] == ([0, 7, 27] if method in ("band", "mean") else bins)
