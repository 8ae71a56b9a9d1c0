"""Which fields share a panel: those that belong together and are measured in the same unit."""

import re
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

    Where nothing does, those of one unit are together, and those without a unit that are of one timeline.
    """
    together: dict[tuple[str, str, str], list[str]] = {}
    for name in of_type(fields, "number"):
        field, head = fields[name], _HEAD.match(name)
        key = (head[1] if head else "", field.units or "", "" if head or field.units else field.timeline)
        together.setdefault(key, []).append(name)
    return [group for (head, units, _), names in together.items() for group in _cut(head, units, names)]


def _cut(head: str, units: str, names: list[str]) -> list[Group]:
    """A group as so many as it needs, as even as they can be."""
    number = -(-len(names) // MOST_TOGETHER)
    width = -(-len(names) // number)
    title = head if head and len(names) > 1 else _listed(names)
    return [
        Group(f"{title} ({at + 1} of {number})" if number > 1 else title, tuple(names[at * width : (at + 1) * width]), units or None)
        for at in range(number)
    ]  # fmt: skip


def chunks(names: list[str], size: int) -> list[tuple[str, ...]]:
    """The names in portions of at most that size."""
    return [tuple(names[at : at + size]) for at in range(0, len(names), size)]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_MOST_NAMED]) + ("…" if len(names) > _MOST_NAMED else "")
