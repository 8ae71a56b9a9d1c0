"""What a regular expression matches, in time that is linear in the text whatever the pattern is.

Thompson's automaton with its states met so far kept as a deterministic one; groups are found as Pike's machine does.
Source: Russ Cox, "Regular Expression Matching Can Be Simple And Fast" (2007) and "The Virtual Machine Approach" (2009).
"""

from collections.abc import Iterable
from typing import NamedTuple

from grafana_json.prometheus.regexes import PatternError, read
from grafana_json.prometheus.tree import Alt, Cat, Chars, Edge, Group, Repeat, Tree

_MOST_CODE = 5_000  # instructions of a pattern
_MOST_KEPT = 20_000  # transitions that are kept
_MOST_STATES = 2_000  # of the deterministic automaton, that are kept between texts


class Mark(NamedTuple):
    """Remember where in the text one is."""

    slot: int


class Split(NamedTuple):
    """Go on at any of these instructions, rather at the first."""

    to: tuple[int, ...]


Code = Chars | Edge | Mark | Split | None  # None: the pattern is at its end


class Automaton:
    """A pattern that has to match a whole text, as in Prometheus. Raises PatternError. For one thread."""

    def __init__(self, pattern: str) -> None:
        """Read the pattern."""
        tree, self.groups = read(pattern)
        self._code: list[Code] = []
        self._write(tree)
        self._emit(None)
        self.work = 0  # characters looked at, times the states they were looked at in
        self._forget()

    def _forget(self) -> None:
        """Know none of the deterministic automaton but its beginning."""
        self._numbers: dict[frozenset[int], int] = {}
        self._states: list[frozenset[int]] = []
        self._steps: dict[tuple[int, str], int] = {}
        self._begin = self._number(self._closed([0], begin=True))

    # matching

    def matches(self, text: str) -> bool:
        """Whether the pattern is the whole text."""
        if len(self._states) > _MOST_STATES:
            self._forget()
        self.work += len(text) + 1
        state = self._begin
        for char in text:
            found = self._steps.get((state, char))
            state = self._step(state, char) if found is None else found
            if not self._states[state]:
                return False
        return any(self._code[at] is None for at in self._closed(self._states[state], begin=not text, end=True))

    def _step(self, state: int, char: str) -> int:
        self.work += len(self._states[state])
        on = [at + 1 for at in self._states[state] if isinstance(code := self._code[at], Chars) and code.has(char)]
        number = self._number(self._closed(on))
        if len(self._steps) < _MOST_KEPT:
            self._steps[state, char] = number
        return number

    def _number(self, state: frozenset[int]) -> int:
        if state not in self._numbers:
            self._numbers[state] = len(self._states)
            self._states.append(state)
        return self._numbers[state]

    def _closed(self, starts: Iterable[int], *, begin: bool = False, end: bool = False) -> frozenset[int]:
        """All instructions that can be reached from these without a character."""
        open_, reached = list(starts), set[int]()
        while open_:
            at = open_.pop()
            if at not in reached:
                reached.add(at)
                open_ += self._ahead(at, begin=begin, end=end)
        return frozenset(at for at in reached if not isinstance(self._code[at], (Split, Mark)))

    def _ahead(self, at: int, *, begin: bool, end: bool) -> tuple[int, ...]:
        """Where to go on without a character, what is preferred first."""
        code = self._code[at]
        if isinstance(code, Split):
            return code.to
        if isinstance(code, Edge):
            return (at + 1,) if (end if code.end else begin) else ()
        return (at + 1,) if isinstance(code, Mark) else ()

    def find(self, text: str) -> dict[str, str] | None:
        """The texts of the groups, by number and name, where the pattern is the whole text; otherwise None."""
        size = 2 * (max(self.groups.values()) + 1)
        threads = self._followed([(0, (None,) * size)], 0, len(text))
        for place, char in enumerate(text):
            self.work += len(threads)
            going = [
                (at + 1, slots) for at, slots in threads if isinstance(code := self._code[at], Chars) and code.has(char)
            ]
            threads = self._followed(going, place + 1, len(text))
        slots = next((slots for at, slots in threads if self._code[at] is None), None)
        if slots is None:
            return None
        spans = {name: slots[2 * number : 2 * number + 2] for name, number in self.groups.items() if number}
        found = {name: "" if None in span else text[span[0] : span[1]] for name, span in spans.items()}
        return {"0": text, **found}

    def _followed(
        self, starts: list[tuple[int, tuple[int | None, ...]]], place: int, length: int
    ) -> list[tuple[int, tuple[int | None, ...]]]:
        """All instructions that can be reached without a character, preferred ones first, and where groups were then."""
        done, reached, open_ = list[tuple[int, tuple[int | None, ...]]](), set[int](), starts[::-1]
        while open_:
            at, slots = open_.pop()
            if at in reached:
                continue
            reached.add(at)
            code = self._code[at]
            if isinstance(code, Mark):
                slots = (*slots[: code.slot], place, *slots[code.slot + 1 :])
            ahead = self._ahead(at, begin=place == 0, end=place == length)
            open_ += [(to, slots) for to in reversed(ahead)]
            if not isinstance(code, (Split, Mark)):
                done.append((at, slots))
        return done

    # writing

    def _emit(self, code: Code) -> int:
        if len(self._code) >= _MOST_CODE:
            raise PatternError("it is too large once its repetitions are written out")
        self._code.append(code)
        return len(self._code) - 1

    def _write(self, tree: Tree) -> None:
        match tree:
            case Chars() | Edge():
                self._emit(tree)
            case Cat(parts):
                for part in parts:
                    self._write(part)
            case Alt(parts):
                self._write_one_of(parts)
            case Group(of, number, _):
                self._emit(Mark(2 * number))
                self._write(of)
                self._emit(Mark(2 * number + 1))
            case Repeat(of, least, most, greedy):
                self._write_repeat(of, least, most, greedy=greedy)

    def _write_one_of(self, parts: Iterable[Tree]) -> None:
        split, starts, ends = self._emit(None), [], []
        for part in parts:
            starts.append(len(self._code))
            self._write(part)
            ends.append(self._emit(None))
        self._code[split] = Split(tuple(starts))
        for end in ends:
            self._code[end] = Split((len(self._code),))

    def _write_repeat(self, of: Tree, least: int, most: int | None, *, greedy: bool) -> None:
        for _ in range(least):
            self._write(of)
        splits = []
        for _ in range(1 if most is None else most - least):
            splits.append(self._emit(None))
            self._write(of)
        if most is None:
            self._emit(Split((splits[0],)))
        for split in splits:
            self._code[split] = _either(split + 1, len(self._code), greedy=greedy)


def _either(inside: int, beyond: int, *, greedy: bool) -> Split:
    return Split((inside, beyond) if greedy else (beyond, inside))
