"""Lines that wait to be sent: up to a number and a size, the newest of them."""

import threading
from collections import deque
from collections.abc import Iterable

MOST_LINES = 20_000
MOST_BYTES = 8 * 2**20


class Waiting:
    """A queue between who measures and who sends; where there is no room the oldest lines go, and are counted."""

    def __init__(self, most_lines: int = MOST_LINES, most_bytes: int = MOST_BYTES) -> None:
        """Hold at most so many lines and bytes."""
        self._lines: deque[bytes] = deque()
        self._bytes, self._most_lines, self._most_bytes = 0, most_lines, most_bytes
        self._news = threading.Condition()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._lines)

    def put(self, lines: Iterable[str]) -> None:
        """Add the lines, the newest last."""
        with self._news:
            for line in lines:
                coded = line.encode() + b"\n"
                self._lines.append(coded)
                self._bytes += len(coded)
            self._make_room()
            self._news.notify_all()

    def put_back(self, lines: Iterable[bytes]) -> None:
        """Add lines that were taken and could not be sent: they are the oldest."""
        with self._news:
            for line in reversed(list(lines)):
                self._lines.appendleft(line)
                self._bytes += len(line)
            self._make_room()

    def take(self, most_lines: int, most_bytes: int) -> list[bytes]:
        """The oldest lines, at least one of those that wait."""
        taken, size = list[bytes](), 0
        with self._news:
            while self._lines and len(taken) < most_lines and (not taken or size + len(self._lines[0]) <= most_bytes):
                taken.append(self._lines.popleft())
                size += len(taken[-1])
            self._bytes -= size
        return taken

    def wait(self, seconds: float) -> bool:
        """Wait until there is a line, or for so long; whether there is one."""
        with self._news:
            return self._news.wait_for(lambda: bool(self._lines), seconds)

    def _make_room(self) -> None:
        while len(self._lines) > self._most_lines or self._bytes > self._most_bytes:
            self._bytes -= len(self._lines.popleft())
            self.dropped += 1
