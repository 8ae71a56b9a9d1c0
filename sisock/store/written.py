"""What is on its way into the segments and tiers of a timeline."""

import zlib
from collections.abc import Mapping
from typing import NamedTuple

from sisock.frames import Frame
from sisock.store import growing
from sisock.store.identified import Identified
from sisock.store.parquet import kind_of
from sisock.store.segments import Segment
from sisock.store.tiers import Kept, Span, kept_as


class Written(NamedTuple):
    """Samples on their way into segments: how many frames waited, and from when on there were none before."""

    waited: int
    samples: Identified
    pieces: list[Identified]
    known_until: int
    new: Frame  # those of the samples that no segment had
    without: tuple[Segment, ...] = ()  # segments that these take the place of
    replaced: int = 0  # samples that went, for later ones at the same time


class Growth(NamedTuple):
    """How the tiers grow with them."""

    fields: dict[str, Kept]
    taken: growing.Taken


def numbered_in(frame: Frame, kinds: Mapping[str, Mapping[str, Kept]]) -> dict[str, Kept]:
    """The fields of a frame that have tiers, all but texts; `kinds`: those of a timeline, each with its kinds."""
    numbered = {}
    for name, column in frame.columns.items():
        kind = kind_of(column)
        if kind != "text":
            numbered[name] = kinds.get(name, {}).get(kind) or kept_as(name, kind)
    return numbered


def span_of(frame: Frame) -> Span:
    """From the first time to one past the last."""
    return int(frame.t[0]), int(frame.t[-1]) + 1


def slug(timeline: str) -> str:
    """A timeline's name as that of a folder."""
    plain = "".join(c if c.isalnum() or c in "-_" else "_" for c in timeline)[:60]
    return plain if plain == timeline else f"{plain}-{zlib.crc32(timeline.encode()):08x}"
