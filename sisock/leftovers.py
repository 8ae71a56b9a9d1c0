"""Processes known by a mark in their environment, wherever they have gone: what a command or a part has left behind."""

import contextlib
import os
import signal
import time
from pathlib import Path

_ROUNDS = 5  # looks, for what is started while one is ended
_BEGINS = 0.01  # seconds in which a program that is just being started has its environment


def end_marked(mark: bytes) -> list[int]:
    """Kill all but this process of whose environment an entry begins with the mark; the process ids."""
    ended: list[int] = []
    for _ in range(_ROUNDS):
        told = {pid: _carries(pid, mark) for pid in _processes() if pid not in ended}
        left = [pid for pid, carries in told.items() if carries]
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        ended += left
        if None in told.values():
            time.sleep(_BEGINS)
        elif not left:
            break
    return ended


def _processes() -> list[int]:
    """The process ids of all but this one; none where there is no /proc."""
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if entry.name != str(os.getpid())]


def _carries(pid: int, mark: bytes) -> bool | None:
    """Whether a process has the mark; None where that cannot be known yet: it has a program, and no environment."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        if not environment:
            return None if Path(f"/proc/{pid}/exe").readlink() else False
        return b"\0" + mark in b"\0" + environment
    except OSError:  # gone, another user's, or the kernel's own
        return False
