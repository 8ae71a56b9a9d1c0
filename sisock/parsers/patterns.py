"""Named groups of a regular expression, as often as it is found in a text."""

import re
import warnings
from collections.abc import Container

from sisock.parsers.rows import Parse, Parsed, Refused, Row, gathered, value_in


def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern; raises ValueError with what is wrong with it."""
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # of what Python may mean by it one day
            return re.compile(pattern, re.MULTILINE)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{pattern!r:.80} is no regular expression: {error}") from error


def parser(pattern: str, texts: Container[str] = ()) -> Parse:
    """Make one; values of the names in `texts` stay as they are.

    Raises ValueError with the cure where the pattern is none, or names no group.
    """
    expression = compiled(pattern)
    if not expression.groupindex:
        raise ValueError(f"{pattern!r:.80} names no value: write (?P<name>…) around each")

    def parse(text: str) -> Parsed:
        """A row for each match; groups that are in other matches only are put together."""
        pairs = (
            (name, value if name in texts else value_in(value))
            for match in expression.finditer(text)
            for name, value in match.groupdict().items()
            if value is not None
        )
        rows = [Row(row, text) for row in gathered(pairs)]
        if rows or not text.strip():
            return Parsed(rows, [])
        return Parsed([], [Refused("the regular expression does not match", text)])

    return parse
