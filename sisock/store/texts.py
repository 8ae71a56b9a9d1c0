"""Texts out of an archive: as they are, or by their changes where there are very many."""

from dataclasses import replace

import numpy as np

from sisock import picking, reduction
from sisock.frames import Part, Query, concat
from sisock.grid import Grid
from sisock.store.asked import Asked, singly
from sisock.store.snapshot import Trouble
from sisock.store.tiers import Span
from sisock.uris import JOINT

_MOST = 1_000_000  # samples up to which every text is looked at
_LOOKS = 64  # row groups that are looked at where there are more


def part_of(asked: Asked, name: str, query: Query, how: Grid, trouble: Trouble) -> Part:
    """A text as asked, or by its changes; of very many samples only some stretches are looked at, which is told."""
    asked = singly(asked, trouble)
    series, snapshot = asked.series, asked.snapshot
    if name in asked.won:
        span = max(asked.span[0], asked.won[name].since), asked.span[1]
        asked = asked._replace(span=span, rows=snapshot.rows_within(*span))
    looks: list[Span] = [asked.span]
    if asked.rows > _MOST:
        inside = snapshot.starts_within(*asked.span)
        rows = np.unique(np.linspace(0, max(0, len(inside) - 2), _LOOKS).astype(np.intp)).tolist()
        looks = [(int(inside[i]), int(inside[i + 1])) for i in rows] if len(inside) > 1 else looks
        trouble.told[f"::{name}"] = (
            f"{name} was looked at in {len(looks)} of {len(inside)} stretches: changes in between may be missing, zoom in"
        )
    frames = [snapshot.read(look, (name,), trouble) for look in looks]
    some_frames = [each.frame for each in frames if each is not None and name in each.frame.columns]
    axis = f"{series.timeline}{JOINT}{name}"
    if not some_frames:
        return Part(replace(asked.like, timeline=axis), series.timeline, asked.span[1], 0)
    whole = concat(some_frames)
    if len(looks) == 1 and reduction.method_of(query) in reduction.OF_TEXTS:
        whole = replace(asked.like, t=whole.t, columns=whole.columns)
        return reduction.answer([whole], query, {series.timeline: asked.span[1]}, how).parts[0]
    rows, _ = changes = picking.changes(whole.columns[name], query.max_points or reduction.MOST_POINTS)
    trouble.told |= {f"::{name} changes": notice for notice in changes.notices(name)}
    points = replace(asked.like, timeline=axis, t=whole.t[rows], columns={name: whole.columns[name].rows(rows)})
    samples = len(whole) if len(looks) == 1 else asked.rows
    return Part(points, series.timeline, asked.span[1], samples)
