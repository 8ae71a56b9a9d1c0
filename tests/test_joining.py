"""History parted between an archive and a node's own memory: whatever is asked, the answer is that of one that has all."""

import asyncio
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sisock import picking, reduction
from sisock.frames import TEXT, Column, Field, Frame, Query
from sisock.grid import Grid
from sisock.nodes.history import Lacking, Since, joined
from sisock.reduction import METHODS, OF_TEXTS
from sisock.store.archive import Archive
from sisock.store.identified import in_time
from sisock.store.ring import Ring
from sisock.times import FIRST, LAST, NS

BASE = 1_700_000_000 * NS
FIELDS = {"gone": Field("gone", "old"), "a": Field("a", "t"), "b": Field("b", "t"), "s": Field("s", "t", "string")}


class Parted:
    """An archive and a ring that together have all there ever was, some of it both."""

    def __init__(self, archive: Archive, ring: Ring) -> None:
        self.archive, self.ring = archive, ring
        self.every: list[Frame] = []
        self.asked = 0

    def before(self, frame: Frame) -> None:
        """A frame that only the archive has, of another epoch."""
        self.archive.put("n", frame, FIELDS)
        self.every.append(frame)

    def now(self, frame: Frame) -> Frame:
        """A frame that the ring gets; with its identity."""
        self.every.append(self.ring.append(frame))
        return self.every[-1]

    async def get_data(self, query: Query):
        self.asked += 1
        return self.archive.answer("n", query)

    async def own(self, query: Query) -> Since:
        frames = []
        for timeline in self.ring.timelines():
            names = [name for name in query.fields if name in self.ring.fields(timeline)]
            if names:
                epoch, seq = query.since.get(timeline, ("", 0))
                since = seq if epoch == self.ring.epoch else 0
                frames.append(self.ring.window(timeline, names, query.start, query.end, since))
        return Since(frames, {frame.timeline: int(frame.t[-1]) if len(frame) else None for frame in frames})

    def ask(self, query: Query):
        """The joined answer, and all samples of the window."""
        made = asyncio.run(joined(self, self.own, query, Lacking(query.fields, {"s"})))
        assert made is not None
        return made, in_time(self.every).between(query.start, query.end).only(query.fields)


def history(seed, interval, kind, sizes, steps):
    """Frames in the order in which they came: mostly in the order of time, fields that come late, missing values."""
    rng, begin = np.random.default_rng(seed), BASE
    for number, (n, step) in enumerate(zip(sizes, steps, strict=False)):
        t = begin + np.cumsum(rng.integers(0, 2 * interval, n))
        begin = int(t[-1]) + step * interval
        values = {"f8": rng.standard_cauchy(n), "i8": rng.integers(-1000, 1000, n), "b1": rng.random(n) > 0.5}[kind]
        columns = {"a": Column(values, rng.random(n) < 0.3 if rng.random() < 0.5 else None)}
        if number or seed % 2:
            columns["b"] = Column(np.where(rng.random(n) < 0.1, np.nan, rng.random(n)))
        columns["s"] = Column(np.array(["up", "down", "off"], TEXT)[np.minimum(2, rng.integers(0, 60, n))])
        yield Frame("t", t, columns)


HISTORIES = st.tuples(
    st.integers(0, 2**32),
    st.sampled_from([1000, 10**9, 60 * 10**9]),
    st.sampled_from(["f8", "i8", "b1"]),
    st.lists(st.sampled_from([1, 7, 300, 30_000]), min_size=1, max_size=6),
    st.lists(st.sampled_from([0, 1, -50, 10_000]), min_size=6, max_size=6),
)


def parted(folder, frames, draw):
    """The frames parted at random: some of before, some recorded, of these the latest remembered, some not recorded."""
    made = Parted(Archive(Path(folder)), Ring(draw(st.sampled_from([2**14, 2**18, 2**24]))))
    before = draw(st.integers(0, len(frames)))
    seq = 0
    for frame in frames[:before]:
        seq += len(frame)
        made.before(Frame(frame.timeline, frame.t, frame.columns, "before", seq))
        if draw(st.booleans()):
            made.archive.flush()
    own = [made.now(frame) for frame in frames[before:]]
    gone, recorded = made.ring.dropped.get("t", 0), draw(st.integers(0, len(own)))
    for number, frame in enumerate(own):
        if number < recorded or frame.seq - len(frame) < gone:  # what had to go was recorded in time
            made.archive.put("n", frame, FIELDS)
        if draw(st.booleans()):
            made.archive.flush()
    return made


def check(answer, whole, query):
    """Assert that the answer is that of one that has all samples."""
    most, method = query.max_points, query.reduce
    reduced = query.bin is not None or (most is not None and (method in reduction.PER_BIN or len(whole) > most))
    if not len(whole):
        assert not sum(part.samples for part in answer.parts)
        return
    how = None
    if reduced:
        assert answer.method == method
        how = Grid(answer.bin, reduction.bins_of(method, most) if query.bin is None else 10**6)
        bins = int(whole.t[-1]) // answer.bin - int(whole.t[0]) // answer.bin + 1
        assert bins <= how.most or how.most == 1
    expected = reduction.answer([whole], query, {}, how)
    assert max(part.samples for part in answer.parts) == len(whole)
    if query.end == LAST:
        assert {(part.points.epoch, part.points.seq) for part in answer.parts} == {(whole.epoch, whole.seq)}
    for part in expected.parts:
        for name in part.points.columns:
            check_field(answer, part.points, name, query, reduced=reduced)


def check_field(answer, expected, name, query, *, reduced):
    t, column = answer.series(name)
    if reduced and query.reduce == "lttb" and name != "s":
        assert set(t.tolist()) <= set(expected.t.tolist()) | set(t.tolist())
        return
    if reduced and name == "s" and query.reduce not in OF_TEXTS and len(expected.t) == query.max_points:
        assert len(t) <= query.max_points  # thinned
        return
    there, true_there = column.present(), expected.columns[name].present()
    if query.reduce == "count" and reduced:  # a field that came late has no samples before, or missing ones
        there, true_there = column.values > 0, expected.columns[name].values > 0
    assert t[there].tolist() == expected.t[true_there].tolist(), name
    told, true = column.values[there], expected.columns[name].values[true_there]
    if column.values.dtype.kind == "f" and reduced:
        assert np.allclose(told, true, rtol=2e-3, atol=1e-6 * float(np.abs(true).max(initial=0)))
    else:
        assert told.tolist() == true.tolist(), name


@settings(max_examples=40)
@given(HISTORIES, st.data())
def test_every_answer_is_that_of_one_that_has_all_samples(drawn, data):
    frames = list(history(*drawn))
    with tempfile.TemporaryDirectory() as folder:
        made = parted(folder, frames, data.draw)
        with made.archive:
            times = np.concatenate([frame.t for frame in frames])
            edges = st.integers(int(times.min()), int(times.max()) + 1)
            for _ in range(3):
                query = Query(
                    ("a", "b", "s"),
                    data.draw(st.just(FIRST) | edges),
                    data.draw(st.just(LAST) | edges),
                    max_points=data.draw(st.sampled_from([None, 2, 40, 1000])),
                    reduce=data.draw(st.sampled_from([m for m in METHODS if m != "bins"])),
                )
                if query.max_points == 1000:
                    span = min(query.end, int(times.max())) - max(query.start, int(times.min()))
                    query = query._replace(bin=max(1, span // 500))
                check(*made.ask(query), query)


@settings(max_examples=20)
@given(HISTORIES, st.sampled_from([1, 3, 100]), st.data())
def test_successive_samples_are_as_far_apart_as_of_one_that_has_all(drawn, stride, data):
    frames = list(history(*drawn))
    with tempfile.TemporaryDirectory() as folder:
        made = parted(folder, frames, data.draw)
        with made.archive:
            answer, whole = made.ask(Query(("a",), FIRST, LAST, stride * drawn[1]))
            if frames[0].t[0] == whole.t[0] and (np.diff(np.concatenate([frame.t for frame in frames])) >= 0).all():
                assert answer.series("a")[0].tolist() == whole.t[picking.stride(whole.t, stride * drawn[1])].tolist()
            assert answer.method == "stride"


@pytest.mark.parametrize(
    "options", [{}, {"bin": 100 * NS}, {"max_points": 50}, {"bin": 100 * NS, "statistics": ("count", "sum")}]
)
@pytest.mark.parametrize("method", ["mean", "count", "minmax", "bins"])
def test_a_stride_and_bins_together_are_those_of_one_that_has_all(tmp_path, options, method):
    with Archive(tmp_path) as archive:
        made = Parted(archive, Ring(2**20))
        for first in (0, 650):
            t = BASE + np.arange(first, 650 if not first else 1000) * NS
            frame = Frame("t", t, {"a": Column(t / NS), "b": Column(-t / NS)})
            if first:
                made.now(frame)
            else:
                made.before(Frame(frame.timeline, frame.t, frame.columns, "before", 650))
        query = Query(("a", "b"), BASE, BASE + 1000 * NS, 10 * NS, reduce=method, **options)
        answer, whole = made.ask(query)
        expected = reduction.answer([whole], query, {})
        assert answer.bin == expected.bin
        assert answer.method == expected.method
        assert [part.samples for part in answer.parts] == [1000 for _ in expected.parts]
        for part in expected.parts:
            for name, column in part.points.columns.items():
                t, values = answer.series(name)
                assert t.tolist() == part.points.t.tolist()
                assert values.values.tolist() == column.values.tolist()


def simple(archive, ring, recorded):
    """Ten samples, the first of which are recorded and the last five remembered."""
    made = Parted(archive, ring)
    for number in range(10):
        frame = made.now(Frame("t", np.array([BASE + number * NS]), {"a": Column(np.array([float(number)]))}))
        if number < recorded:
            archive.put("n", frame, FIELDS)
    return made


def test_few_samples_are_shown_as_they_are_and_cost_two_questions(tmp_path):
    with Archive(tmp_path) as archive:
        made = simple(archive, Ring(2**20), 7)
        answer, _ = made.ask(Query(("a",), FIRST, LAST, max_points=10))
        assert (answer.method, answer.series("a")[1].values.tolist(), made.asked) == ("raw", [*range(10)], 2)
        answer, _ = made.ask(Query(("a",), FIRST, LAST, max_points=8))
        assert (answer.method, answer.samples, made.asked) == ("minmax", 10, 3)


def test_what_is_new_since_comes_of_both(tmp_path):
    with Archive(tmp_path) as archive:
        made = simple(archive, Ring(2**20), 7)
        answer, _ = made.ask(Query(("a",), FIRST, LAST, since={"t": (made.ring.epoch, 4)}))
        assert answer.series("a")[1].values.tolist() == [4, 5, 6, 7, 8, 9]


def test_a_field_that_only_the_archive_knows_and_one_that_only_the_node_does(tmp_path):
    with Archive(tmp_path) as archive:
        made = Parted(archive, Ring(2**20))
        made.before(Frame("old", np.arange(5) + BASE, {"gone": Column(np.arange(5.0))}, "e", 5))
        made.now(Frame("new", np.arange(3) + BASE, {"a": Column(np.arange(3.0))}))
        for most in (None, 100, 2):
            answer = asyncio.run(
                joined(made, made.own, Query(("gone", "a"), FIRST, LAST, max_points=most), Lacking({"gone", "a"}, ()))
            )
            assert answer is not None
            assert answer.series("gone")[1].values.max() == 4
            assert answer.series("a")[1].values.max() == 2


def test_an_archive_that_cannot_be_asked_is_no_answer():
    class Away:
        async def get_data(self, query):
            return None

    async def own(query):
        return Since((), {})

    for options in ({}, {"max_points": 5}, {"max_points": 5, "reduce": "count"}):
        query = Query(("a", "s"), FIRST, LAST, **options)
        assert asyncio.run(joined(Away(), own, query, Lacking({"a", "s"}, {"s"}))) is None
