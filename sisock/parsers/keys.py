"""Pairs of name and value anywhere in a text: `temp=20.5`, `"name"="a b"`, `MemTotal:  16 kB`."""

import re
from collections.abc import Container

from sisock.parsers.rows import Parse, Parsed, Refused, Row, Value, gathered, value_in

_NAME = r"""(?<![\w./()%-])([^\W\d][\w./()%-]*)"""
_QUOTED = r""""(?:[^"\\]|\\.)*"|'[^']*'"""
_PAIR = re.compile(rf"{_NAME}(?:[ \t]*=[ \t]*({_QUOTED}|[^\s,;]+)|:[ \t]+({_QUOTED}|[^\s,;=]++(?=[\s,;]|$)))")
_ESCAPED = re.compile(r"\\(.)")


def parser(texts: Container[str] = ()) -> Parse:
    """Make one; values of the names in `texts` stay as they stand there."""

    def parse(text: str) -> Parsed:
        """All pairs; one row as long as no name comes again. What stands between pairs is left out."""
        pairs = ((name, _value(one or other, as_text=name in texts)) for name, one, other in _PAIR.findall(text))
        rows = [Row(row, text) for row in gathered(pairs)]
        if rows or not text.strip():
            return Parsed(rows, [])
        return Parsed([], [Refused("there is no name=value in it", text)])

    return parse


def _value(text: str, *, as_text: bool) -> Value:
    """What is in quotes is a text, too."""
    if text[0] in "\"'" and text[-1] == text[0] and len(text) > 1:
        return _ESCAPED.sub(r"\1", text[1:-1])
    return text if as_text else value_in(text)
