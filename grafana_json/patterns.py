"""What a variable of Grafana stands for: alternatives and escapes, read in linear time.

Grafana writes a variable of several values as `(a|b)` with every special character escaped, and "All"
often as `.*`. Only these are read; anything else stands for itself, so that no text can be a costly pattern.
"""

import itertools
import math
import re
from collections.abc import Iterable

Pieces = tuple[str, ...]  # the texts between wildcards: one piece where there is no wildcard

_ANYTHING: Pieces = ("", "")
_TOKEN = re.compile(
    r"\\(?P<escaped>.)|(?P<any>\.[*+])|\((?P<group>(?:[^()\\]|\\.)*)\)|(?P<plain>[^\\.(]+|.)", re.DOTALL
)
_BRANCH = re.compile(r"((?:[^|\\]|\\.)*)\|", re.DOTALL)
_LONGEST = 20_000  # characters


def is_pattern(text: str) -> bool:
    """Whether the text may stand for something else than itself."""
    return "\\" in text or ".*" in text or ".+" in text or ("(" in text and "|" in text)


def expand(pattern: str, most: int) -> list[Pieces]:
    """Every text that the pattern stands for, without doubles; raises ValueError where these are too many."""
    if len(pattern) > _LONGEST:
        raise ValueError(f"'{pattern:.40}…' is longer than {_LONGEST} characters: choose fewer values")
    factors = _factors(pattern)
    if math.prod(len(factor) for factor in factors) > most:
        raise ValueError(f"'{pattern:.80}' stands for more than {most} texts: choose fewer values")
    return list(dict.fromkeys(_join(choice) for choice in itertools.product(*factors)))


def matches(pieces: Pieces, text: str) -> bool:
    """Whether the text is the pieces with anything between them."""
    if len(pieces) == 1:
        return text == pieces[0]
    first, *middle, last = pieces
    at, stop = len(first), len(text) - len(last)
    if at > stop or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in middle:
        at = text.find(piece, at, stop)
        if at < 0:
            return False
        at += len(piece)
    return True


def _factors(pattern: str) -> list[list[Pieces]]:
    """The choices at each place of the pattern, in order; what lies between choices is one place."""
    factors: list[list[Pieces]] = []
    places = (_choices(kind, text) for kind, text in _tokens(pattern))
    for several, run in itertools.groupby(places, key=lambda choices: len(choices) > 1):
        there = list(run)
        factors += there if several else [[_join(choices[0] for choices in there)]]
    return factors


def _choices(kind: str, text: str) -> list[Pieces]:
    if kind != "group":
        return [_ANYTHING if kind == "any" else (text,)]
    branches = _branches(text)
    if len(branches) == 1:
        return [_pieces(f"\\({text}\\)")]  # no alternatives: brackets that belong to a name
    return [_pieces(branch) for branch in branches]


def _pieces(sequence: str) -> Pieces:
    """What a sequence without groups stands for."""
    return _join(_ANYTHING if kind == "any" else (text,) for kind, text in _tokens(sequence))


def _tokens(pattern: str) -> Iterable[tuple[str, str]]:
    for match in _TOKEN.finditer(pattern):
        yield str(match.lastgroup), match[str(match.lastgroup)]


def _branches(group: str) -> list[str]:
    """The texts between the unescaped bars of a group."""
    return [match[1] for match in _BRANCH.finditer(group + "|")]


def _join(parts: Iterable[Pieces]) -> Pieces:
    """One after the other: the last piece of one goes on as the first of the next."""
    done: list[str] = []
    open_piece: list[str] = []
    for first, *more in parts:
        open_piece.append(first)
        for piece in more:
            done.append("".join(open_piece))
            open_piece = [piece]
    return (*done, "".join(open_piece))
