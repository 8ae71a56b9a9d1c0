"""Damaged and senseless inputs made of good ones: bytes, lines of text and objects, the same for the same seed."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

_WORDS = re.compile(rb"\w+|\s+|.", re.DOTALL)
_ODD = [
    b"", b"\0", b'"', b"'", b"\r", b"\n\n", b",", b";", b"=", b"[", b"]", b"{", b"}", b":", b"-", b"NaN", b"-inf", b"1e999",
    b"9" * 30, b"9" * 5000, b"1_0", b"null", b"true", b"0x10", b"9999-12-31T23:59:60Z", b"-0001-01-01", b"\xff\xfe", b"\xc3",
    "\N{LINE SEPARATOR}\ud800\N{ARABIC-INDIC DIGIT FIVE}".encode("utf-8", "surrogatepass"), b"[" * 3000, b'{"a":' * 3000,
    b"a." * 1000,
]  # fmt: skip
_NUMBERS = [0, 1, 2, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
_LEAVES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 1000, 2**31, 2**53, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 0.0, -0.0, 0.5, 1.5e9, 1e308,
    5e-324, float("nan"), float("inf"), -float("inf"), "", "a", "a::b", "*", "\0", "\ud800", "é" * 300, "health.state", "utf8",
    "<f8", "<i8", "|b1", "1", b"", b"\0", b"\xff" * 8, b"\0" * 16, b"\x80\0\0\0" * 4,
]  # fmt: skip


def damaged(rng: Random, corpus: Sequence[bytes]) -> bytes:
    """One of these bytes with one or a few things done to it, or bytes of nothing."""
    data = rng.choice(corpus)
    if rng.random() < 0.01:
        return rng.randbytes(rng.randrange(300))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        data = rng.choice(_DAMAGES)(rng, data, rng.choice(corpus))
    return data


def _at(rng: Random, data: bytes) -> int:
    """A place: anywhere, or near one of the ends, where formats say what they are."""
    near = min(len(data), 200)
    return rng.choice((rng.randint(0, len(data)), rng.randint(0, near), len(data) - rng.randint(0, near)))


def _some(rng: Random, data: bytes) -> slice:
    at = _at(rng, data)
    return slice(at, at + rng.choice((1, 2, 4, 8, 16, 64, 512, 4096)))


def _flip(rng: Random, data: bytes, _: bytes) -> bytes:
    made = bytearray(data)
    for at in [_at(rng, data) for _ in range(rng.choice((1, 1, 2, 10)))]:
        if at < len(made):
            made[at] ^= 1 << rng.randrange(8)
    return bytes(made)


def _extreme(rng: Random, data: bytes, _: bytes) -> bytes:
    where = _some(rng, data)
    return data[: where.start] + rng.choice((b"\0", b"\xff")) * len(data[where]) + data[where.stop :]


def _number(rng: Random, data: bytes, _: bytes) -> bytes:
    size, at = rng.choice((1, 2, 4, 8)), _at(rng, data)
    number = rng.choice(_NUMBERS) % 2 ** (8 * size)
    return data[:at] + number.to_bytes(size, rng.choice(("little", "big"))) + data[at + size :]


def _cut(rng: Random, data: bytes, _: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def _left_out(rng: Random, data: bytes, _: bytes) -> bytes:
    where = _some(rng, data)
    return data[: where.start] + data[where.stop :]


def _twice(rng: Random, data: bytes, _: bytes) -> bytes:
    where = _some(rng, data)
    return data[: where.stop] + data[where] + data[where.stop :]


def _inserted(rng: Random, data: bytes, _: bytes) -> bytes:
    at = _at(rng, data)
    return data[:at] + rng.choice((b"\0" * 8, b"\xff" * 8, rng.randbytes(rng.randint(1, 16)))) + data[at:]


def _spliced(rng: Random, data: bytes, other: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + other[rng.choice((at, rng.randint(0, len(other)))) :]


def _swapped(rng: Random, data: bytes, _: bytes) -> bytes:
    size = rng.choice((1, 4, 8, 64, 512))
    a, b = sorted((_at(rng, data), _at(rng, data)))
    if a + size > b:
        return data
    return data[:a] + data[b : b + size] + data[a + size : b] + data[a : a + size] + data[b + size :]


_DAMAGES: list[Callable[[Random, bytes, bytes], bytes]] = [
    _flip, _flip, _extreme, _number, _number, _cut, _left_out, _twice, _inserted, _spliced, _swapped,
]  # fmt: skip


def reworded(rng: Random, corpus: Sequence[bytes]) -> bytes:
    """One of these texts with words of it, or of others, in other places, and odd ones among them; or damaged."""
    if rng.random() < 0.25:
        return damaged(rng, corpus)
    words, others = _WORDS.findall(rng.choice(corpus)), _WORDS.findall(rng.choice(corpus))
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randint(0, len(words))
        new = rng.choice((*_ODD, rng.choice(others or [b""]), rng.choice(words or [b""])))
        match rng.randrange(4):
            case 0:
                words[at : at + 1] = [new]
            case 1:
                words.insert(at, new)
            case 2:
                del words[at : at + rng.choice((1, 1, 2, 20))]
            case 3:
                words[at:at] = words[at : at + rng.choice((1, 5, 50))]
    return b"".join(words)


def remade(rng: Random, corpus: Sequence[Any]) -> Any:
    """One of these objects with some values, keys and lengths in it changed."""
    made = _copy(rng.choice(corpus))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        made = _changed(rng, made, corpus)
    return made


def anything(rng: Random, depth: int = 0) -> Any:
    """A value of any shape."""
    kind = rng.random()
    if depth > 3 or kind < 0.6:
        return rng.choice(_LEAVES)
    if kind < 0.8:
        return [anything(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {
        rng.choice(("a", "v", "t", "count", "", str(rng.random()))): anything(rng, depth + 1)
        for _ in range(rng.randrange(4))
    }


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(each) for key, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list | tuple) else value


def _changed(rng: Random, value: Any, corpus: Sequence[Any]) -> Any:
    """The value with one thing in it changed; the deeper it lies, the sooner it is hit."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        match rng.randrange(8):
            case 0:
                del value[key]
            case 1:
                value[rng.choice(("", "a", "v", "time", str(rng.random()), f"{key}+"))] = value.pop(key)
            case 2:
                value[rng.choice(list(value))] = _copy(value[key])
            case _:
                value[key] = _changed(rng, value[key], corpus)
        return value
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        match rng.randrange(8):
            case 0:
                del value[at]
            case 1:
                value.insert(at, _copy(rng.choice(value)))
            case _:
                value[at] = _changed(rng, value[at], corpus)
        return value
    if isinstance(value, bytes) and rng.random() < 0.7:
        return damaged(rng, [value])
    if isinstance(value, int) and not isinstance(value, bool) and rng.random() < 0.5:
        return rng.choice((value + 1, value - 1, -value, value * 2**32, float(value), str(value)))
    return anything(rng) if rng.random() < 0.8 else _copy(rng.choice(corpus))


def rejson(rng: Random, corpus: Sequence[bytes]) -> bytes:
    """One of these JSON texts with other values in it, or reworded."""
    if rng.random() < 0.5:
        return reworded(rng, corpus)
    made = remade(rng, [json.loads(each) for each in corpus])
    return json.dumps(made, default=lambda each: each.decode("latin-1")).encode()


Files = Mapping[str, bytes]  # by their paths below a folder


def one_damaged(rng: Random, corpus: Sequence[Files]) -> Files:
    """The files of a folder with one of them damaged."""
    files = rng.choice(corpus)
    name = rng.choice(list(files))
    others = [each[name] for each in corpus if name in each]
    return {**files, name: damaged(rng, [files[name], *others])}
