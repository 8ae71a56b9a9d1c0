"""Archives for tests: filled with whatever came in whatever order, and what they should answer, by brute force."""

import itertools

import numpy as np

from sisock.bins import Bins, of_samples
from sisock.frames import Field, Frame, Query, concat
from sisock.grid import floors, starts_of
from sisock.reduction import bins_from
from sisock.times import FIRST, LAST

_EPOCHS = itertools.count()
FIELDS = {name: Field(f"what {name} is", "t", units="V") for name in ("a", "b", "s")}


def everything(**options):
    return Query(("a",), FIRST, LAST, **options)


def in_time(frames):
    whole = concat(frames)
    return whole.rows(np.argsort(whole.t, kind="stable"))


def bins_by_hand(frame, name, width, start=FIRST, end=LAST):
    inside = frame.between(start, end)
    at = starts_of(inside.t, width)
    return of_samples(inside.t, inside.columns[name], at, floors(inside.t[at], width))


def bins_of(archive, query, name="a"):
    """All statistics of bins, as the archive answers them, and the answer."""
    answer = archive.answer("n", query._replace(reduce="bins"))
    found = [bins_from(part.points, name) for part in answer.parts]
    return next((each for each in found if each is not None), None), answer


def same(answered: Bins, expected: Bins) -> None:
    """Assert that both know the same: counts, extremes and places exactly, sums and spreads as far as floats can."""
    assert answered.start.tolist() == expected.start.tolist()
    assert answered.count.tolist() == expected.count.tolist()
    assert answered.missing.tolist() == expected.missing.tolist()
    some = expected.count > 0
    for name in ("low", "high"):
        assert getattr(answered, name)[some].tolist() == getattr(expected, name)[some].tolist()
    for name in ("t_low", "t_high", "t_first", "t_last"):
        assert getattr(answered, name)[some].tolist() == getattr(expected, name)[some].tolist(), name
    scale = np.maximum(np.abs(expected.low[some].astype(float)), np.abs(expected.high[some].astype(float)))
    assert (np.abs(answered.total[some] - expected.total[some]) <= 1e-9 * expected.count[some] * (scale + 1e-300)).all()
    assert np.allclose(answered.std[some], expected.std[some], rtol=1e-3, atol=1e-5 * float(scale.max(initial=0)))


def frame_of(t, values, epoch=None, seq=None, name="a"):
    """A frame; without an epoch it is one of its own, for what has none is imported, and one at each time."""
    if epoch is None:
        epoch, seq = f"epoch {next(_EPOCHS)}", len(t)
    return Frame("t", np.asarray(t, np.int64), {name: values}, epoch, seq)
