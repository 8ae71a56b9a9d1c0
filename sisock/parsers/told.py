"""What all readers of logs have in common: the rows they find, and what they tell of the rest."""

from typing import Any, Protocol

Found = tuple[int, dict[str, Any]]  # a time in ns, and values
NUL = "zeros stand in it, as after a power cut"
TORN = "it is torn: the next line begins within it"


class NoRow(Exception):
    """A line is no row; says why."""


class Lines(Protocol):
    """What reads the lines of one log."""

    refused: list[tuple[str, bytes]]  # why, and what
    others: int  # lines that carry no data

    def read(self, line: bytes) -> Found | None:
        """The row that a line is; where it is none, it is among those refused, or counted as another."""

    def time(self, line: bytes) -> int | None:
        """The time of a line, in ns; None where none can be read."""


class Told:
    """Keep what is refused, with the reason."""

    def __init__(self) -> None:
        self.refused: list[tuple[str, bytes]] = []
        self.others = 0

    def row(self, line: bytes) -> Found | None:
        """The row that a line is; None where it carries no data. Raises NoRow, or ValueError, where it is none."""
        raise NotImplementedError

    def time(self, line: bytes) -> int | None:
        """The time of the row that a line is; None where none can be read."""
        try:
            found = self.row(line)
        except (NoRow, ValueError):
            return None
        return None if found is None else found[0]

    def read(self, line: bytes) -> Found | None:
        """As `Lines.read`."""
        if b"\0" in line:
            self.refused.append((NUL, line))
            return None
        try:
            return self.row(line)
        except UnicodeDecodeError:
            self.refused.append(("its letters are not UTF-8", line))
        except (NoRow, ValueError) as error:
            self.refused.append((str(error), line))
        return None
