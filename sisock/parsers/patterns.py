"""Named groups of a regular expression, as often as it is found in a text; no text keeps it busy for ever.

The engine is RE2, whose time is linear in the text, and which lets other threads run meanwhile. Python's holds all of them
up, for years where a pattern such as `(a+)+$` meets a line that does not fit.
"""

import re
from collections import Counter
from collections.abc import Container, Iterator

from sisock import extras
from sisock.parsers.rows import Parse, Parsed, Refused, Row, gathered, value_in

_MEMORY = 2**20  # bytes of a compiled pattern and its states
_HARD = re.compile(r"\(\?<?[=!]|\(\?P=|\\[1-9]")  # looks around, or back at what was found: not in linear time
_NO_COUNT = re.compile(r"(?<!\\)\{(?:,\d+|\d{9,}(?:,\d*)?|\d+,\d{9,})\}")  # RE2 would take it for a text
_NAME = re.compile(r"(?<!\\)\(\?P?<(\w+)>")


class Expression:
    """A regular expression as RE2 has it; `^` and `$` are the ends of each line."""

    def __init__(self, pattern: str) -> None:
        """Compile it; raises ValueError with what is wrong with it, or what has to be installed."""
        try:
            import re2  # type: ignore[import-untyped]  # it has no types
        except ModuleNotFoundError as error:
            raise ValueError(f"regular expressions need google-re2: {extras.command('sources')}") from error
        _check(pattern)
        options = re2.Options()
        options.log_errors, options.max_mem = False, _MEMORY
        try:
            self._compiled = re2.compile(b"(?m)" + pattern.encode(), options)
        except (re2.error, UnicodeEncodeError) as error:
            raise _none(pattern, _why(pattern, error)) from None
        groups = sorted(self._compiled.groupindex.items(), key=lambda group: group[1])
        self.names = {name.decode(): number for name, number in groups}

    def is_in(self, text: str) -> bool:
        """Whether it is found in the text."""
        return self._compiled.search(_bytes(text)) is not None

    def found(self, text: str) -> Iterator[tuple[str, str]]:
        """Names and texts of the groups of each match, one match after the other; not of groups without a part in it."""
        names = self.names.items()
        for match in self._compiled.finditer(_bytes(text)):
            for name, number in names:
                group = match[number]
                if group is not None:
                    yield name, group.decode("utf-8", "replace")


def _check(pattern: str) -> None:
    """Raise ValueError where RE2 would take the pattern for something else than it says."""
    if count := _NO_COUNT.search(pattern):
        raise _none(pattern, f"{count[0]} is no count: write {{3}} or {{0,3}}, of 1000 at most")
    for name, n in Counter(_NAME.findall(pattern)).items():
        if n > 1:
            raise _none(pattern, f"it names {name!r} twice: give each group a name of its own")


def _why(pattern: str, error: Exception) -> str:
    """What is the matter with a pattern, and the cure where it is known."""
    if _HARD.search(pattern):
        return r"write it without (?=…), (?!…), (?<=…), (?<!…), (?P=…) and \1, on which a text can take for ever"
    said = error.args[0] if error.args else "it makes no sense"
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(error)


def _none(pattern: str, why: str) -> ValueError:
    return ValueError(f"{pattern!r:.80} is no regular expression: {why}")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def parser(pattern: str, texts: Container[str] = ()) -> Parse:
    """Make one; values of the names in `texts` stay as they are.

    Raises ValueError with the cure where the pattern is none, or names no group.
    """
    expression = Expression(pattern)
    if not expression.names:
        raise ValueError(f"{pattern!r:.80} names no value: write (?P<name>…) around each")

    def parse(text: str) -> Parsed:
        """A row for each match; groups that are in other matches only are put together."""
        pairs = ((name, value if name in texts else value_in(value)) for name, value in expression.found(text))
        rows = [Row(row, text) for row in gathered(pairs)]
        if rows or not text.strip():
            return Parsed(rows, [])
        return Parsed([], [Refused("the regular expression does not match", text)])

    return parse
