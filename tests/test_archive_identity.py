"""The identity of samples in an archive: how far an answer goes, and what is new since."""

import tempfile
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sisock.frames import Column, Query
from sisock.store.archive import Archive
from sisock.times import FIRST, LAST, NS
from tests.archives import FIELDS, everything, frame_of

BASE = 1_700_000_000 * NS


def put(archive, epoch, first, values, begin=BASE):
    """Samples of the epoch from a sequence on, one a second from its begin."""
    t = begin + (first + np.arange(len(values))) * NS
    return archive.put("n", frame_of(t, Column(np.asarray(values, float)), epoch, first + len(values)), FIELDS)


def since(archive, epoch, seq, **options):
    """The values that are new for who has this epoch up to this sequence, and the identity that the answer tells."""
    answer = archive.answer("n", everything(since={"t": (epoch, seq)}, **options))
    told = {(part.points.epoch, part.points.seq) for part in answer.parts}
    return answer.series("a")[1].values.tolist(), told


def test_what_is_new_since_is_the_rest_of_the_epoch_and_all_that_came_later(tmp_path):
    with Archive(tmp_path) as made:
        for number, epoch in enumerate(("z", "a", "m")):  # in no order of their names
            for first in (0, 10):
                put(made, epoch, first, np.arange(10) + 100 * number + first, BASE + number * 1000 * NS)
                made.flush()
        put(made, "m", 20, [220.0], BASE + 2000 * NS)
    with Archive(tmp_path) as made:
        put(made, "m", 21, [221.0], BASE + 2000 * NS)
        middle, last = [*range(100, 120)], [*range(200, 222)]
        assert since(made, "z", 15) == ([*range(15, 20), *middle, *last], {("m", 22)})
        assert since(made, "a", 0) == ([*middle, *last], {("m", 22)})
        assert since(made, "m", 21) == ([221], {("m", 22)})
        assert since(made, "m", 22)[0] == []
        assert since(made, "unknown", 0) == ([], set())
        assert since(made, "z", 20, max_points=2)[0] == [100, 221]
        assert made.answer("n", Query(("a",), FIRST, BASE + 500 * NS, since={"t": ("z", 15)})).samples == 5


def test_what_is_new_costs_no_more_than_that(tmp_path):
    with Archive(tmp_path) as made:
        put(made, "e", 0, np.zeros(70_000_000 // 100))
        made.flush()
        for _ in range(3):
            put(made, "e", 700_000, np.ones(10))
        (series,) = made.timelines("n")
        assert series.snapshot().having({"e": 700_000}).segments.every == ()
        assert since(made, "e", 700_005) == ([1.0] * 5, {("e", 700_010)})


def test_samples_without_identity_are_new_to_nobody(tmp_path):
    with Archive(tmp_path) as made:
        made.put("n", frame_of([BASE, BASE + 1], Column(np.zeros(2))), FIELDS)
        put(made, "e", 0, [1.0, 2.0])
        assert since(made, "e", 0) == ([1.0, 2.0], {("e", 2)})
        assert made.answer("n", everything()).samples == 4


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=8), st.sampled_from([None, 1, 7, 500]), st.data())
def test_an_answer_goes_exactly_as_far_as_it_says(sizes, max_points, data):
    edges = np.cumsum([0, *sizes]).tolist()
    with tempfile.TemporaryDirectory() as folder, Archive(Path(folder)) as made:
        for first, beyond in pairwise(edges):
            put(made, "e", first, np.arange(first, beyond))
            if data.draw(st.booleans()):
                made.flush()
            answer = made.answer("n", everything(max_points=max_points))
            assert [(part.points.epoch, part.points.seq, part.samples) for part in answer.parts] == [
                ("e", beyond, beyond)
            ]
            assert answer.series("a")[1].values.max() == beyond - 1


@pytest.mark.parametrize("max_points", [None, 100])
def test_an_answer_is_of_one_moment_while_samples_come_and_are_written(tmp_path, max_points):
    with Archive(tmp_path) as made:
        put(made, "e", 0, np.arange(70_000.0))
        made.flush()

        def write():
            for first in range(70_000, 76_000, 100):
                put(made, "e", first, np.arange(first, first + 100.0))
                if first % 1000 == 0:
                    made.flush()

        writing = threading.Thread(target=write)
        writing.start()
        while writing.is_alive():
            (part,) = made.answer("n", everything(max_points=max_points, reduce="count")).parts
            assert part.samples == part.points.seq
        writing.join()


def test_a_field_of_numbers_that_was_not_written_yet_keeps_its_spikes(tmp_path):
    with Archive(tmp_path) as made:
        put(made, "e", 0, np.zeros(70_000))
        made.flush()
        values = np.zeros(1000)
        values[500] = 9.0
        t = BASE + (70_000 + np.arange(1000)) * NS
        made.put("n", frame_of(t, Column(values), "e", 71_000, name="b"), FIELDS)
        answer = made.answer("n", Query(("a", "b"), FIRST, LAST, max_points=10))
        assert answer.series("b")[1].values.max() == 9.0


def test_of_bins_only_the_statistics_that_are_named_come(tmp_path):
    with Archive(tmp_path) as made:
        put(made, "e", 0, np.arange(300_000.0))
        made.flush()
        asked = Query(("a",), FIRST, LAST, max_points=50, reduce="bins", statistics=("max", "t_max"))
        answer = made.answer("n", asked)
        (part,) = answer.parts
        assert set(part.points.columns) == {"a::count", "a::missing", "a::max", "a::t_max"}
        assert part.points.columns["a::count"].values.sum() == 300_000
        assert answer.tier is not None


@pytest.mark.parametrize("points", [7, 300, 5_000, 40_000])
@pytest.mark.parametrize("name", ["min", "max", "sum", "m2", "first", "last", "t_min", "t_max", "t_first", "t_last"])
def test_a_statistic_by_itself_is_what_it_is_among_all(noise, name, points):
    asked = Query(("a",), BASE + 12_345 * NS, BASE + 287_654 * NS, max_points=points, reduce="bins")
    all_of_them = noise.answer("n", asked)
    again = asked._replace(
        max_points=None, bin=all_of_them.bin
    )  # what is asked for has a say in how wide bins are made
    alone, every = noise.answer("n", again._replace(statistics=(name,))).parts[0].points, all_of_them.parts[0].points
    assert alone.t.tolist() == every.t.tolist()
    assert np.allclose(alone.columns[f"a::{name}"].values, every.columns[f"a::{name}"].values, rtol=1e-12)


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    with Archive(tmp_path_factory.mktemp("noise")) as made:
        for first in range(0, 300_000, 60_000):
            put(made, "e", first, np.random.default_rng(first).normal(size=60_000))
            made.flush()
        yield made


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_field_that_comes_later_is_known_of_all_that_is_told(tmp_path, name):
    with Archive(tmp_path) as made:
        put(made, "e", 0, [1.0])
        made.put("n", frame_of([BASE + 2 * NS], Column(np.ones(1)), "e", 3, name="b"), FIELDS)
        (part,) = made.answer("n", Query((name,), FIRST, LAST)).parts
        assert (part.points.epoch, part.points.seq, len(part.points)) == ("e", 3, 2)
