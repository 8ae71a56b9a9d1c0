"""A regular expression as a tree."""

from collections.abc import Sequence
from typing import NamedTuple

Ranges = tuple[tuple[str, str], ...]  # of characters, each from one to another


class Chars(NamedTuple):
    """One character of a set; `folded`: in either case."""

    ranges: Ranges
    negated: bool = False
    folded: bool = False

    def has(self, char: str) -> bool:
        """Whether the character is one of them."""
        forms = {char, char.lower(), char.upper()} if self.folded else {char}
        return any(low <= form <= high for form in forms for low, high in self.ranges) is not self.negated


class Edge(NamedTuple):
    """The beginning of the text, or its end."""

    end: bool


class Cat(NamedTuple):
    """One after the other."""

    parts: Sequence["Tree"]


class Alt(NamedTuple):
    """One of several, the first that fits."""

    parts: Sequence["Tree"]


class Repeat(NamedTuple):
    """So many times; without limit where `most` is None."""

    of: "Tree"
    least: int
    most: int | None
    greedy: bool


class Group(NamedTuple):
    """A part whose text can be asked for, by number or name."""

    of: "Tree"
    number: int
    name: str


Tree = Chars | Edge | Cat | Alt | Repeat | Group
