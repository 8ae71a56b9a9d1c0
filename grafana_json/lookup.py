"""Names that patterns stand for, looked up with work that is bounded for the whole request."""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain

from grafana_json.patterns import Pieces, expand, matches
from grafana_json.query import RequestError
from sisock.uris import JOINT

_MOST_WORK = 2_000_000  # pieces of patterns held against names: some tenths of a second
_MOST_WILD = 200  # expansions of one pattern with a wildcard


class Work:
    """What one request may still cost."""

    def __init__(self) -> None:
        """All of it, at first."""
        self._left = _MOST_WORK

    def spend(self, patterns: Iterable[Pieces], names: int) -> None:
        """Count that each pattern is held against so many names; raises RequestError once that is too much."""
        self._left -= names * sum(map(len, patterns))
        if self._left < 0:
            raise RequestError("looking up all these wildcards among all names takes too long: choose fewer values")


def choosing(pattern: str, names: int, most: int, work: Work) -> Callable[[str], bool]:
    """Whether a name is one that the pattern stands for, as a function, to be asked of so many names.

    Raises RequestError where it stands for more than `most`, or the request is too much work.
    """
    try:
        expansions = expand(pattern, most)
    except ValueError as error:
        raise RequestError(str(error)) from None
    plain = {pieces[0] for pieces in expansions if len(pieces) == 1}
    wild = [pieces for pieces in expansions if len(pieces) > 1]
    work.spend(wild, names)
    return lambda name: name in plain or any(matches(pieces, name) for pieces in wild)


class Lookup:
    """The names `node::field` of what is known; the same pattern is looked up once."""

    def __init__(self, known: Mapping[str, Mapping[str, object]], work: Work) -> None:
        """Look up among what is known with the work that is left."""
        self._names = {node: [f"{node}{JOINT}{field}" for field in fields] for node, fields in known.items()}
        self._work = work
        self._found: dict[str, list[str]] = {}

    def texts(self, pattern: str, most: int) -> list[str]:
        """The texts that the pattern stands for, those with wildcards looked up among the names.

        Raises ValueError where they are too many, RequestError where the whole request is too much work.
        """
        if pattern not in self._found:
            self._found[pattern] = self._look_up(pattern, most)
        return self._found[pattern]

    def _look_up(self, pattern: str, most: int) -> list[str]:
        expansions = expand(pattern, most)
        wild = [pieces for pieces in expansions if len(pieces) > 1]
        if len(wild) > _MOST_WILD:
            raise ValueError(f"{pattern!r:.80} has more than {_MOST_WILD} wildcards: choose fewer values")
        found = sorted({name for pieces in wild for name in self._matching(pieces)})
        return list(dict.fromkeys([pieces[0] for pieces in expansions if len(pieces) == 1] + found))

    def _matching(self, pieces: Pieces) -> list[str]:
        """The names that match; where the node is written out, only its own are looked at."""
        node, joint, _ = pieces[0].partition(JOINT)
        groups = [self._names.get(node, [])] if joint else list(self._names.values())
        self._work.spend([pieces], sum(map(len, groups)))
        return [name for name in chain.from_iterable(groups) if matches(pieces, name)]
