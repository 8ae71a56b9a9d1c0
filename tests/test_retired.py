"""Segments that are replaced: their files go when nobody reads them any more, however many read at the same time."""

import sys
import threading

import pytest

from sisock.store.segments import Segment
from sisock.store.snapshot import in_order, looked_at


@pytest.fixture
def hasty():
    """Threads take turns all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def segment(name):
    return Segment(name, 1, 0, 0, (0,), {}, 1)


def test_what_is_read_is_known_while_readers_come_and_go(hasty):
    kept = [in_order([segment(f"kept {number}")]) for number in range(300)]
    over = threading.Event()

    def read():
        while not over.is_set():
            for _ in range(5):
                in_order([segment("read")])

    readers = [threading.Thread(target=read) for _ in range(2)]
    for each in readers:
        each.start()
    try:
        for _ in range(1000):
            assert sum(name.startswith("kept") for name in looked_at()) == len(kept)
    finally:
        over.set()
        for each in readers:
            each.join()


def test_a_segment_that_nobody_reads_any_more_is_not_looked_at():
    kept = in_order([segment("gone")])
    assert "gone" in looked_at()
    del kept
    assert "gone" not in looked_at()
