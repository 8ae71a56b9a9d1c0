"""Packed frames: what was packed comes back, and a changed byte is noticed."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock.frames import Column, Frame, column, concat
from sisock.packing import DamagedError, pack, unpack
from tests import made


@given(made.frames())
def test_what_was_packed_comes_back(frame):
    assert made.same_frame(unpack(pack(frame)), frame)


@given(made.frames(), st.data())
def test_only_the_fields_that_are_wanted_come_back(frame, data):
    wanted = data.draw(st.sets(st.sampled_from(["a", *frame.columns])))
    assert made.same_frame(unpack(pack(frame), wanted), frame.only([name for name in frame.columns if name in wanted]))


@given(made.frames(), st.lists(st.integers(0, 12), max_size=3))
def test_a_run_of_frames_is_packed_as_one(frame, cuts):
    edges = [0, *sorted(min(cut, len(frame)) for cut in cuts), len(frame)]
    run = [frame.rows(slice(a, b)) for a, b in itertools.pairwise(edges)]
    assert made.same_frame(unpack(pack(*run)), frame)


def test_a_run_may_have_missing_values_in_some_of_its_frames():
    whole = Frame("t", np.array([1]), {"a": column([1.5]), "b": column(["x"])}, "e", 1)
    gappy = Frame("t", np.array([2]), {"a": column([None]), "b": column(["y"])}, "e", 2)
    assert made.same_frame(unpack(pack(whole, gappy)), concat([whole, gappy]))


@given(made.frames(), st.data())
def test_a_changed_byte_is_noticed(frame, data):
    body = bytearray(pack(frame))
    at, change = data.draw(st.integers(0, len(body) - 1)), data.draw(st.integers(1, 255))
    body[at] ^= change
    with pytest.raises(DamagedError):
        unpack(bytes(body))


@given(made.frames(), st.integers(0, 200))
def test_a_frame_that_was_cut_off_is_noticed(frame, left):
    body = pack(frame)
    with pytest.raises(DamagedError):
        unpack(body[: min(left, len(body) - 1)])


@given(st.binary(max_size=200))
def test_other_bytes_are_no_frame(body):
    with pytest.raises(DamagedError):
        unpack(body)


def test_a_frame_of_a_newer_version_says_so():
    body = bytearray(pack(Frame("t", np.array([1]), {})))
    body[2] += 1
    with pytest.raises(DamagedError, match="packed in version 1, the only one known here"):
        unpack(bytes(body))


def test_few_fields_do_not_keep_the_others_in_memory():
    frame = Frame("t", np.arange(1000), {"a": Column(np.arange(1000.0)), "b": Column(np.arange(1000.0))})
    some = unpack(pack(frame), {"a"})
    assert some.t.base is None
    assert some.columns["a"].values.base is None


def test_a_column_that_is_none_of_ours_is_refused():
    with pytest.raises(TypeError, match=r"make them with column\(\)"):
        pack(Frame("t", np.array([1]), {"a": Column(np.array([1j]))}))
