"""Imported files on their way into an archive that cannot take them now."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sisock.frames import Column, Field, Frame, Query
from sisock.store import incoming
from sisock.store.keeper import Keeper, Taking
from sisock.store.segments import SegmentFiles
from sisock.times import FIRST, LAST


def waiting_to_be_imported(folder, rows=1000):
    t = np.append(np.arange(rows) * 10**9, 2**63 - 1)  # one that no clock can mean
    table = pa.table({"time": pa.array(t, pa.timestamp("ns", "UTC")), "a": np.arange(rows + 1.0)})
    (folder / "incoming").mkdir()
    about = incoming.about("n", "t", {"a": Field(timeline="t")}, "source")
    pq.write_table(table.replace_schema_metadata(about), folder / "incoming" / "a.parquet")


def take_all(folder, keeping):
    while any((folder / "incoming").iterdir()):
        keeping.take_incoming()


def test_an_import_that_cannot_be_written_takes_no_memory_and_goes_on_later(tmp_path, monkeypatch):
    write = SegmentFiles.write

    def full(*_):
        raise OSError(28, "No space left on device")

    with Keeper(tmp_path) as keeping:
        keeping.take([Taking("n", [Frame("t", np.arange(3), {"a": Column(np.arange(3.0))}, "e", 3)])])
        before = keeping.archive.weight
        waiting_to_be_imported(tmp_path)
        monkeypatch.setattr(SegmentFiles, "write", full)
        for _ in range(5):
            with pytest.raises(OSError, match="No space"):
                take_all(tmp_path, keeping)
            assert keeping.archive.weight == before
            assert keeping.archive.answer("n", Query(("a",), FIRST, LAST)).samples == 3
        monkeypatch.setattr(SegmentFiles, "write", write)
        take_all(tmp_path, keeping)
        assert keeping.archive.answer("n", Query(("a",), FIRST, LAST)).samples == 1003
        assert keeping.archive.timelines()[0].counts == {"refused": 1}
