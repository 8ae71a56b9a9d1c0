"""Readers of an archive: segments, their footers, tiers, the index, what waits to be taken, and all of it together."""

import zlib
from pathlib import Path
from random import Random

import numpy as np

from sisock.frames import TEXT, Column, Field, Frame, Query
from sisock.store import footers, incoming, old, redo
from sisock.store.archive import Archive
from sisock.store.identified import identified
from sisock.store.opening import found_in
from sisock.store.retention import Keep
from sisock.store.segments import DamagedError, SegmentFiles
from sisock.store.storage import Folder, OpenFile
from sisock.store.tiers import STEP, Tiers, Write, kept_as
from sisock.times import FIRST, LAST, NS
from tests.hostile_reading import Reader, read_all, write_all
from tests.mutants import Files, damaged, one_damaged, rejson

ROWS, BASE = 3000, 1_700_000_000 * NS
FIELDS = {"a": Field("a number", "t", units="V"), "k": Field("a count", "t"), "s": Field("a text", "t", "string")}
_EVERYTHING = Query(("a", "k", "s"), FIRST, LAST)
_NAME = "n/t/x.parquet"


def _frame(rows: int, first: int = 0, epoch: str = "e") -> Frame:
    at = np.arange(first, first + rows)
    columns = {
        "a": Column(np.sin(at / 9), at % 7 == 0),
        "k": Column(at % 50),
        "s": Column(np.array(["up", "down", "é"], TEXT)[at % 3]),
    }
    return Frame("t", BASE + at * 60 * NS, columns, epoch, first + rows)


# segments ---------------------------------------------------------------------------------------


def _segments(folder: Path) -> list[bytes]:
    about = {"node": "n", "timeline": "t", "fields": {}, "epochs": {"e": 5}}
    made = SegmentFiles(Folder(folder, folder / "aside"), lambda name: None)
    for rows in (100, 9000):
        made.write(f"{rows}", identified(_frame(rows)), about)
    return list(read_all(folder).values())


def _segment(data: bytes, folder: Path) -> None:
    write_all(folder, {_NAME: data})
    files = SegmentFiles(Folder(folder, folder / "aside"), lambda name: None)
    (segment, footer), _ = files.find(_NAME)
    files.read(segment, FIRST, LAST, list(segment.kinds), identity=True)
    footers.unpacked(*footer.packed())


def _known_segments(folder: Path) -> list[tuple[bytes, bytes]]:
    return [(data, data) for data in _segments(folder)]


def _known_damaged(rng: Random, corpus: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    good, _ = rng.choice(corpus)
    return good, damaged(rng, [good, *(other for other, _ in corpus)])


def _known_segment(segments: tuple[bytes, bytes], folder: Path) -> None:
    """A segment of which the index knows how it was."""
    good, data = segments
    write_all(folder, {_NAME: good})
    storage = Folder(folder, folder / "aside")
    segment, footer = SegmentFiles(storage, lambda name: None).find(_NAME)[0]
    write_all(folder, {_NAME: data})
    SegmentFiles(storage, lambda name: footer).read(segment, FIRST, LAST, list(segment.kinds), identity=True)


def _resealed(rng: Random, corpus: list[bytes]) -> bytes:
    """A segment of somebody who knows how they are proved: damaged, with checksums of what it is now."""
    data = damaged(rng, corpus)
    cut = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    number = int.from_bytes(data[cut - 16 : cut - 12], "little")
    if not 0 < number < 100 or cut < 16 + 4 * number:
        return data
    footer, sums = data[cut:], data[cut - 16 - 4 * number : cut - 16]
    body = data[: cut - 16 - 4 * number]
    try:
        told = footers.Footer(footer, np.empty(0, "<u4"), footers._bounds(footer))
        footers.check_types(told)  # at others Arrow ends the process
        found = told.parsed()
        ranges = [
            footers.chunk_range(found, group, column)
            for group in range(found.num_row_groups)
            for column in range(found.num_columns)
        ]
        sums = np.array([zlib.crc32(body[slice(*each)]) for each in ranges], "<u4").tobytes()
    except Exception:  # noqa: BLE001  # it is too damaged to know where its chunks lie
        pass
    seal = footers._SEAL.pack(len(sums) // 4, zlib.crc32(footer, zlib.crc32(sums)), b"sisock 1")
    return body + sums + seal + footer


def _packed_footers(folder: Path) -> list[Files]:
    found = []
    for number, data in enumerate(_segments(folder)):
        path = folder / f"{number}.parquet"
        path.write_bytes(data)
        body, sums = footers.footer_in(OpenFile(path), len(data)).packed()
        found.append({"body": body, "sums": sums})
    return found


def _packed_footer(files: Files, _: Path) -> None:
    footers.unpacked(files["body"], files["sums"])


# tiers, index, all of it ------------------------------------------------------------------------


def _archive(folder: Path) -> list[Files]:
    """An archive that has let go of what is old."""
    with Archive(folder / "a") as made:
        for first in range(0, ROWS, ROWS // 3):
            made.put("n", _frame(ROWS // 3, first), FIELDS)
            made.flush()
        while made.retain(Keep({"*": {"raw": "1d"}}), BASE + ROWS * 60 * NS)[1]:
            pass
    return [read_all(folder / "a")]


def _whole(files: Files, folder: Path) -> None:
    write_all(folder, files)
    with Archive(folder) as archive:
        for node in archive.nodes():
            archive.fields(node)
            archive.answer(node, _EVERYTHING)
            archive.answer(node, _EVERYTHING._replace(reduce="bins", max_points=20))
            archive.sample(node, ("a", "s"), BASE + ROWS * 30 * NS, "before")
        archive.put("n", _frame(10, ROWS), FIELDS)


def _indices(folder: Path) -> list[bytes]:
    return [files["index.sqlite"] for files in _archive(folder)]


def _index(data: bytes, folder: Path) -> None:
    write_all(folder, {"index.sqlite": data})
    found = found_in(folder)
    for known in found.known:
        for segment in known.segments:
            found.index.footer(segment.name)
        for read in (found.index.undone, found.index.holes, found.index.old, found.index.accounts, found.index.left):
            read(known.id)
    found.index.close()


def _all_tiers(folder: Path) -> list[Files]:
    prefix = "tiers/n/t/"
    return [
        {name.removeprefix(prefix): data for name, data in files.items() if name.startswith(prefix)}
        for files in _archive(folder)
    ]


def _tiers(files: Files, folder: Path) -> None:
    write_all(folder, files)
    tiers = Tiers(folder)
    for level in (None, *tiers.levels):
        wanted = ("low", "high", "total", "m2")
        width = level.width * 4 if level else 1 << 50
        kept = [kept_as("a", "f8"), kept_as("k", "i8")]
        tiers.read(kept, (BASE, BASE + ROWS * 60 * NS), width, wanted, level)
    tiers.drop_damaged()
    tiers.sync()
    tiers.close()


def _told(folder: Path) -> list[bytes]:
    told = old.Told("n", "t", {"a": list(FIELDS["a"])}, {"a": ["f8"]}, {"e": 9}, old.Old(1, 2, 3, 20, FIRST, ((1, 2),)))
    old.save(folder, told)
    return [(folder / "old").read_bytes()]


def _proved(rng: Random, corpus: list[bytes]) -> bytes:
    text = rejson(rng, [each.partition(b" ")[2] for each in corpus]).rstrip(b"\n")
    return b"%08x " % zlib.crc32(text) + text + b"\n"


def _old(data: bytes, folder: Path) -> None:
    write_all(folder, {"n/t/old": data})
    list(old.saved(folder))


def _writes(_: Path) -> list[bytes]:
    records = np.zeros((2, 3), [("low", "<i8"), ("count", "<i8")])
    return [redo.packed([Write(STEP * 10, [1, 2], np.arange(3), records)])]


# what waits -------------------------------------------------------------------------------------


def _waiting(folder: Path) -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    about = incoming.about("n", "t", FIELDS, "source")
    t = pa.array(_frame(50).t, pa.timestamp("ns", "UTC"))
    values = {"a": np.arange(50.0), "k": np.arange(50), "s": ["x", "é"] * 25}
    table = pa.table({"time": t, **values}).replace_schema_metadata(about)
    pq.write_table(table, folder / "x.parquet", compression="zstd", write_page_checksum=True)
    pq.write_table(table, folder / "y.parquet", compression="none")
    return list(read_all(folder).values())


def _incoming(data: bytes, folder: Path) -> None:
    write_all(folder, {"x.parquet": data})
    list(incoming.frames(incoming.opened(folder / "x.parquet"), 7))


READERS = {
    "segment": Reader(_segment, _segments, (DamagedError,)),
    "segment that is known": Reader(_known_segment, _known_segments, (), _known_damaged),
    "segment of a stranger": Reader(_segment, _segments, (DamagedError,), _resealed),
    "footer in the index": Reader(_packed_footer, _packed_footers, (OSError,), one_damaged),
    "tiers": Reader(_tiers, _all_tiers, (OSError,), one_damaged),
    "what is old": Reader(_old, _told),
    "what is old, of a stranger": Reader(_old, _told, (), _proved),
    "writes into tiers": Reader(lambda data, _: redo.unpacked(data), _writes, (ValueError,)),
    "index": Reader(_index, _indices, (OSError,)),
    "archive": Reader(_whole, _archive, (OSError,), one_damaged, share=20),
    "what waits": Reader(_incoming, _waiting, (incoming.IncomingError,)),
}
