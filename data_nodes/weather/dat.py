"""The two-column text format: three `#` lines (description, timeline, units), then UNIX time and value."""

import io
import itertools
import re

import numpy as np
from numpy.typing import NDArray

from sisock.formats.instants import of_floats
from sisock.frames import Column, Field, Frame
from sisock.times import NS

_HEADER_LINES = 3
_DATA = re.compile(r"^[^#\n]*[^#\s]", re.MULTILINE)  # a line with more than a comment


class Dat:
    """A file of the two-column format, known by its beginning; its one field has the title ""."""

    begins = 0  # headers and comments are skipped wherever they stand

    def __init__(self, start: bytes) -> None:
        """Read the header; raise ValueError while it is not complete."""
        lines = [line.decode("utf-8", "replace") for line in start.split(b"\n", _HEADER_LINES)[:_HEADER_LINES]]
        header = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
        if not _DATA.search(start.decode("latin-1")) and len(header) < _HEADER_LINES:
            raise ValueError("the header is not complete (yet)")
        description, timeline, units = [*(line[1:].strip() for line in header), "", "", ""][:_HEADER_LINES]
        self.fields = {"": Field(description or None, timeline, "number", units or None)}

    def parse(self, lines: bytes) -> tuple[Frame, int]:
        """The samples of whole lines in the order of the file, and how many lines could not be read."""
        rows, unreadable = _rows(lines)
        t, readable = of_floats(rows[:, 0], NS)
        return Frame("", t[readable], {"": Column(rows[readable, 1])}), unreadable + int((~readable).sum())


def _rows(lines: bytes) -> tuple[NDArray[np.float64], int]:
    """Rows of two numbers, shape (n, 2): all lines at once, or where one of them is odd each by itself."""
    text = lines.decode("latin-1")  # never fails; beyond ASCII there are no numbers
    if not _DATA.search(text):
        return np.empty((0, 2)), 0
    try:
        found = np.loadtxt(io.StringIO(text), ndmin=2)
    except ValueError:
        return _one_by_one(text)
    return (found, 0) if found.shape[1] == 2 else _one_by_one(text)


def _one_by_one(text: str) -> tuple[NDArray[np.float64], int]:
    rows, unreadable = [], 0
    for line in text.split("\n"):
        cells = line.partition("#")[0].split()
        if not cells:
            continue
        try:
            t, value = [float(cell) for cell in cells if "_" not in cell]  # Python would read 1_000
        except ValueError:
            unreadable += 1
        else:
            rows.append((t, value))
    return np.array(rows, np.float64).reshape(-1, 2), unreadable
