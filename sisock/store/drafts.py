"""Segments that are about to be written, and which of those there are do not count where some took their place.

Several may be made of some others, one after the other. They take the place of these together: until all of them are
there none counts, wherever an end comes in between (docs/archive.md).
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sisock.frames import Field
from sisock.store.identified import Identified, accounts
from sisock.store.parquet import described
from sisock.store.written import slug


class Draft(NamedTuple):
    """A segment that is about to be written: the name of its file, what is in it, and what it tells of itself."""

    name: str
    samples: Identified
    about: Mapping[str, Any]


def drafts(
    node: str, timeline: str, fields: Mapping[str, Field], pieces: Sequence[Identified], replaces: Sequence[str]
) -> list[Draft]:
    """One for each piece; together they take the place of the segments of the names `replaces`."""
    names = [_name(node, timeline, piece) for piece in pieces]
    about = {
        "node": node, "timeline": timeline, "fields": described(fields),
        **({"replaces": list(replaces), "set": names} if replaces else {}),
    }  # fmt: skip
    return [Draft(name, piece, {**about, "epochs": accounts(piece)}) for name, piece in zip(names, pieces, strict=True)]


def _name(node: str, timeline: str, samples: Identified) -> str:
    stamp = np.datetime_as_string(samples.frame.t[:1].view("datetime64[ns]"), unit="s")[0].replace(":", "")
    return f"{node}/{slug(timeline)}/{stamp}-{secrets.token_hex(4)}.parquet"


def superseded(told: Mapping[str, Mapping[str, Any]], there: Collection[str]) -> set[str]:
    """The names of the segments that do not count, for others have the same samples.

    `told`: what segments tell of themselves, by their names; `there`: the names of all files, readable or not.
    """
    sets = {
        frozenset(about.get("set", (name,))): frozenset(about["replaces"])
        for name, about in told.items()
        if about.get("replaces")
    }
    gone = set[str]()
    while whole := [each for each in sets if all(name in told or name in gone for name in each)]:
        for each in whole:
            gone |= sets.pop(each)
    unwhole = set[str]()
    for each, replaces in sets.items():
        never = replaces <= set(there) or not replaces.isdisjoint(gone)  # its sources go only once it was whole
        unwhole |= each if never else replaces
    return gone | unwhole
