"""What rows are asked of which fields: targets resolved by what is known to be there, with a bound on what comes back."""

from collections.abc import Sequence
from typing import NamedTuple

from grafana_json.directory import Directory
from grafana_json.patterns import is_pattern
from grafana_json.query import Panel, RequestError, Target
from grafana_json.rows.asking import Asked
from grafana_json.targets import Broken, Known, Wanted, needs_known, resolve
from sisock.errors import NoHub
from sisock.frames import Field
from sisock.reduction import MOST_POINTS, POINTS

MOST_VALUES = 5_000_000  # of one answer


class FailedError(Exception):
    """Nothing at all can be answered; the sentence says why, the status what kind of why."""

    def __init__(self, status: int, sentence: str) -> None:
        """Say why."""
        super().__init__(sentence)
        self.status = status


class Question(NamedTuple):
    """The fields that are asked for, each once, with what is known of them; and the targets that stand for none, and why."""

    wanted: tuple[Wanted, ...]
    fields: tuple[Field | None, ...]
    broken: tuple[Broken, ...]

    @property
    def nodes(self) -> dict[str, tuple[str, ...]]:
        """The names of the fields, by node."""
        found: dict[str, tuple[str, ...]] = {}
        for each in self.wanted:
            found[each.node] = (*found.get(each.node, ()), each.field)
        return found


def question(targets: Sequence[str], directory: Directory) -> Question:
    """The fields that these targets stand for.

    Raises RequestError where they are too many, FailedError where there is none, NoHub where it is not known what there is.
    """
    panel = Panel(1, 2, 1, tuple(Target(text, None, "table") for text in targets), ())
    known = directory.known() if needs_known(panel) else directory.at_hand()
    series = resolve(panel, known)
    wanted = tuple({(each.node, each.field): each for each in series if isinstance(each, Wanted)}.values())
    broken = tuple(each for each in series if isinstance(each, Broken))
    if not wanted:
        raise FailedError(404 if is_pattern(broken[0].target.text) else 400, broken[0].why)
    if any(_field(each, known) is None for each in wanted):
        known = _known_by_now(directory)
    return Question(wanted, tuple(_field(each, known) for each in wanted), broken)


def _known_by_now(directory: Directory) -> Known:
    try:
        return directory.known()
    except NoHub:  # who asks for samples is told
        return directory.at_hand()


def _field(wanted: Wanted, known: Known) -> Field | None:
    return known.get(wanted.node, {}).get(wanted.field)


def values_of(asked: Asked, fields: int) -> int:
    """How many values may come back; raises RequestError where these are too many for one answer."""
    method = asked.reduce or "minmax"
    bins = 0 if asked.bin is None else -(-(asked.end - asked.start) // asked.bin) + 1
    if bins > MOST_POINTS:
        raise RequestError(f"this makes {bins} bins, {MOST_POINTS} at the most: ask for wider ones, or for less time")
    each = asked.points or bins * len(POINTS.get(method, ("one",)))
    values = each * fields * (3 if method == "band" else 1)
    if values > MOST_VALUES:
        raise RequestError(
            f"{fields} targets of up to {each} points are more than {MOST_VALUES} values: "
            "ask for fewer targets, points or bins"
        )
    return values
