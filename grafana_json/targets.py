"""Which series the targets of a panel stand for, given what is known to be there."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from grafana_json.lookup import Lookup, Work, choosing
from grafana_json.patterns import Pieces, expand, is_pattern, matches
from grafana_json.query import Filter, Panel, RequestError, Target
from sisock.frames import Field
from sisock.uris import JOINT, split_target

Known = Mapping[str, Mapping[str, Field]]  # what is known to be there: {node: {field: Field}}
Tags = Mapping[str, Sequence[str]]  # the words by which nodes are chosen together: {node: [tag]}
NO_TAGS: Tags = {}

MOST_SERIES = 1000  # of a panel
_LONGEST_NAME = 300  # characters of a target that stands for nothing


class Wanted(NamedTuple):
    """One series to ask for."""

    target: Target
    node: str
    field: str

    @property
    def name(self) -> str:
        """What the panel calls the series."""
        return f"{self.node}{JOINT}{self.field}"


class Broken(NamedTuple):
    """A target that stands for no series, and why."""

    target: Target
    why: str

    @property
    def name(self) -> str:
        """What the panel calls the series that is not there."""
        return self.target.text[:_LONGEST_NAME]


def needs_known(panel: Panel) -> bool:
    """Whether resolving the panel needs to know what is there; plain targets do not."""
    return bool(panel.filters) or any(is_pattern(target.text) for target in panel.targets)


def resolve(panel: Panel, known: Known, tags: Tags = NO_TAGS) -> list[Wanted | Broken]:
    """The series that the targets stand for, filtered, in order; raises RequestError where they are too many."""
    work = Work()
    lookup = Lookup(known, work) if needs_known(panel) else Lookup({}, work)
    series: list[Wanted | Broken] = []
    for target in panel.targets:
        series += _resolve(target, known, lookup)
        if len(series) > MOST_SERIES:
            raise RequestError(f"the panel asks for more than {MOST_SERIES} series: choose fewer values")
    keep = [_passes(each, work, len(series), known, tags) for each in panel.filters]
    return [s for s in series if isinstance(s, Broken) or all(test(s.node, s.field) for test in keep)]


def _resolve(target: Target, known: Known, lookup: Lookup) -> list[Wanted | Broken]:
    text = target.text
    node, _, field = text.partition(JOINT)
    if not is_pattern(text) or field in known.get(node, {}):
        return [_wanted(target, text)]
    try:
        texts = lookup.texts(text, MOST_SERIES)
    except RequestError:
        raise
    except ValueError as error:
        return [Broken(target, str(error))]
    if not texts:
        return [Broken(target, f"nothing matches {text!r:.80}: see what there is with /search")]
    return [_wanted(target, each) for each in texts]


def _wanted(target: Target, text: str) -> Wanted | Broken:
    try:
        return Wanted(target, *split_target(text))
    except ValueError as error:
        return Broken(target._replace(text=text), str(error))


def _passes(given: Filter, work: Work, series: int, known: Known, tags: Tags) -> Callable[[str, str], bool]:
    """Whether a series of that node and field passes the filter, as a function, to be asked of so many series."""
    wanted = not given.operator.startswith("!")
    each_has = max(map(len, tags.values()), default=1) if given.key == "tag" else 1
    chosen = _chosen(given, work, series * max(1, each_has))
    return lambda node, field: any(map(chosen, attributes(given.key, node, field, known, tags))) is wanted


def _chosen(given: Filter, work: Work, names: int) -> Callable[[str], bool]:
    """Whether a text is what the filter names, whichever way its operator has it."""
    if given.operator in ("=~", "!~"):
        return choosing(given.value, names, MOST_SERIES, work)
    return set(given.values if given.operator.endswith("|") else (given.value,)).__contains__


def _any_matches(expansions: list[Pieces], text: str) -> bool:
    return any(matches(pieces, text) for pieces in expansions)


def attribute(key: str, node: str, field: str, known: Known) -> str:
    """What a filter of that key looks at; empty where it is not known."""
    if key in ("node", "field"):
        return node if key == "node" else field
    about = known.get(node, {}).get(field)
    return "" if about is None else (about.units or "") if key == "unit" else about.type


def attributes(key: str, node: str, field: str, known: Known, tags: Tags) -> Sequence[str]:
    """As `attribute`; a node has any number of tags, and is looked at by an empty one where it has none."""
    return tags.get(node) or ("",) if key == "tag" else (attribute(key, node, field, known),)


def values(key: str, known: Known, tags: Tags, filters: Sequence[Filter] = ()) -> set[str]:
    """What a filter of that key can be set to, among the series that pass the other filters."""
    series = [(node, field) for node in known for field in known[node]]
    work = Work()
    keep = [_passes(each, work, len(series), known, tags) for each in filters]
    passing = (each for each in series if all(test(*each) for test in keep))
    return {text for node, field in passing for text in attributes(key, node, field, known, tags)} - {""}


def search(text: str, known: Known, most: int) -> list[str]:
    """Targets that contain what is typed (or one of its alternatives), in any case; sorted, at most so many."""
    try:
        parts = [("", *map(str.lower, pieces), "") for pieces in expand(text, MOST_SERIES)]
    except ValueError as error:
        raise RequestError(str(error)) from None
    parts = list(dict.fromkeys([*parts, ("", text.lower(), "")]))
    names = [f"{node}{JOINT}{field}" for node in known for field in known[node]]
    Work().spend(parts[1:], len(names))  # a plain text is always looked for
    return sorted(name for name in names if _any_matches(parts, name.lower()))[:most]
