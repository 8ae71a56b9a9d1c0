"""Lines of cells: the first names the columns unless that is said."""

import csv
import re
from collections.abc import Container, Sequence
from itertools import islice

from sisock.parsers.rows import MOST_VALUES, Parse, Parsed, Refused, Row, value_in

NOTHING = {"", "NA", "N/A", "NULL", "NONE", "-"}  # cells without a value, in capitals
_DELIMITERS = ",;\t"
_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?")  # a number as it is written in half of the world


def delimiter_of(line: str) -> str:
    """What parts the cells of a line; empty where that is blanks."""
    parts = [cell.strip() for cell in line.split(";")]
    if len(parts) > 1 and all(_COMMA.fullmatch(cell) for cell in parts if "," in cell):
        return ";"
    found = max(_DELIMITERS, key=line.count)
    return found if found in line else ""


def cells_of(line: str, delimiter: str) -> list[str]:
    """The cells of one line. Raises csv.Error."""
    if not delimiter:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]


def titles_of(line: str, delimiter: str = "") -> list[str]:
    """The names of the columns; raises ValueError with the cure where these are none."""
    try:
        titles = cells_of(line, delimiter or delimiter_of(line))
    except csv.Error as error:
        raise ValueError(f"the line of names cannot be read: {error}") from error
    if not titles or len(titles) > MOST_VALUES or len(set(titles)) < len(titles):
        raise ValueError('the first line does not name each column once: give columns = ["…", …]')
    return titles


def parser(columns: Sequence[str] = (), delimiter: str = "", texts: Container[str] = ()) -> Parse:
    """Make one.

    Without `columns` the first line of each text names them, without `delimiter` each line tells it. Values of the
    names in `texts` stay as they are.
    """

    def parse(text: str) -> Parsed:
        parsed = Parsed([], [])
        lines = iter([line for line in text.splitlines() if line.strip()])
        titles = list(columns)
        for line in islice(lines, 0 if columns else 1):
            try:
                titles = titles_of(line, delimiter)
            except ValueError as error:
                return Parsed([], [Refused(str(error), text)])
        for line in lines:
            _add(line, titles, delimiter or delimiter_of(line), texts, parsed)
        return parsed

    return parse


def _add(line: str, titles: Sequence[str], delimiter: str, texts: Container[str], parsed: Parsed) -> None:
    try:
        cells = cells_of(line, delimiter)
    except csv.Error as error:
        parsed.refused.append(Refused(f"it is no line of cells: {error}", line))
        return
    if len(cells) != len(titles):
        parsed.refused.append(Refused(f"it has not as many cells as there are columns, {len(titles)}", line))
    elif cells != list(titles):  # these are the names once more, as after a rotation
        values = {
            title: None if cell.upper() in NOTHING else cell if title in texts else value_in(_plain(cell, delimiter))
            for title, cell in zip(titles, cells, strict=True)
            if title
        }
        parsed.rows.append(Row(values, line))


def _plain(cell: str, delimiter: str) -> str:
    """The cell, with a point where a decimal comma stands: between semicolons it is one."""
    return cell.replace(",", ".") if delimiter == ";" and _COMMA.fullmatch(cell) else cell
