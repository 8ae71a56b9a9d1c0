"""What can be wrong with a file: as a whole, and in some of its rows and cells."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_MOST_TOLD = 20


class UnreadableError(ValueError):
    """A file, or a part of it, cannot be read; says why, and the cure where there is one."""


@contextmanager
def unreadable(what: str, *foreign: type[Exception]) -> Iterator[None]:
    """Raise UnreadableError with this and the reason where a library raises one of these for what stands in a file."""
    try:
        yield
    except UnreadableError:
        raise
    except foreign as error:
        raise UnreadableError(f"{what}: {error}") from error


class NoTimeError(UnreadableError):
    """None of the columns is the time."""

    def __init__(self, why: str, have: str) -> None:
        """Why, and which columns there are."""
        super().__init__(f"{why}: say with time = which of its columns it is ({have})")
        self.have = have


class WiderError(Exception):
    """A column that began with whole numbers goes on with others: it has to be read anew as these."""

    def __init__(self, column: str) -> None:
        """Name the column."""
        super().__init__(column)
        self.column = column


@dataclass
class Troubles:
    """What could not be read: how much, and the first of it, each with its line, as sentences."""

    rows: int = 0  # left out
    cells: int = 0  # taken as missing
    letters: int = 0  # lines with some that are none in the file's encoding
    joined: int = 0  # lines that are part of a text in quotes that began before them
    told: list[tuple[int, str]] = field(default_factory=list)

    def row(self, line: int, why: str, lines: int = 1) -> None:
        """A row of so many lines is left out."""
        self.rows += lines
        self.tell(line, f"{why}; the row is left out")

    def cell(self, line: int, why: str) -> None:
        """A cell has no value that can be read."""
        self.cells += 1
        self.tell(line, f"{why}; it counts as missing")

    def letter(self, line: int, why: str) -> None:
        """A line has letters that cannot be read."""
        self.letters += 1
        self.tell(line, why)

    def tell(self, line: int, sentence: str) -> None:
        """Something is to be known of a line."""
        if len(self.told) < _MOST_TOLD:
            self.told.append((line, sentence))

    def add(self, others: "Troubles", lines: int) -> None:
        """Take up others, whose lines come after so many."""
        self.rows += others.rows
        self.cells += others.cells
        self.letters += others.letters
        self.joined += others.joined
        for line, sentence in others.told:
            self.tell(lines + line, sentence)
