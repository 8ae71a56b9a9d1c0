"""Messages in several blocks (RFC 7959), put together within limits."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

_MOST = 64  # messages that are put together at once; the one that is oldest gives way


class TooLarge(Exception):
    """A message is larger than allowed; says how large one may be."""


class Incomplete(Exception):
    """A block came whose predecessors did not."""


class Block(NamedTuple):
    """What a block says of itself: its number, whether more follow, and the size of each."""

    number: int
    more: bool
    size: int


class Blocks:
    """Messages that are not whole yet."""

    def __init__(self, most_bytes: int) -> None:
        """Put together messages of at most so many bytes."""
        self._most_bytes = most_bytes
        self._begun: OrderedDict[Hashable, bytes] = OrderedDict()

    def add(self, key: Hashable, block: Block | None, payload: bytes) -> bytes | None:
        """The whole message, or None while more of it is to come. Raises TooLarge or Incomplete.

        key: the same for all blocks of one message.
        """
        before = b"" if block is None or not block.number else self._begun.pop(key, None)
        if before is None or (block is not None and len(before) != block.number * block.size):
            raise Incomplete
        whole = before + payload
        if len(whole) > self._most_bytes:
            self._begun.pop(key, None)
            raise TooLarge(f"{self._most_bytes} bytes at the most")
        if block is None or not block.more:
            self._begun.pop(key, None)
            return whole
        if len(payload) != block.size:
            raise Incomplete
        self._begun[key] = whole
        if len(self._begun) > _MOST:
            self._begun.popitem(last=False)
        return None
