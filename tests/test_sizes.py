"""How large an answer is on the wire, before it is encoded."""

import json

import cbor2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock.frames import Answer, Column, Frame, Part, column
from sisock.sizes import size, split, split_frame
from sisock.wire import encode_answer, encode_frame, to_lists
from tests.made import answers, same_column


def fields_of(answer):
    return [name for part in answer.parts for name in part.points.columns]


def real_sizes(answer):
    """Bytes in typed columns as CBOR, and as lists in JSON and in CBOR."""
    lists = to_lists(answer, fields_of(answer))
    in_json = json.dumps(lists, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    return len(cbor2.dumps(encode_answer(answer))), len(in_json), len(cbor2.dumps(lists))


def one_column(values, name="a", timeline="t"):
    made = values if isinstance(values, Column) else column(values)
    frame = Frame(timeline, np.arange(len(made.values)) + 2**60, {name: made}, "0123456789abcdef", 2**50)
    return Answer((Part(frame, timeline, 2**60, len(frame)),))


@given(answers())
def test_no_answer_is_larger_than_it_was_said_to_be(answer):
    typed, in_json, in_cbor = real_sizes(answer)
    assert typed <= size(answer)
    assert max(in_json, in_cbor) <= size(answer, lists=fields_of(answer))


@pytest.mark.parametrize(
    "values",
    [
        np.full(2000, -1.7976931348623157e308 / 3), np.full(2000, -(2**63)), np.zeros(2000, bool), [None] * 2000,
        ["plain"] * 2000, ["\0"] * 2000, ['\x1f"\\'] * 2000, ["é😀"] * 2000, [""] * 2000, ["x" * 65_536] * 20, [None, "a"] * 999,
    ],
)  # fmt: skip
def test_sizes_are_near_the_truth_for_every_kind_of_value(values):
    answer = one_column(values)
    typed, in_json, in_cbor = real_sizes(answer)
    assert typed <= size(answer) <= 2 * typed + 2048
    assert max(in_json, in_cbor) <= size(answer, lists=["a"]) <= 7 * max(in_json, in_cbor) + 2048


def test_many_fields_with_long_names_count():
    t, one = np.arange(3), column([1, 2, 3])
    parts = []
    for number in range(200):
        name = f"{number:04}" + "😀" * 196
        parts.append(
            Part(
                Frame(f"{'é' * 200}::{name}", t, {name: one}, "e" * 16, 2**60),
                "é" * 200,
                2**62,
                3,
                ((2**62, 2**62),) * 100,
            )
        )
    answer = Answer(tuple(parts), "minmax", 2**60, ("a notice" * 20,) * 50)
    typed, in_json, in_cbor = real_sizes(answer)
    assert typed <= size(answer) <= 2 * typed
    assert max(in_json, in_cbor) <= size(answer, lists=fields_of(answer)) <= 4 * max(in_json, in_cbor)


def test_names_that_were_asked_for_and_are_unknown_count_too():
    asked = ['"' * 1000 + str(number) for number in range(100)]
    reply = json.dumps(to_lists(Answer(), asked), ensure_ascii=False, separators=(",", ":"))
    assert len(reply) <= size(Answer(), lists=asked) <= 2 * len(reply)


# parts


def rows_of(parts):
    """Every row of the parts, with its sequence, as (seq, t, values)."""
    rows = []
    for part in parts:
        points = part.points
        first = points.seq - len(points)
        for row, t in enumerate(points.t.tolist()):
            rows.append((first + row, t, *(repr(c.rows(slice(row, row + 1))) for c in points.columns.values())))
    return rows


@given(st.integers(1, 300), st.integers(2500, 9000), st.sampled_from(["numbers", "texts"]))
def test_parts_are_within_the_limit_and_keep_rows_and_identity(n, limit, kind):
    values = column(range(n)) if kind == "numbers" else column(["é" * (i % 50) for i in range(n)])
    whole = one_column(values)
    answer = Answer(whole.parts, "stride", 7, ("a notice",))
    parts = list(split(answer, limit))
    for part in parts:
        assert size(part) <= limit
        assert len(cbor2.dumps(encode_answer(part))) <= limit
        assert (part.method, part.bin, part.notices) == (answer.method, answer.bin, answer.notices)
        assert part.parts[0][1:] == answer.parts[0][1:]
    assert rows_of([each for part in parts for each in part.parts]) == rows_of(answer.parts)
    assert parts[-1].parts[0].points.seq == answer.parts[0].points.seq


def test_long_notices_and_many_gaps_are_within_the_limit_too():
    (part,) = one_column(np.arange(5000)).parts
    answer = Answer((part._replace(gaps=((2**60, 2**60),) * 100),), notices=("x" * 500,) * 20)
    parts = list(split(answer, 20_000))
    assert len(parts) > 1
    assert all(len(cbor2.dumps(encode_answer(each))) <= size(each) <= 20_000 for each in parts)
    assert sum(len(each.parts[0].points) for each in parts) == 5000


def test_every_axis_of_an_answer_is_there():
    first, second = one_column(np.arange(3000), "a", "t").parts[0], one_column(["x"] * 10, "b", "u").parts[0]
    parts = list(split(Answer((first, second)), 10_000))
    assert [each.parts[0].points.timeline for each in parts][-1] == "u"
    assert sum(len(each.parts[0].points) for each in parts) == 3010


def test_what_fits_is_not_touched():
    answer = one_column(np.arange(10))
    assert list(split(answer, 10_000)) == [answer]


def test_a_single_row_that_is_too_large_is_refused_with_a_sentence():
    (part,) = one_column(["x" * 5000]).parts
    for parts in (split(Answer((part,)), 4000), split_frame(part.points, 4000)):
        with pytest.raises(ValueError, match="one sample of 't' is larger than a message may be"):
            list(parts)


@given(st.integers(0, 400), st.integers(1200, 4000))
def test_live_frames_are_split_into_runs_of_rows(n, limit):
    frame = Frame("t", np.arange(n), {"a": Column(np.arange(n))}, "e", 1000 + n)
    parts = list(split_frame(frame, limit))
    assert all(len(cbor2.dumps(encode_frame(part))) <= limit for part in parts)
    assert [t for part in parts for t in part.t.tolist()] == frame.t.tolist()
    assert all(same_column(part.columns["a"], Column(part.t)) for part in parts)
    seq = 1000
    for part in parts:
        seq += len(part)
        assert (part.epoch, part.seq) == ("e", seq)
