"""What is going to be written into tiers as bytes: kept until it is, so that a sudden end leaves nothing half done."""

import json
import re
from collections.abc import Sequence

import numpy as np

from sisock.parsing import from_json
from sisock.store.tiers import Write

_NUMBER = re.compile(r"[<|][iuf][1248]")


class DamagedError(ValueError):
    """These bytes are no such writes."""


def packed(writes: Sequence[Write]) -> bytes:
    """These writes as bytes."""
    head = json.dumps([[w.exponent, w.fields, len(w.numbers), w.records.dtype.descr] for w in writes]).encode()
    parts = [len(head).to_bytes(4, "little"), head]
    for write in writes:
        parts += [write.numbers.astype("<i8").tobytes(), write.records.tobytes()]
    return b"".join(parts)


def unpacked(body: bytes) -> list[Write]:
    """The writes that `packed` made these bytes of. Raises DamagedError."""
    try:
        return _unpacked(body)
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedError(f"these are no writes into tiers: {error}") from error


def _known(kind: str) -> str:
    """The type of a number, as numpy writes it; it would take much else for one, and evaluates it."""
    if not _NUMBER.fullmatch(kind):
        raise ValueError(f"{kind!r:.80} is no type of a number")
    return kind


def _unpacked(body: bytes) -> list[Write]:
    at = 4 + int.from_bytes(body[:4], "little")
    writes = []
    for exponent, fields, bins, described in from_json(body[4:at]):
        record = np.dtype([(name, _known(kind)) for name, kind in described])
        numbers = np.frombuffer(body, "<i8", bins, at)
        records = np.frombuffer(body, record, len(fields) * bins, at + 8 * bins).reshape(len(fields), bins)
        writes.append(Write(exponent, fields, numbers, records))
        at += 8 * bins + records.nbytes
    return writes
