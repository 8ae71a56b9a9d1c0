"""Decoders of what others send: messages as bytes, typed answers, frames, fields, batches, questions and cursors."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_nodes.lsof import parser as lsof
from data_nodes.sensors import parser as sensors
from data_nodes.weather.dat import Dat
from sisock import batch, wire
from sisock.batch import Batch
from sisock.fleet.rules import read_policy
from sisock.frames import TEXT, Answer, Column, Field, Frame, Part, Timeline
from sisock.nodes.query import parse_cursor, parse_query, parse_sample
from tests.hostile_reading import Reader
from tests.mutants import remade, reworded

_FIELDS = {"a": Field("a", "t"), "s": Field(None, "t", "string")}


def a_frame() -> Frame:
    texts = np.array(["up", "é", ""], TEXT)
    columns = {"a": Column(np.arange(3.0), np.array([True, False, False])), "s": Column(texts)}
    return Frame("t", np.arange(3) * 10**9, columns, "e", 3)


def an_answer() -> Answer:
    return Answer((Part(a_frame(), "t", 5, 3, ((1, 2),)),), "m4", 4, ("a notice",), 2)


def _decoded(decode: Callable[[Any], Any], *good: Any, errors: type[Exception] = wire.WireError) -> Reader:
    """A decoder of objects that came over the wire."""
    return Reader(lambda coded, _: decode(coded), lambda _: list(good), (errors,), remade)


def a_batch() -> Batch:
    return Batch("e", (a_frame(),), ("t",), 9, 0, 0, more=False)


def _question(parse: Callable[..., Any], *good: dict[str, Any], needed: Sequence[str] = ()) -> Reader:
    def read(given: Any, _: Path) -> None:
        known = {key: value for key, value in given.items() if key in good[0]} if isinstance(given, dict) else {}
        parse(**{**dict.fromkeys(needed), **known})

    return Reader(read, lambda _: list(good), (ValueError,), remade)


def _weather(data: bytes, _: Path) -> None:
    Dat(data).parse(data)


def _printed(where: str) -> Callable[[Path], list[bytes]]:
    def found(_: Path) -> list[bytes]:
        cases = [each for each in sorted(Path("data_nodes", where).rglob("*")) if each.is_file()]
        return [each.read_bytes()[:3000] for each in cases if each.suffix not in (".json", ".txt")]

    return found


def _lsof(data: bytes, _: Path) -> None:
    for found in lsof.scan(data.decode("utf-8", "replace"), 20):
        lsof.records(found)
        lsof.counts(found)


_NOW = 1_763_000_000 * 10**9
READERS = {
    "column": _decoded(wire.decode_column, *(wire.encode_column(each) for each in a_frame().columns.values())),
    "frame": _decoded(wire.decode_frame, wire.encode_frame(a_frame())),
    "answer": _decoded(lambda coded: wire.assemble([wire.decode_answer(coded)] * 2), wire.encode_answer(an_answer())),
    "answer in lists": _decoded(lambda coded: wire.from_lists(coded, _FIELDS), wire.to_lists(an_answer(), ("a", "s"))),
    "fields": _decoded(wire.decode_fields, wire.encode_fields(_FIELDS, {"t": Timeline(1.0, ("a", "s"))})),
    "batch": _decoded(batch.decode, batch.encode(a_batch())),
    "policy": _decoded(
        read_policy, {"v": 1, "principals": {"n": {"role": "data_node", "keys": ["ab" * 32]}}}, errors=ValueError
    ),
    "question": _question(
        lambda **given: parse_query(**given, now=_NOW),
        {
            "fields": ["a"], "start": -1, "end": 0.0, "min_stride": 1.0, "max_points": 9, "reduce": "m4", "ns": [1, 2],
            "bin": 9, "since": {"t": ["e", 3]}, "statistics": ["min"], "own": True,
        },
        {"fields": ["a"], "start": -1.5, "end": 1.5e9},
        needed=("fields", "start", "end"),
    ),
    "question for a sample": _question(
        lambda **given: parse_sample(**given, now=_NOW), {"fields": ["a"], "t": 1.0, "which": "at", "ns": 5},
        needed=("fields",),
    ),
    "cursor": _question(parse_cursor, {"epoch": "e", "position": 5, "limit": 9}),
    "file of the weather": Reader(_weather, _printed("weather/testcases/station"), (ValueError,), reworded),
    "output of sensors": Reader(
        lambda data, _: sensors.readings(data.decode("utf-8", "replace")), _printed("sensors/testcases"), (), reworded
    ),
    "output of lsof": Reader(_lsof, _printed("lsof/testcases"), (), reworded),
}  # fmt: skip
