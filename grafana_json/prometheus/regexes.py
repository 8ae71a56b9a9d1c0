"""Regular expressions as RE2 writes them, read into a tree; what they match is found in automaton.py.

Python's own `re` backtracks, so that a hostile pattern keeps it busy for ever.
Syntax: https://github.com/google/re2/wiki/Syntax, without word boundaries and Unicode classes.
"""

from grafana_json.prometheus.tree import Alt, Cat, Chars, Edge, Group, Ranges, Repeat, Tree

_DEEPEST = 50  # groups within groups
_LONGEST = 10_000  # characters
_MOST_REPEATS = 1000  # as RE2 has it
_NAMED = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_DIGIT, _SPACE = (("0", "9"),), (("\t", "\n"), ("\f", "\r"), (" ", " "))
_WORD = (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z"))
_CLASSES = {"d": _DIGIT, "s": _SPACE, "w": _WORD}
_POSIX = {
    "alnum": (("0", "9"), ("A", "Z"), ("a", "z")),
    "alpha": (("A", "Z"), ("a", "z")),
    "digit": _DIGIT,
    "lower": (("a", "z"),),
    "upper": (("A", "Z"),),
    "space": (("\t", "\r"), (" ", " ")),
    "word": _WORD,
    "xdigit": (("0", "9"), ("A", "F"), ("a", "f")),
    "punct": (("!", "/"), (":", "@"), ("[", "`"), ("{", "~")),
}
_ANY = (("\0", "\U0010ffff"),)


class PatternError(ValueError):
    """The pattern cannot be read; says why."""


def read(pattern: str) -> tuple[Tree, dict[str, int]]:
    """The tree of a pattern, and the numbers of its groups by name and number; raises PatternError."""
    if len(pattern) > _LONGEST:
        raise PatternError(f"it is longer than {_LONGEST} characters")
    reader = _Reader(pattern)
    tree = reader.alternatives()
    if reader.at < len(pattern):
        raise PatternError("it has a ) without its (")
    return tree, reader.groups


class _Reader:
    """A pattern being read."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.groups = text, 0, {"0": 0}
        self._folded = False
        self._count = self._depth = 0

    # what comes next

    def _more(self, wanted: str = "") -> bool:
        """Whether there is more, and it begins so."""
        return self.at < len(self.text) and self.text.startswith(wanted, self.at)

    def _take(self, wanted: str) -> bool:
        """Go past this text, if it comes next."""
        there = self._more(wanted)
        self.at += len(wanted) if there else 0
        return there

    def _char(self) -> str:
        if not self._more():
            raise PatternError("it ends too early")
        self.at += 1
        return self.text[self.at - 1]

    def _until(self, end: str) -> str:
        found = self.text.find(end, self.at)
        if found < 0:
            raise PatternError(f"{end!r} is missing")
        part, self.at = self.text[self.at : found], found + len(end)
        return part

    # the parts of a pattern

    def alternatives(self) -> Tree:
        """Everything up to the end of the group."""
        folded = self._folded
        parts = [self._sequence()]
        while self._take("|"):
            parts.append(self._sequence())
        self._folded = folded
        return parts[0] if len(parts) == 1 else Alt(parts)

    def _sequence(self) -> Tree:
        parts: list[Tree] = []
        while self._more() and self.text[self.at] not in "|)":
            atom = self._atom()
            parts += [*atom[:-1], *map(self._repeated, atom[-1:])]
        return Cat(parts)

    def _repeated(self, part: Tree) -> Tree:
        while (bounds := self._bounds()) is not None:
            part = Repeat(part, *bounds, not self._take("?"))
        return part

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(sign):
                return bounds
        low, comma, high = (
            self.text[self.at + 1 : self.text.find("}", self.at)].partition(",") if self._more("{") else ("", "", "")
        )
        if not low.isdecimal() or not (high == "" or high.isdecimal()):
            return None
        self._until("}")
        least = int(low[:5])
        most = least if not comma else int(high[:5]) if high else None
        if max(least, most or 0) > _MOST_REPEATS or (most is not None and most < least):
            raise PatternError(f"{{{low}{comma}{high}}} is not a number of times up to {_MOST_REPEATS}")
        return least, most

    def _atom(self) -> list[Tree]:
        """The next part; none where only a flag is set."""
        char = self._char()
        if char == "(":
            return self._group()
        if char == "\\" and self._take("Q"):
            return [
                self._plain(each) for each in (self._until("\\E") if "\\E" in self.text[self.at :] else self._rest())
            ]
        if char in "^$":
            return [Edge(end=char == "$")]
        if char in "*+?":
            raise PatternError(f"{char} has nothing to repeat")
        return [
            self._class()
            if char == "["
            else Chars(_ANY)
            if char == "."
            else self._escaped()
            if char == "\\"
            else self._plain(char)
        ]

    def _rest(self) -> str:
        part, self.at = self.text[self.at :], len(self.text)
        return part

    def _plain(self, char: str) -> Tree:
        return Chars(((char, char),), folded=self._folded)

    def _group(self) -> list[Tree]:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise PatternError(f"it has more than {_DEEPEST} groups within groups")
        made = self._inside()
        self._depth -= 1
        return made

    def _inside(self) -> list[Tree]:
        name, before = "", self._folded
        if self._take("?P<") or self._take("?<"):
            name = self._until(">")
        elif self._take("?"):
            return self._flagged(before)
        self._count += 1
        number = self._count
        self.groups |= {str(number): number, **({name: number} if name else {})}
        return [Group(self._closed(before), number, name)]

    def _flagged(self, before: bool) -> list[Tree]:
        """A group that only sets flags, or one of which the text is not wanted."""
        on = True
        while (flag := self._char()) not in ":)":
            if flag == "-":
                on = False
            elif flag == "i":
                self._folded = on
            elif flag != "s" or not on:
                raise PatternError(f"the flag {flag!r:.10} is not known here")
        return [] if flag == ")" else [self._closed(before)]

    def _closed(self, before: bool) -> Tree:
        inside = self.alternatives()
        if not self._take(")"):
            raise PatternError("it has a ( without its )")
        self._folded = before
        return inside

    # characters

    def _escaped(self) -> Tree:
        char = self._char()
        if char in "Az":
            return Edge(end=char == "z")
        if char.lower() in _CLASSES:
            return Chars(_CLASSES[char.lower()], negated=char.isupper())
        return self._plain(self._code(char))

    def _code(self, char: str) -> str:
        """The character that is written with a backslash."""
        if char == "x":
            digits = self._until("}") if self._take("{") else self._char() + self._char()
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError):
                raise PatternError(f"\\x{digits:.20} is not a character") from None
        if char.isascii() and char.isalnum():
            if char in _NAMED:
                return _NAMED[char]
            raise PatternError(f"\\{char} is not known here")
        return char

    def _class(self) -> Tree:
        negated = self._take("^")
        ranges: list[tuple[str, str]] = []
        first = True
        while first or not self._take("]"):
            ranges += self._member()
            first = False
        return Chars(tuple(ranges), negated, self._folded)

    def _member(self) -> Ranges:
        if self._take("[:"):
            name = self._until(":]")
            if name.removeprefix("^") not in _POSIX:
                raise PatternError(f"[:{name:.20}:] is not known here")
            return _but(_POSIX[name[1:]]) if name.startswith("^") else _POSIX[name]
        if self._more("\\") and self.text[self.at + 1 : self.at + 2].lower() in {*_CLASSES}:
            kind = self.text[self.at + 1]
            self.at += 2
            return _but(_CLASSES[kind.lower()]) if kind.isupper() else _CLASSES[kind]
        low = self._single()
        if not self._more("-") or self._more("-]"):
            return ((low, low),)
        self.at += 1
        high = self._single()
        if high < low:
            raise PatternError(f"the range {low}-{high} is the wrong way round")
        return ((low, high),)

    def _single(self) -> str:
        char = self._char()
        return self._code(self._char()) if char == "\\" else char


def _but(ranges: Ranges) -> Ranges:
    """All characters but these, which are in order."""
    ends = [(chr(0), -1), *((high, ord(high)) for _, high in ranges)]
    starts = [*(ord(low) for low, _ in ranges), 0x110000]
    gaps = [(before + 1, start - 1) for (_, before), start in zip(ends, starts, strict=True)]
    return tuple((chr(low), chr(high)) for low, high in gaps if low <= high)
