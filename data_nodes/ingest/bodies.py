"""The body of a request, unpacked within its limit."""

import zlib
from typing import BinaryIO

_PIECE = 65_536  # bytes
_MOST_MEMBERS = 1000  # of a body that gzip packed in several


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
    parts, room, members = list[bytes](), most, 1
    unpacking = zlib.decompressobj(wbits=31)
    for begin in range(0, len(packed), _PIECE):  # what is left is copied for each member
        left = packed[begin : begin + _PIECE]
        while left:
            if unpacking.eof:
                if not (left := left.lstrip(b"\0")):
                    break
                unpacking, members = zlib.decompressobj(wbits=31), members + 1
            if members > _MOST_MEMBERS:
                raise Refusal(413, f"gzip has packed the body in more than {_MOST_MEMBERS} parts: pack it in one")
            part = _unpack(unpacking, left, min(_PIECE, room + 1))
            room -= len(part)
            if room < 0:
                raise Refusal(413, too_large(most))
            parts.append(part)
            left = unpacking.unused_data if unpacking.eof else unpacking.unconsumed_tail
    if packed and not unpacking.eof:
        raise Refusal(400, "the body is cut: gzip has not come to its end")
    return b"".join(parts)


def _unpack(unpacking: "zlib._Decompress", packed: bytes, most: int) -> bytes:
    try:
        return unpacking.decompress(packed, most)
    except zlib.error as error:
        raise Refusal(400, f"the body is not what gzip makes: {error}") from error
