"""Footers of Parquet files: any row groups of them are read as they would be of the whole, and what is damaged is told."""

import io
import struct
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sisock.store import footers
from sisock.store.storage import OpenFile

ROWS = 10


def written(groups, columns, **options):
    """A file with so many row groups of ten rows, and the table that is in it."""
    rows = ROWS * groups
    table = pa.table(
        {f"c{i} ö": np.arange(rows) * (i + 1.5) for i in range(columns)} | {"w": ["up", "down"] * (rows // 2)}
    )
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=ROWS, **options)
    return out.getvalue(), table


def read(data, footer, groups):
    """The rows of these row groups as one reads them who knows no more than this part of the footer."""
    metadata = footer.parsed(groups.start, groups.stop)
    assert metadata.num_row_groups == len(groups)
    file = pq.ParquetFile(pa.BufferReader(data), metadata=metadata)
    return file.read_row_groups(list(range(len(groups))))


@pytest.mark.parametrize("groups", [1, 14, 15, 16, 127, 128, 300])
@pytest.mark.parametrize(
    "options", [{}, {"write_statistics": False}, {"sorting_columns": [pq.SortingColumn(0)], "compression": "zstd"}]
)
def test_any_row_groups_are_read_without_what_the_footer_tells_of_the_others(groups, options):
    data, table = written(groups, 3, **options)
    parts, footer = footers.sealed(memoryview(data))
    whole = b"".join(parts)
    assert pq.read_table(pa.BufferReader(whole)).equals(table)  # as any other tool reads it
    assert footer.groups == groups
    for first, beyond in {
        (0, 1),
        (0, groups),
        (groups - 1, groups),
        (groups // 2, groups // 2 + 1),
        (0, -(-groups // 2)),
    }:
        expected = table.slice(first * ROWS, (beyond - first) * ROWS)
        assert read(whole, footer, range(first, beyond)).equals(expected)


def test_a_part_of_a_footer_is_small():
    _, footer = footers.sealed(memoryview(written(300, 3)[0]))
    assert footer.parsed(7, 8).serialized_size < footer.parsed().serialized_size / 50


def test_a_footer_comes_back_from_the_index_and_from_the_file(tmp_path):
    parts, footer = footers.sealed(memoryview(written(20, 2)[0]))
    path = tmp_path / "a.parquet"
    path.write_bytes(b"".join(parts))
    found = footers.footer_in(OpenFile(path), path.stat().st_size)
    packed = footers.unpacked(*footer.packed())
    for each in (found, packed):
        assert each.data == footer.data
        assert each.sums.tolist() == footer.sums.tolist()
        assert each.bounds.tolist() == footer.bounds.tolist()


def test_a_footer_that_the_version_before_packed_is_read():
    _, footer = footers.sealed(memoryview(written(20, 1)[0]))
    old = len(footer.data).to_bytes(4, "little") + pa.compress(footer.data, "zstd", asbytes=True)
    found = footers.unpacked(old, footer.sums.tobytes())
    assert (found.data, found.bounds.tolist()) == (footer.data, footer.bounds.tolist())
    with pytest.raises(OSError, match="ZSTD"):
        footers.unpacked(old[:20], footer.sums.tobytes())


@pytest.mark.parametrize(
    "footer",
    [
        b"\x1c" * 100_000,  # a struct in a struct in a struct …
        b"\x19\xf1\xff\xff\xff\xff\xff\x0f" + b"\x00" * 50,  # 2^40 booleans
        b"\x19\xf9" + b"\xff" * 40 + b"\x01" + b"\x19" * 1000,  # lists of lists
        b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\x7f",  # a text of 2^62 bytes
        b"\x49\x0c\x00",  # no row groups
        b"\x4b\x00",  # a map
        b"\xff" * 1000,
        b"",
    ],
)
def test_a_footer_that_somebody_made_up_is_damaged_and_costs_no_time(tmp_path, footer):
    footer += len(footer).to_bytes(4, "little") + b"PAR1"
    seal = struct.pack("<II8s", 1, zlib.crc32(footer, zlib.crc32(b"\0" * 4)), b"sisock 1")
    path = tmp_path / "a.parquet"
    path.write_bytes(b"\0" * 4 + seal + footer)
    with pytest.raises(OSError, match="its footer"):
        footers.footer_in(OpenFile(path), path.stat().st_size)


def test_every_damage_of_the_end_of_a_file_is_told(tmp_path):
    whole = b"".join(footers.sealed(memoryview(written(3, 1)[0]))[0])
    path = tmp_path / "a.parquet"
    cut = len(whole) - int.from_bytes(whole[-8:-4], "little") - 8
    for at in range(cut - 16 - 4 * 6, len(whole) - 4):  # "PAR1" is looked for by others only
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with pytest.raises(OSError, match=r"damaged|not of this archive"):
            footers.footer_in(OpenFile(path), len(whole))
    for size in (0, 3, 7, 30, cut):
        path.write_bytes(whole[:size])
        with pytest.raises((OSError, ValueError), match=r"damaged|missing|end"):
            footers.footer_in(OpenFile(path), size)


@pytest.mark.parametrize(("body", "sums"), [(b"cut1", b""), (b"cut1" + b"\xff" * 20, b""), (None, b"\0" * 3)])
def test_a_footer_in_the_index_that_somebody_made_up_is_damaged(body, sums):
    packed, _ = footers.sealed(memoryview(written(2, 1)[0]))[1].packed()
    with pytest.raises(OSError, match="a footer in the index is damaged"):
        footers.unpacked(packed if body is None else body, sums)


def test_a_chunk_of_another_type_than_its_column_is_refused_before_arrow_ends_the_process():
    data, _ = written(3, 2)
    _, footer = footers.sealed(memoryview(data))
    footers.check_types(footer)
    (columns,) = [at for number, _, at in footers._members(footer.data, int(footer.bounds[1])) if number == 1]
    second = list(footers._structs(footer.data, columns))[1]
    (about,) = [at for number, _, at in footers._members(footer.data, second) if number == 3]
    (kind,) = [at for number, _, at in footers._members(footer.data, about) if number == 1]
    for other in (4, 12, 126):
        damaged = footer.data[:kind] + bytes([other]) + footer.data[kind + 1 :]
        with pytest.raises(OSError, match="its footer is damaged"):
            footers.check_types(footer._replace(data=damaged))


def test_a_chunk_of_numbers_that_counts_bytes_of_texts_is_refused_before_arrow_ends_the_process():
    _, footer = footers.sealed(memoryview(written(1, 1)[0]))
    data = bytearray(footer.data)
    found = {number: at for number, _, at in footers._members(footer.data, 0)}
    element = list(footers._structs(footer.data, found[2]))[-1]  # of the texts, in the schema
    columns = {number: at for number, _, at in footers._members(footer.data, int(footer.bounds[0]))}[1]
    about = {n: at for n, _, at in footers._members(footer.data, list(footers._structs(footer.data, columns))[-1])}[3]
    for place in (element, about):
        kind = {number: at for number, _, at in footers._members(footer.data, place)}[1]
        assert data[kind] == 12
        data[kind] = 10
    with pytest.raises(OSError, match="its footer is damaged"):
        footers.check_types(footer._replace(data=bytes(data)))


def test_a_field_that_is_there_twice_is_damage_as_arrow_takes_both():
    _, footer = footers.sealed(memoryview(written(1, 1)[0]))
    again = b"\x05\x02\x04"  # field 1 of the whole, in the long form
    with pytest.raises(OSError, match="its footer is damaged"):
        footers.check_types(footer._replace(data=footer.data[:-9] + again + footer.data[-9:]))
