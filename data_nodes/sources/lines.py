"""Bytes that come bit by bit as lines, none of them longer than it may be."""

from sisock.parsers.rows import Refused

_SHOWN = 2000  # bytes of a line that is too long


class Lines:
    """What has come since the last newline waits here."""

    def __init__(self, longest: int) -> None:
        """Take lines of so many bytes."""
        self._longest = longest
        self._begun = bytearray()
        self._skipping = False  # in a line that was refused

    def feed(self, piece: bytes) -> tuple[list[bytes], list[Refused]]:
        """The lines that are whole now, without their ends, and those that are too long, each once."""
        *whole, rest = piece.split(b"\n")
        lines, refused = list[bytes](), list[Refused]()
        for part in whole:
            self._add(part, refused)
            if not self._skipping:
                lines.append(bytes(self._begun).rstrip(b"\r"))
            self._begun.clear()
            self._skipping = False
        self._add(rest, refused)
        return lines, refused

    def _add(self, part: bytes, refused: list[Refused]) -> None:
        if self._skipping:
            return
        self._begun += part
        if len(self._begun) > self._longest:
            refused.append(too_long(bytes(self._begun), self._longest))
            self._begun.clear()
            self._skipping = True


def too_long(line: bytes, longest: int) -> Refused:
    """A line, as far as it is known, that is longer than it may be."""
    return Refused(f"a line is longer than {longest} bytes", line[:_SHOWN].decode("utf-8", "backslashreplace"))
