"""The body of a request, unpacked within its limit."""

import zlib
from typing import BinaryIO

_PIECE = 65_536  # bytes


class Refusal(ValueError):
    """Why a request is not taken; with its status."""

    def __init__(self, status: int, why: str) -> None:
        """Answer with this status."""
        super().__init__(why)
        self.status = status


def read(stream: BinaryIO, coding: str, most: int) -> bytes:
    """All of a body of at most so many bytes, as sent and as unpacked. Raises Refusal."""
    if coding not in ("", "identity", "gzip", "x-gzip"):
        raise Refusal(415, f"a body packed as {coding!r:.40} cannot be read: send it as it is, or packed by gzip")
    body = stream.read(most + 1)
    if len(body) > most:
        raise Refusal(413, too_large(most))
    return unpacked(body, most) if "gzip" in coding else body


def too_large(most: int) -> str:
    """The sentence on a body that is too large."""
    return f"a body may have {most} bytes, unpacked: send it in several, or set largest"


def unpacked(packed: bytes, most: int) -> bytes:
    """What gzip packed, of at most so many bytes; a bomb is given up when it has grown to these. Raises Refusal."""
    parts, room = list[bytes](), most
    left = packed
    while left:
        unpacking = zlib.decompressobj(wbits=31)
        while left and not unpacking.eof:
            try:
                part = unpacking.decompress(left, min(_PIECE, room + 1))
            except zlib.error as error:
                raise Refusal(400, f"the body is not what gzip makes: {error}") from error
            room -= len(part)
            if room < 0:
                raise Refusal(413, too_large(most))
            parts.append(part)
            left = unpacking.unconsumed_tail
        if not unpacking.eof:
            raise Refusal(400, "the body is cut: gzip has not come to its end")
        left = unpacking.unused_data.lstrip(b"\0")
    return b"".join(parts)
