"""Processes that were left behind are known by their environment, and ended."""

import contextlib
import subprocess
import uuid
from collections.abc import Iterator

from sisock.leftovers import end_marked


@contextlib.contextmanager
def sleeping(**env: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"], env=env, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_who_carries_the_mark_is_ended_however_young():
    mark = str(uuid.uuid4())
    for _ in range(300):  # of those that are a moment old the kernel shows no environment, one in a hundred times
        with sleeping(OURS=mark) as process:
            assert end_marked(f"OURS={mark}".encode()) == [process.pid]


def test_nobody_else_is_ended_also_not_who_has_no_environment():
    with sleeping(OURS="another") as other, sleeping() as bare:
        assert end_marked(f"OURS={uuid.uuid4()}".encode()) == []
        assert (other.poll(), bare.poll()) == (None, None)
