"""Columns <-> little-endian buffers: the coding that wire format and packed frames have in common."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sisock.frames import TEXT

DTYPES = {"<f8": np.dtype("<f8"), "<i8": np.dtype("<i8"), "|b1": np.dtype("|b1")}


def text_buffers(values: NDArray[Any]) -> tuple[bytes, NDArray[np.uint32]]:
    """Texts end to end in UTF-8, and the n+1 positions between them, `<u4`."""
    texts: list[str] = values.tolist()
    joined = "".join(texts)
    data = joined.encode()
    plain = len(data) == len(joined)
    lengths = [len(text) if plain else len(text.encode()) for text in texts]  # np.strings.str_len omits NULs at the end
    offsets = np.zeros(len(texts) + 1, "<u4")
    np.cumsum(lengths, out=offsets[1:], dtype="<u4")
    return data, offsets


def texts_in(data: bytes, offsets: NDArray[Any]) -> NDArray[Any]:
    """The texts between these positions, dtype StringDType; raises ValueError where they do not ascend from 0 to the end."""
    if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(data) or (offsets[1:] < offsets[:-1]).any():
        raise ValueError("the offsets of a text column do not ascend from 0 to its length")
    at = offsets.tolist()
    if data.isascii():
        text = data.decode("ascii")
        return np.array([text[a:b] for a, b in pairwise(at)], TEXT)
    return np.array([data[a:b].decode("utf-8", "replace") for a, b in pairwise(at)], TEXT)
