"""Regular expressions as Prometheus has them: RE2's, against whole texts, in time that is linear in these whatever they are."""

import re2  # type: ignore[import-untyped]  # it has no types

LONGEST = 10_000  # characters of a pattern
_MEMORY = 8 * 2**20  # bytes of a compiled pattern and its states
_STEPS = 100  # instructions of a pattern that cost about as much as one


class PatternError(ValueError):
    """The pattern cannot be read; says why."""


class Pattern:
    """A pattern that has to match a whole text; `work` counts what that took. Raises PatternError."""

    def __init__(self, pattern: str) -> None:
        """Compile the pattern."""
        if len(pattern) > LONGEST:
            raise PatternError(f"it is longer than {LONGEST} characters")
        options = re2.Options()
        options.dot_nl, options.log_errors, options.max_mem = True, False, _MEMORY
        try:
            self._compiled = re2.compile(pattern, options)
        except re2.error as error:
            said = error.args[0] if error.args else "it makes no sense"
            raise PatternError(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)) from None
        self.work = 0  # characters looked at, weighed by the size of the pattern
        self._weight = 1 + self._compiled.programsize // _STEPS

    def matches(self, text: str) -> bool:
        """Whether the pattern is the whole text."""
        self.work += self._weight * (len(text) + 1)
        return self._compiled.fullmatch(text) is not None

    def find(self, text: str) -> dict[str, str] | None:
        """The texts of the groups, by number and name, where the pattern is the whole text; otherwise None."""
        self.work += self._weight * (len(text) + 1)
        found = self._compiled.fullmatch(text)
        if found is None:
            return None
        by_number = {str(number): found[number] or "" for number in range(self._compiled.groups + 1)}
        return by_number | {name: each or "" for name, each in found.groupdict().items()}
