"""Tiers made whole again, or anew, of the samples: step by step, while answers are given and samples come."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sisock.frames import Frame, Times
from sisock.grid import starts_of
from sisock.store import growing
from sisock.store.intake import LATEST
from sisock.store.levels import BLOCK
from sisock.store.recorded import Recorded, Samples
from sisock.store.snapshot import Trouble
from sisock.store.tiers import Asked, Kept, Span, UnreadableError

_AHEAD = 16  # blocks whose samples are read together
_MOST = 262_144  # samples likewise
_BLOCKS = 64  # blocks looked at in one step


def mend(series: Recorded, spans: Sequence[Span]) -> Iterator[float]:
    """Keep all blocks that pay and have samples in these stretches of time; how much is done, from 0 to 1.

    In between samples may be flushed by the same thread. Raises OSError where there is no room.
    """
    tiers, number, slow = series.tiers, 0, dict[int, list[Times]]()
    yield 0.0
    for part, t in enumerate(_times(series, spans), 1):
        with series.lock:
            tiers.begin(t)
        for level in tiers.levels:
            if not level.full:
                slow.setdefault(level.exponent, []).append(_dense(t, level.width * BLOCK))
        if tiers.levels:
            _fill(series, 0, slow[tiers.levels[0].exponent][-1])
        yield 0.5 * (1 - 0.9**part)  # nobody counts the stretches before
    while number + 1 < len(tiers.levels) or (tiers.levels and growing.deepen(tiers)):
        number += 1
        level = tiers.levels[number]
        starts = _within(tiers.levels[number - 1].times(), spans, BLOCK << level.exponent)
        starts = np.unique(np.concatenate([starts, *slow.get(level.exponent, ())]))
        for first in range(0, len(starts), _BLOCKS):
            _fill(series, number, starts[first : first + _BLOCKS])
            yield 0.5 + 0.5 * (number - 1 + first / len(starts)) / (len(tiers.levels) - 1)
    yield 1.0


def _times(series: Recorded, spans: Sequence[Span]) -> Iterator[Times]:
    """The times of the samples, of about a million at a time."""
    for span in spans:
        ends = series.snapshot().ends()
        some = None if ends is None else (max(span[0], ends[0]), min(span[1], ends[1]))
        for each in series.snapshot().stretches(some, 0) if some and some[0] < some[1] else ():
            trouble = Trouble()
            samples = series.snapshot().read(each, (), trouble)
            trouble.unless_away()
            if samples is not None:
                yield samples.frame.t


def _dense(t: Times, width: int) -> Times:
    """Where the blocks of this width begin for which these samples, perhaps together with others, are enough."""
    begins = t // width * width
    at = starts_of(t, width)
    many = np.diff(at, append=len(t)) >= growing.SOME
    many[[0, -1]] = True
    return begins[at][many]


def _within(times: Times, spans: Sequence[Span], width: int) -> Times:
    """Those of the times whose block, this wide, has something of these stretches."""
    begins = times // width * width
    inside = np.zeros(len(times), bool)
    for start, end in spans:
        inside |= (begins < end) & (begins + width > start)
    return times[inside]


def _fill(series: Recorded, number: int, starts: Times) -> None:
    """Keep what is missing of one level, of blocks that have samples at these times; all fields of a kind together."""
    kinds: dict[str, dict[str, Kept]] = {}
    for name, kept in series.asked(list(series.kinds)):
        kinds.setdefault(kept.kind, {})[name] = kept
    for fields in kinds.values():
        growing.fill(series.tiers, number, fields, starts, Ahead(series.snapshot()))


class Ahead:
    """Samples as tiers ask for them, block after block, of which some are read at once."""

    def __init__(self, samples: Samples) -> None:
        """Read them of what there was at one moment."""
        self._samples = samples
        self._span: Span = (0, 0)
        self._asked: Asked = {}
        self._held: Mapping[str, Frame] = {}

    def __call__(self, start: int, end: int, asked: Asked) -> dict[str, Frame]:
        """The samples of these fields in `[start, end)`. Raises UnreadableError if one of them is lost, AwayError."""
        if not (self._span[0] <= start and end <= self._span[1] and asked.keys() <= self._asked.keys()):
            self._read(start, end, asked)
        return {name: frame.between(start, end) for name, frame in self._held.items() if name in asked}

    def _read(self, start: int, end: int, asked: Asked) -> None:
        far = min(LATEST, start + _AHEAD * (end - start))
        for beyond in (far, end) if self._samples.rows_within(start, far) <= _MOST else (end,):
            trouble = Trouble()
            held = self._samples.raw((start, beyond), asked, trouble)
            trouble.unless_away()
            if not trouble.lost:
                self._span, self._asked, self._held = (start, beyond), asked, held
                return
        raise UnreadableError(*trouble.sentences())
