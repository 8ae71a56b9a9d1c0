"""Formats of files of others: read from one end to the other, or anywhere, they have the same samples."""

from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import ipc

from sisock.formats.columns import to_column
from sisock.formats.errors import UnreadableError, WiderError
from sisock.formats.instants import of_texts
from sisock.formats.moments import to_ns
from sisock.formats.table import Table, Terms, open_tables
from sisock.times import NS

START, ROWS = 1_700_000_000 * NS, 150_000
T, X = START + np.arange(ROWS) * 1000, np.arange(ROWS) / 4


def whole(table: Table, title: str) -> tuple[list[int], list[float], list[int]]:
    """Times, values and the numbers of odd lines, streamed."""
    t, x, odd, line = [], [], [], table.first
    for rows, _ in table.stream([title]):
        t += to_ns(rows.time, table.unit)[0].tolist()
        x += to_column(rows.columns[title], table.titles[title].kind).values.tolist()
        odd += [line + at for at, _ in (rows.troubles.told if rows.troubles else [])]
        line += len(rows.time) + len(rows.skipped)
    return t, x, odd


def written(path: Path) -> Path:
    table = pa.table({"time": pa.array(T, pa.timestamp("ns", "UTC")), "x": X})
    match path.suffix:
        case ".parquet":
            pq.write_table(table, path, row_group_size=70_000)
        case ".arrow":
            with ipc.new_file(path, table.schema) as file:
                file.write_table(table, max_chunksize=70_000)
        case ".h5":
            with h5py.File(path, "w") as file:
                file["time"], file["x"] = T, X
        case _:
            path.write_text("time,x\n" + "\n".join(f"{t},{x}" for t, x in zip(T.tolist(), X.tolist(), strict=True)))
    return path


@pytest.mark.parametrize("suffix", ["csv", "txt", "parquet", "arrow", "h5"])
def test_streamed_or_by_marks_a_table_has_the_same_samples(tmp_path: Path, suffix: str):
    (table,) = open_tables(written(tmp_path / f"a.{suffix}"), Terms()).values()
    t, x, odd = whole(table, "x")
    assert (t, x, odd) == (T.tolist(), X.tolist(), [])
    marks = table.marks(0, 100)
    rows = table.read(marks[3], marks[5], ["x"])
    assert to_ns(rows.time, table.unit)[0].tolist() == t[3 * 16_384 : 5 * 16_384]
    assert rows.columns["x"].to_pylist() == x[3 * 16_384 : 5 * 16_384]


def test_the_lines_of_what_is_odd_are_right_however_far_into_a_file(tmp_path: Path):
    lines = [f"{t},{x}" for t, x in zip(T.tolist(), X.tolist(), strict=True)] * 2
    lines[5], lines[200_000], lines[250_000], lines[299_999] = "torn", "torn,1,2", "1,oops", "torn"
    lines[100_000] = ""  # an empty line is nothing odd
    (tmp_path / "a.csv").write_text("# by hand\n\ntime,x\n" + "\n".join(lines) + "\n")
    (table,) = open_tables(tmp_path / "a.csv", Terms()).values()
    assert whole(table, "x")[2] == [9, 200_004, 250_004, 300_003]


def test_whole_numbers_stay_whole_until_they_are_not_where_that_is_to_be_known(tmp_path: Path):
    big = 2**53 + 1
    (tmp_path / "a.csv").write_text("time,n\n1700000000," + str(big) + "\n1700000001,-1\n")
    (table,) = open_tables(tmp_path / "a.csv", Terms(wider=frozenset())).values()
    assert whole(table, "n")[1] == [big, -1]
    with (tmp_path / "a.csv").open("a") as file:
        file.write("1700000002,0.5\n")
    with pytest.raises(WiderError):
        whole(table, "n")
    (table,) = open_tables(tmp_path / "a.csv", Terms(wider=frozenset({"n"}))).values()
    assert whole(table, "n")[1] == [big - 1, -1, 0.5]


def test_decimal_commas_and_other_encodings_are_found(tmp_path: Path):
    (tmp_path / "a.csv").write_bytes("time;T °C;s\n1700000000,25;1,5;höher\n1700000001,25;2,5;tief".encode("latin-1"))
    (table,) = open_tables(tmp_path / "a.csv", Terms()).values()
    assert whole(table, "T °C")[:2] == ([START + NS // 4, START + 5 * NS // 4], [1.5, 2.5])
    assert whole(table, "s")[1] == ["höher", "tief"]


def test_what_an_export_marked_as_missing_in_hdf5_is_missing(tmp_path: Path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["time"], file["x"], file["x.missing"] = T[:3], [1, 0, 3], [False, True, False]
        file["x"].attrs["target"] = "node::deep/x"
    (table,) = open_tables(tmp_path / "a.h5", Terms()).values()
    assert list(table.titles) == ["node::deep/x"]
    assert table.read(0, 3, ["node::deep/x"]).columns["node::deep/x"].to_pylist() == [1, None, 3]


def test_texts_are_times_to_the_nanosecond():
    t, readable = of_texts(["2023-11-14T22:13:20.123456789Z", "2023/11/14 22:13:20", "1700000000", "", None])
    assert t[readable].tolist() == [START + 123_456_789, START]
    t, readable = of_texts(["1700000000.25", "2023-11-14 22:13:20", "x"], NS)
    assert t[readable].tolist() == [START + NS // 4, START]


def test_a_file_of_no_known_format_is_told(tmp_path: Path):
    with pytest.raises(UnreadableError, match=r"\.xls is no known format"):
        open_tables(tmp_path / "a.xls", Terms())


@pytest.mark.parametrize(
    ("good", "bad", "why"),
    [
        (b"time", b"\x80ime", "no whole Arrow file"),  # a name that is no text
        ((1).to_bytes(4, "little") + (3).to_bytes(4, "little"), b"\xff" * 8, "offset"),  # texts from before the first
    ],
)
def test_an_arrow_file_whose_texts_are_none_is_refused(tmp_path: Path, good: bytes, bad: bytes, why: str):
    table = pa.table({"time": pa.array(T[:2], pa.timestamp("ns", "UTC")), "s": ["a", "bc"]})
    with ipc.new_file(tmp_path / "a.arrow", table.schema) as file:
        file.write_table(table)
    data = (tmp_path / "a.arrow").read_bytes()
    assert good in data
    (tmp_path / "a.arrow").write_bytes(data.replace(good, bad))
    with pytest.raises(UnreadableError, match=why):
        whole(open_tables(tmp_path / "a.arrow", Terms())[""], "s")


def test_an_arrow_buffer_that_ends_amid_a_number_is_read_up_to_its_rows(tmp_path: Path):
    values = pa.Array.from_buffers(pa.int64(), 2, [None, pa.py_buffer(np.arange(3, dtype="i8").tobytes()[:-3])])
    assert to_column(pa.chunked_array([values]), "i8").values.tolist() == [0, 1]


def test_an_hdf5_file_with_a_damaged_group_is_refused(tmp_path: Path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["time"], file["x"] = T[:3], [1, 2, 3]
    data = (tmp_path / "a.h5").read_bytes()
    address = int.from_bytes(data[64:72], "little")  # of the header of the root group
    (tmp_path / "a.h5").write_bytes(data[:address] + b"\x7f" + data[address + 1 :])
    with pytest.raises(UnreadableError, match="no whole HDF5 file"):
        open_tables(tmp_path / "a.h5", Terms())


def test_an_hdf5_file_that_lays_out_more_rows_than_it_can_hold_is_refused(tmp_path: Path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("time", (2**40,), "i8", chunks=(1024,))
    with pytest.raises(UnreadableError, match="1099511627776 rows, more than .* bytes can hold"):
        open_tables(tmp_path / "a.h5", Terms())
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("time", (2**20,), "i8", chunks=(1024,))  # laid out ahead
    assert open_tables(tmp_path / "b.h5", Terms())[""].length == 2**20


def test_a_parquet_file_whose_texts_are_none_is_refused(tmp_path: Path):
    texts = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    pq.write_table(pa.table({"time": pa.array(T[:1], pa.timestamp("ns", "UTC")), "s": texts}), tmp_path / "a.parquet")
    (table,) = open_tables(tmp_path / "a.parquet", Terms()).values()
    with pytest.raises(UnreadableError, match="rows 0 to 1 cannot be read: .*UTF8"):
        table.read(0, 1, ["s"])
    with pytest.raises(UnreadableError, match="cannot be read from row 1 on: .*UTF8"):
        whole(table, "s")


def test_links_of_hdf5_lead_in_no_circle_and_to_no_other_file(tmp_path: Path):
    written(tmp_path / "secret.h5")
    with h5py.File(written(tmp_path / "x.h5"), "a") as file:
        file["run/time"], file["run/x"] = T[:5], X[:5]
        file["run/above"] = file["/"]
        file["again"] = h5py.SoftLink("/run")
        file["elsewhere"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/")
    tables = open_tables(tmp_path / "x.h5", Terms())
    assert sorted(len(table.read(0, 10, ["x"]).time) for table in tables.values()) == [5, 10]
    assert len(tables) == 2
