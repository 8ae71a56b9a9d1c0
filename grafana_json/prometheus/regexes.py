"""Regular expressions as Prometheus has them: RE2's, against whole texts, in time that is linear in these whatever they are."""

import re2  # type: ignore[import-untyped]  # it has no types

from grafana_json.prometheus.trouble import cannot

LONGEST = 10_000  # characters of a pattern
MOST_GROUPS = 50  # of a pattern whose groups are wanted
MOST_WORK = 3_000_000  # for one request: a second or two
_MEMORY = 2**20  # bytes of a compiled pattern and its states
_STEPS = 100  # instructions of a pattern that cost about as much as one
_GROUPS = 10  # groups that do


class PatternError(ValueError):
    """The pattern cannot be read; says why."""


class Budget:
    """What one request may still spend on regular expressions, about a microsecond a piece."""

    def __init__(self) -> None:
        """Everything."""
        self._left = MOST_WORK

    def spend(self, work: int) -> None:
        """Take so much of it; raises QueryError where that is too much."""
        self._left -= work
        if self._left < 0:
            raise cannot("holding these regular expressions against all names takes too long: use = or fewer of them")


class Pattern:
    """A pattern that has to match a whole text. It is paid for from the budget: when it is compiled, and before each text."""

    def __init__(self, pattern: str, budget: Budget | None = None, *, groups: bool = False) -> None:
        """Compile the pattern; without `groups`, which cost time, only whether it matches can be told.

        Raises PatternError, and QueryError where the budget is spent.
        """
        if len(pattern) > LONGEST:
            raise PatternError(f"it is longer than {LONGEST} characters")
        options = re2.Options()
        options.dot_nl, options.log_errors, options.max_mem, options.never_capture = True, False, _MEMORY, not groups
        try:
            self._compiled = re2.compile(pattern, options)
        except re2.error as error:
            said = error.args[0] if error.args else "it makes no sense"
            raise PatternError(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)) from None
        if self._compiled.groups > MOST_GROUPS:
            raise PatternError(f"it has more than {MOST_GROUPS} groups: write (?:…) for those that are not wanted")
        self._budget = Budget() if budget is None else budget
        self.size = self._compiled.programsize  # instructions
        self._budget.spend(self.size)
        self._weight = (1 + self.size // _STEPS) * (1 + self._compiled.groups // _GROUPS)

    def matches(self, text: str) -> bool:
        """Whether the pattern is the whole text; raises QueryError where the budget is spent."""
        self._budget.spend(self._weight * (len(text) + 1))
        return self._compiled.fullmatch(text) is not None

    def find(self, text: str) -> dict[str, str] | None:
        """The texts of the groups, by number and name, where the pattern is the whole text; otherwise None."""
        self._budget.spend(self._weight * (len(text) + 1))
        found = self._compiled.fullmatch(text)
        if found is None:
            return None
        by_number = {str(number): found[number] or "" for number in range(self._compiled.groups + 1)}
        return by_number | {name: each or "" for name, each in found.groupdict().items()}
