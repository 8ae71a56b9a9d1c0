"""Fields of a gateway as they are met: each keeps its name, its kind and its timeline; what cannot be one is refused."""

from collections.abc import Mapping

from sisock.frames import Column, Field, Frame
from sisock.nodes.base import MOST_FIELDS, check_not_health
from sisock.uris import check_field

_OWN = 100  # fields that the gateway itself may have
MOST = MOST_FIELDS - _OWN


class Fields:
    """The fields of one gateway since its start. Nothing of what it lets through is refused by the node's intake."""

    def __init__(self) -> None:
        """Begin with none."""
        self.known: dict[str, Field] = {}

    @property
    def with_units(self) -> dict[str, Field]:
        """Those whose units are known."""
        return {name: field for name, field in list(self.known.items()) if field.units}

    def admit(self, frame: Frame, units: Mapping[str, str | None] | None = None) -> tuple[Frame | None, list[str]]:
        """The frame with the columns that may be there, and why the others may not; new ones have these units."""
        reasons: list[str] = []
        good: dict[str, Column] = {}
        for name, column in frame.columns.items():
            why = self._refusal(name, column, frame.timeline, (units or {}).get(name))
            if why:
                reasons.append(why)
            else:
                good[name] = column
        if not reasons:
            return frame, []
        return (Frame(frame.timeline, frame.t, good) if good else None), reasons

    def _refusal(self, name: str, column: Column, timeline: str, units: str | None) -> str | None:
        known = self.known.get(name)
        if known is None:
            return self._meet(name, column, timeline, units)
        if known.type != column.type:
            return f"{name!r} was a {known.type} before, and a {column.type} came: a field keeps its kind"
        if known.timeline != timeline:
            return (
                f"{name!r} is of {known.timeline!r} already, and came of {timeline!r}: give one another name by a rule"
            )
        return None

    def _meet(self, name: str, column: Column, timeline: str, units: str | None) -> str | None:
        if len(self.known) >= MOST:
            return f"{name!r:.80} is one field more than {MOST}: run another gateway for some of them"
        try:
            check_field(name)
            check_field(timeline, "timeline")
            check_not_health(name, timeline)
        except ValueError as error:
            return f"{error}: name it by a rule"
        self.known[name] = Field(None, timeline, column.type, units)
        return None


def printable(name: str) -> str:
    """The name as a field may have it: `::` lies between a node and its field."""
    sound = name if name.isprintable() else "".join(each if each.isprintable() else "_" for each in name)
    return sound.replace("::", ":_:")
