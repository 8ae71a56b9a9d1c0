"""Files as series: which of them go together, what their fields are called, and which share a timeline."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import NamedTuple

import numpy as np

from data_nodes.names import as_field, without_dates
from data_nodes.weather.source import Source, settle
from sisock.frames import Field, Frame, Times, concat
from sisock.nodes import health


class Series(NamedTuple):
    """What one file, or several of successive dates, have: fields on one time axis."""

    name: str
    fields: Mapping[str, Field]
    frame: Frame


def series(sources: Mapping[PurePath, Source]) -> list[Series]:
    """Put the files together; the paths are those below the folder. Every field has its name and its timeline."""
    taken = set(health.FIELDS)  # which every node has
    return _share_timelines([_join(name, of, taken) for name, of in _together(sources)])


def _together(sources: Mapping[PurePath, Source]) -> list[tuple[str, list[Source]]]:
    """Files whose paths differ by a date only are one, if they have the same columns."""
    groups: dict[str, list[tuple[PurePath, Source]]] = defaultdict(list)
    for path, source in sorted(sources.items()):
        if source.format is not None and source.frame is not None:
            groups[without_dates(path)].append((path, source))
    result = []
    for name, of in sorted(groups.items()):
        if all(_columns(source) == _columns(of[0][1]) for _, source in of):
            result.append((name, [source for _, source in of]))
        else:
            result += [(path.with_suffix("").as_posix(), [source]) for path, source in of]
    return result


def _columns(source: Source) -> list[tuple[str, Field]]:
    assert source.format is not None
    return [(title, field._replace(description=None)) for title, field in source.format.fields.items()]


def _join(name: str, sources: list[Source], taken: set[str]) -> Series:
    """One series of the files; the fields' descriptions say what is odd about them."""
    first = sources[0].format
    assert first is not None
    frame = settle(concat([source.frame for source in sources if source.frame is not None]))
    odd = "; ".join(dict.fromkeys(source.oddities for source in sources if source.oddities))
    fields, columns = {}, {}
    for title, field in first.fields.items():
        called = _free(as_field(f"{name}/{title}" if title else name), taken)
        said = " ".join(filter(None, (field.description, f"({odd})" if odd else None)))
        fields[called] = field._replace(description=said or None, timeline=as_field(field.timeline or name))
        columns[called] = frame.columns[title]
    return Series(as_field(name), fields, Frame("", frame.t, columns))


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number where another file has it already."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name[:190]} ({number})"
    taken.add(free)
    return free


def _share_timelines(several: list[Series]) -> list[Series]:
    """Series with the same timeline keep it if their times agree; otherwise each has its own, `timeline (series)`."""
    by_name: dict[str, list[Series]] = defaultdict(list)
    for each in several:
        by_name[next(iter(each.fields.values())).timeline].append(each)
    result = []
    for timeline, sharing in by_name.items():
        if timeline == health.TIMELINE or not _agree([each.frame.t for each in sharing]):
            result += [_rename(each, as_field(f"{timeline} ({each.name})")) for each in sharing]
        else:
            result += sharing
    return sorted(result, key=lambda each: each.name)


def _agree(axes: Iterable[Times]) -> bool:
    """True if all axes that overlap with the first have the same times there: one may be ahead of another."""
    first, *others = axes
    for t in others:
        if not len(first) or not len(t):
            continue
        start, end = max(first[0], t[0]), min(first[-1], t[-1])
        if start > end or not np.array_equal(_between(first, start, end), _between(t, start, end)):
            return False
    return True


def _between(t: Times, start: np.int64, end: np.int64) -> Times:
    return t[np.searchsorted(t, start) : np.searchsorted(t, end, "right")]


def _rename(each: Series, timeline: str) -> Series:
    return each._replace(fields={name: field._replace(timeline=timeline) for name, field in each.fields.items()})
