"""An archive that may not be written: told with the cure, answered as far as it is open, and nothing lost."""

import ctypes
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sisock.frames import Column, Field, Frame, Query
from sisock.store.archive import Archive, ArchiveError
from sisock.store.keeper import Keeper, Taking
from sisock.times import FIRST, LAST, NS

BASE = 1_700_000_000 * NS
ROWS = 5000


def bound_by_permissions(act, folder):
    """Run a function of this module as somebody whom permissions bind, which they do not bind root."""
    code = f"from pathlib import Path; from tests import test_read_only as t; t.drop(); t.{act.__name__}(Path({str(folder)!r}))"
    root = Path(__file__).parents[1]
    made = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert made.returncode == 0, made.stderr


def drop():
    """Have no capabilities any more (capset(2)), neither this thread nor those it starts."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    assert ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)()) == 0


def taking(number):
    t = BASE + (number * ROWS + np.arange(ROWS)) * NS
    frame = Frame("t", t, {"a": Column(np.arange(float(ROWS)))}, "e", (number + 1) * ROWS)
    return [Taking("n", [frame], {"a": Field()})]


def served(archive):
    answer = archive.answer("n", Query(("a",), FIRST, LAST))
    assert answer.notices == ()
    return answer.samples


@pytest.fixture
def folder(tmp_path):
    with Keeper(tmp_path, flush_age=0.0) as keeping:
        keeping.take(taking(0))
        keeping.tend()
    yield tmp_path
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o700)


def refuse(folder):
    for path in (folder, folder / "index.sqlite", folder / "intake.sqlite", folder / "segments", folder / "tiers"):
        mode = path.stat().st_mode & 0o777
        path.chmod(mode & 0o555)
        for opened in (Archive, Keeper):
            with pytest.raises(ArchiveError) as told:
                opened(folder)
            assert str(told.value) == (
                f"the archive {folder} cannot be written, for {path} is read-only: let the user that this runs as "
                "write to everything in it, or give another folder (SISOCK_ARCHIVE)"
            )
        path.chmod(mode)
    with Keeper(folder) as keeping:
        assert served(keeping.archive) == ROWS


def test_an_archive_that_is_read_only_is_refused_with_the_cure(folder):
    before = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    bound_by_permissions(refuse, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*.parquet")} == before
    assert not list(folder.glob("*damaged*"))


def become_read_only(folder):
    with Keeper(folder, flush_age=0.0) as keeping:
        place = next((folder / "segments").rglob("*.parquet")).parent
        place.chmod(0o500)
        keeping.take(taking(1))
        for _ in range(2):
            with pytest.raises(OSError, match="Permission denied: see that the disk has room, and that it may be wri"):
                keeping.tend()
            assert served(keeping.archive) == 2 * ROWS
        place.chmod(0o700)
        assert keeping.tend() == ROWS
        assert served(keeping.archive) == 2 * ROWS
        assert not keeping.archive.weight


def test_what_waits_while_a_folder_is_read_only_is_answered_and_written_when_it_may_be(folder):
    bound_by_permissions(become_read_only, folder)
