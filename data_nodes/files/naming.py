"""What timelines and fields are called after the files that they come from."""

import re
from collections.abc import Collection, Mapping
from pathlib import PurePath

from data_nodes.names import as_field, without_dates
from sisock.formats.columns import KINDS, About
from sisock.frames import Field

_END = r"(?=$|[/_. -])"
_BEFORE = r"(?:^|[/_. -])"
_PARTS = (  # of paths, by which files of one series differ
    re.compile(r"(?:^|/)(?:year|month|day|date|hour|dt|[ymdh])=[^/]*"),  # folders as Hive names them
    re.compile(rf"{_BEFORE}(?:19|20)\d\d-?\d\d-?\d\d[T_ -]\d\d[-:.]?\d\d(?:[-:.]?\d\d)?Z?{_END}"),  # a date and a time
    re.compile(rf"{_BEFORE}1\d{{9}}(?:\d{{3}}){{0,3}}{_END}"),  # UNIX times
    re.compile(rf"{_BEFORE}(?:part|chunk|segment|file|block)[-_]?\d+(?:-[0-9a-f-]{{8,}})?{_END}", re.IGNORECASE),
)


def series_of(path: str, part: str, folder: str) -> str:
    """What the files of one series have in common: path and name without dates, times and numbers of parts.

    `part`: which table of the file. Where nothing is left, it is the folder's name.
    """
    name = PurePath(path).with_suffix("").as_posix()
    for pattern in _PARTS:
        name = pattern.sub("", name)
    bare = without_dates(PurePath(f"{name.strip('/_. -')}.x")) if name.strip("/_. -") else ""
    only_date = bool(re.fullmatch(r"(?:(?:19|20)\d\d)(?:[-_/.]?\d\d){0,2}", bare))
    stem = folder if not bare or bare == ".x" or only_date else bare
    return f"{stem}/{part}" if part else stem


def fields_of(
    timeline: str, titles: Mapping[str, About], known: Mapping[str, Field], taken: Collection[str]
) -> dict[str, tuple[str, About]]:
    """The field that each column is, with its title. A column of another type than the field of that name is another.

    `known`: the fields of the timeline; `taken`: names of all others.
    """
    found: dict[str, tuple[str, About]] = {}
    for title, about in titles.items():
        kind, number = KINDS[about.kind], 1
        name = as_field(f"{timeline}/{title}")
        if name in known and known[name].type != kind:
            name = as_field(f"{timeline}/{title} ({kind})")
        free = name
        while free in found or free in taken or (free in known and known[free].type != kind):
            number += 1
            free = f"{name[:190]} ({number})"
        found[free] = title, about
    return found
