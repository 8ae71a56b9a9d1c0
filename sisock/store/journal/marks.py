"""At which positions the samples of a joined row were written: a cursor may lie between them."""

from typing import NamedTuple, Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from sisock.packing import DamagedError


class Marks(NamedTuple):
    """The rows that were joined: the position after each, ascending, and its number of samples. Shape (rows,) each."""

    after: NDArray[np.int64]
    samples: NDArray[np.int64]

    @classmethod
    def of(cls, written: bytes | None, position: int, samples: int) -> Self:
        """As written beside a row; a row that was never joined has none, and is its own."""
        if written is None:
            return cls(np.array([position]), np.array([samples]))
        if len(written) % 16 != 4 or len(written) == 4 or crc32(written[4:]).to_bytes(4, "little") != written[:4]:
            raise DamagedError("the marks of a row are not as they were written: their checksum is another")
        after, counts = np.frombuffer(written, "<i8", offset=4).reshape(2, -1)
        rising = after[0] >= 0 and (after[1:] > after[:-1]).all() and after[-1] == position
        if not rising or counts.min() < 1 or counts.max() > samples or counts.sum() != samples:
            raise DamagedError("the marks of a row are of other samples than it has")
        return cls(after, counts)

    def written(self) -> bytes:
        """As bytes with their checksum."""
        pairs = np.stack([self.after, self.samples]).astype("<i8").tobytes()
        return crc32(pairs).to_bytes(4, "little") + pairs

    @property
    def begin(self) -> int:
        """The position of the first sample."""
        return int(self.after[0] - self.samples[0])

    def below(self, position: int) -> int:
        """How many of the samples lie below a position."""
        return int(np.clip(position - (self.after - self.samples), 0, self.samples).sum())
