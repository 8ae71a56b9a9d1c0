"""Draw lines with the dots of braille characters, or with stars where there is no braille."""

from typing import NamedTuple

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # Unicode 2800: bit by row and column of the dot


class Kind(NamedTuple):
    """What a character can show: so many dots across and down."""

    across: int
    down: int


BRAILLE, STARS = Kind(2, 4), Kind(1, 1)


class Canvas:
    """So many characters, each of several dots; dot (0, 0) is at the bottom left."""

    def __init__(self, columns: int, rows: int, kind: Kind = BRAILLE) -> None:
        """Begin empty."""
        self.width, self.height = columns * kind.across, rows * kind.down
        self._kind = kind
        self._cells = [[0] * columns for _ in range(rows)]

    def dot(self, x: int, y: int) -> None:
        """Set a dot; outside there is none."""
        if 0 <= x < self.width and 0 <= y < self.height:
            down = self.height - 1 - y
            row, column = down // self._kind.down, x // self._kind.across
            self._cells[row][column] |= _DOTS[down % self._kind.down][x % self._kind.across]

    def line(self, x0: int, y0: int, x1: int, y1: int) -> None:
        """Set the dots between two dots, both included."""
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for step in range(steps + 1):
            self.dot(x0 + round((x1 - x0) * step / steps), y0 + round((y1 - y0) * step / steps))

    def rows(self) -> list[str]:
        """The characters, from top to bottom."""
        if self._kind is BRAILLE:
            return ["".join(chr(0x2800 + cell) for cell in row) for row in self._cells]
        return ["".join("*" if cell else " " for cell in row) for row in self._cells]
