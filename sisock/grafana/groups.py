"""Which fields share a panel: those that belong together and are measured in the same unit."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from sisock.frames import Field, Type

MOST_TOGETHER = 12  # fields of a panel: more cannot be told apart
_HEAD = re.compile(r"([^/.]+)[/.]")
_MOST_NAMED = 3  # fields in a title


class Group(NamedTuple):
    """Fields of one panel, what they are called together, and their unit as the node writes it."""

    title: str
    fields: tuple[str, ...]
    units: str | None


def of_type(fields: Mapping[str, Field], wanted: Type) -> list[str]:
    """The names of the fields of this type."""
    return [name for name, field in fields.items() if field.type == wanted]


def by_unit(fields: Mapping[str, Field]) -> list[Group]:
    """The fields that are numbers, in groups: what stands before the first `/` or `.` of the name, and the unit.

    Where nothing does, those of one unit are together, and those without a unit that are of one timeline; but `cpu` is
    with `cpu/0`.
    """
    numbers = of_type(fields, "number")
    heads = {match[1] for match in map(_HEAD.match, numbers) if match}
    together: dict[tuple[str, str, str], list[str]] = {}
    for name in numbers:
        field, match = fields[name], _HEAD.match(name)
        head = match[1] if match else name if name in heads else ""
        key = (head, field.units or "", "" if head or field.units else field.timeline)
        together.setdefault(key, []).append(name)
    titles = Counter(_title(head, names) for (head, _, _), names in together.items())
    return [
        group
        for (head, units, _), names in together.items()
        for group in _cut(_title(head, names, units if titles[_title(head, names)] > 1 else ""), units, names)
    ]


def _title(head: str, names: list[str], units: str = "") -> str:
    """What stands before all names, or the first of them; with the unit where that alone would be said twice."""
    title = head if head and len(names) > 1 else ", ".join(names[:_MOST_NAMED]) + "…" * (len(names) > _MOST_NAMED)
    return f"{title} ({units})" if units else title


def _cut(title: str, units: str, names: list[str]) -> list[Group]:
    """A group as so many as it needs, as even as they can be."""
    parts = chunks(names, -(-len(names) // -(-len(names) // MOST_TOGETHER)))
    return [
        Group(f"{title}, {at} of {len(parts)}" if len(parts) > 1 else title, part, units or None)
        for at, part in enumerate(parts, 1)
    ]


def chunks(names: list[str], size: int) -> list[tuple[str, ...]]:
    """The names in portions of at most that size."""
    return [tuple(names[at : at + size]) for at in range(0, len(names), size)]
