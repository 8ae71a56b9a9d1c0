"""Readers of files of others: tables of every format, as they are served and as they are imported."""

import functools
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from data_nodes.names import split_title
from sisock.formats.columns import to_column
from sisock.formats.errors import UnreadableError
from sisock.formats.moments import to_ns
from sisock.formats.table import Terms, open_tables
from sisock.imports.converting import ImportFailed, Wanted, convert
from tests.folders import START, ask, opened, write
from tests.hostile_reading import Reader, write_all
from tests.mutants import Files, damaged, one_damaged, reworded

_SUFFIXES = (".csv", ".parquet", ".arrow", ".h5")

_LINES = [
    b"Time;Temp [K];open;who\n2024-01-01T00:00:00Z;1,5;true;ann\n2024-01-01T00:00:01Z;;false;\n",
    b'# by hand\nt,a,"b ""c"" d"\n1700000000,1,"x\ny"\n1700000001,2.5,z\n1700000002,nan,-\n',
    b"time\tx\n1700000000.5\t1\n1700000001.5\t2\n",
]


def _written(folder: Path, suffix: str) -> list[bytes]:
    t = START + np.arange(40) * 10**9
    small = write(folder / f"a{suffix}", t, x=np.sin(np.arange(40.0)), k=np.arange(40), on=np.arange(40) % 2 > 0)
    text = write(folder / f"b{suffix}", t[:5], **({} if suffix == ".h5" else {"s": ["a", "b", None, "", "é"]}), y=t[:5])
    found = [small.read_bytes(), text.read_bytes(), *(_LINES if suffix == ".csv" else ())]
    if suffix == ".parquet":  # what is damaged in it is a value, not what it is compressed to
        pq.write_table(pq.read_table(text), text, compression="none", use_dictionary=False)
        found.append(text.read_bytes())
    return found


def _read(data: bytes, folder: Path, *, suffix: str) -> None:
    path = folder / f"x{suffix}"
    path.write_bytes(data)
    for table in open_tables(path, Terms(split=split_title)).values():
        titles = list(table.titles)
        marks = table.marks(0, 100)
        rows = table.read(marks[0], marks[-1], titles) if len(marks) > 1 else None
        if rows is not None:
            to_ns(rows.time, table.unit)
            for title, about in table.titles.items():
                to_column(rows.columns[title], about.kind)
        table.number(marks[-1])
        table.seal(marks[-1])


def _served(files: Files, folder: Path) -> None:
    write_all(folder / "lab", files)
    with opened(folder / "lab", folder / "home") as (catalog, _):
        ask(catalog, *catalog.fields())


def _import(files: Files, folder: Path) -> None:
    write_all(folder, files)
    for name in files:
        convert(folder / name, Wanted("n", "t"), folder / "archive", lambda share: None)


def _files(folder: Path) -> list[Files]:
    return [{f"x{suffix}": data} for suffix in _SUFFIXES for data in _written(folder, suffix)]


READERS = {
    f"table {suffix}": Reader(
        functools.partial(_read, suffix=suffix),
        functools.partial(_written, suffix=suffix),
        (UnreadableError, OSError),
        reworded if suffix == ".csv" else damaged,
    )
    for suffix in _SUFFIXES
} | {
    "import": Reader(_import, _files, (ImportFailed, OSError), one_damaged),
    "folder of files": Reader(_served, _files, (), one_damaged, share=4),
}
