"""What dashboards are made of: each data node with its fields, as it was seen."""

import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple

from sisock.frames import Field
from sisock.nodes import health

_LONGEST_UID = 40  # characters, in Grafana
NODE_UID = "sisock-node-"  # what the uids of nodes' dashboards begin with
_DIGITS = re.compile(r"(\d+)")


class Seen(NamedTuple):
    """A data node: what it says of itself, and its fields without those of its health.

    `span`: for archives that are no longer added to, when the first and last samples are, in ns; None for the others.
    """

    name: str
    description: str
    fields: Mapping[str, Field]
    kind: str = "live"
    span: tuple[int, int] | None = None
    healthy: bool = True  # whether it has the fields of its health, as nodes in the old way have not

    @property
    def uid(self) -> str:
        """The uid of its dashboard."""
        return uid(NODE_UID, self.name)


def uid(before: str, name: str) -> str:
    """A uid with the name in it; with part of it and a hash where it is too long, and then longer than any other."""
    if len(before) + len(name) < _LONGEST_UID:
        return before + name
    tail = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{before}{name[: _LONGEST_UID - len(before) - len(tail) - 1]}-{tail}"


def seen(
    name: str, description: str, fields: Mapping[str, Field], kind: str = "live", span: tuple[int, int] | None = None
) -> Seen:
    """A node as dashboards see it: fields in the order of their names, numbers in them as numbers."""
    own = {field: fields[field] for field in sorted(fields, key=natural) if field not in health.FIELDS}
    return Seen(name, description, own, kind, span, set(health.FIELDS) <= set(fields))


def natural(text: str) -> tuple[list[str | tuple[int, str]], str]:
    """A key by which `cpu/2` comes before `cpu/10`, and nothing is equal but the same text."""
    parts = _DIGITS.split(text)
    return [_number(part) if at % 2 else part for at, part in enumerate(parts)], text


def _number(digits: str) -> tuple[int, str]:
    return len(digits.lstrip("0")), digits.lstrip("0")
