"""Lines that begin with a time, as most loggers write them; what is torn is told apart from what carries no data."""

import ast
import contextlib
import re
from typing import Any

from sisock import timestamps
from sisock.parsers import keys, numbers
from sisock.parsers.json_text import as_flat
from sisock.parsers.moments import EARLIEST, LATEST, zone_of
from sisock.parsers.told import TORN, Found, NoRow, Told
from sisock.parsing import from_json

HEAD = re.compile(rb"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?(?!\d|-\d\d-\d\d[T ])")
DATA = b"data: "
_LEVEL = re.compile(
    r"\]?(?:\s*(?:[:|,]|-(?=\s)|\[?(?:DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|NOTICE)\]?(?=[\s:|,-]|$)))*\s*"
)
_MOST_KNOWN = 4096  # seconds whose times are remembered
_LONGEST_LITERAL = 8192


class Headed(Told):
    """Lines that begin with a time, as `2026-01-01 00:00:00,123 - [INFO] - data: …`."""

    def __init__(self, zone: str, *, only_data: bool) -> None:
        """Times that name no zone are of this one; with `only_data` nothing counts but what stands behind `data: `."""
        super().__init__()
        self._zone, self._only_data = zone_of(zone), only_data
        self._known: dict[tuple[bytes, bytes | None], int] = {}
        self._pairs = keys.parser()

    def time(self, line: bytes) -> int | None:
        head = HEAD.search(line)
        try:
            return None if head is None else self._t(head)
        except NoRow:
            return None

    def row(self, line: bytes) -> Found | None:
        heads = list(HEAD.finditer(line))
        if not heads:
            if not line.strip():
                return None
            raise NoRow("there is no time in it")
        if line[: heads[0].start()].strip(b" \t["):
            self.refused.append(("there is no time in it", line[: heads[0].start()]))
        return self._first_whole(line, heads)

    def _first_whole(self, line: bytes, heads: list["re.Match[bytes]"]) -> Found | None:
        """The row that begins at the first of the times from which on it is whole: what was torn stands before it."""
        for at, head in enumerate(heads):
            if at + 1 == len(heads):
                return self._only(line[head.start() :], self._t(head), self._rows(line[head.end() :]))
            following = heads[at + 1]
            if not _is_next_line(line[head.end() : following.start()], line[following.end() :]):
                with contextlib.suppress(UnicodeDecodeError, ValueError):
                    rows = self._rows(line[head.end() :])
                    if len(rows) == 1:
                        return self._t(head), rows[0]
            self.refused.append((TORN, line[head.start() : following.start()]))
        return None

    def _only(self, line: bytes, t: int, rows: list[dict[str, Any]]) -> Found | None:
        if len(rows) == 1:
            return t, rows[0]
        if rows:
            raise NoRow("a name stands twice in it")
        if self._only_data and DATA in line:
            raise NoRow("there are no values in its data")
        line.decode()
        self.others += 1
        return None

    def _rows(self, rest: bytes) -> list[dict[str, Any]]:
        """The values behind a time; none where there are none, more than one row where a name comes again."""
        at = rest.find(DATA)
        if at < 0 and self._only_data:
            return []
        text = rest[at + len(DATA) :].decode().strip() if at >= 0 else _LEVEL.sub("", rest.decode(), count=1).strip()
        if text.startswith("{"):
            found = _object(text)
            return [] if found is None else [found]
        rows = [row.values for row in self._pairs(text).rows]
        return rows or [row.values for row in numbers.parse(text).rows]

    def _t(self, head: "re.Match[bytes]") -> int:
        key = head[1], head[3]
        second = self._known.get(key)
        if second is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            second = self._known[key] = self._second((head[1] + (head[3] or b"")).decode())
        return second + int(head[2].ljust(9, b"0")) if head[2] else second

    def _second(self, text: str) -> int:
        t = timestamps.of_text(text, self._zone)
        if t is None:
            raise NoRow("its time cannot be read")
        if not EARLIEST <= t < LATEST:
            raise NoRow("its time is none that a clock can mean: it has to be from 1900 to 2199")
        return t


def _is_next_line(between: bytes, behind: bytes) -> bool:
    """Whether a time within a line begins the next one: by what stands behind it, or as nothing parts it from before."""
    if behind.startswith(b" - [") or DATA in behind:
        return True
    if between[-1:].isalnum() or between[-1:] in (b".", b","):
        return True
    return not _LEVEL.sub("", between.decode("latin-1"), count=1).strip()


def _object(text: str) -> dict[str, Any] | None:
    """An object of JSON, or as Python writes a dict; None where it is neither."""
    try:
        found = from_json(text)
    except ValueError:
        found = _literal(text)
    return as_flat(found) if isinstance(found, dict) and found else None


def _literal(text: str) -> dict[str, Any] | None:
    """A dict of texts as Python writes it; None where it is none."""
    try:
        found = ast.literal_eval(text) if len(text) <= _LONGEST_LITERAL else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return found if isinstance(found, dict) and all(isinstance(name, str) for name in found) else None
