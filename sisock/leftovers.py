"""Processes known by a mark in their environment, wherever they have gone: what a command or a part has left behind."""

import contextlib
import os
import signal
from pathlib import Path

_ROUNDS = 5  # looks, for what is started while one is ended


def end_marked(mark: bytes) -> list[int]:
    """Kill all but this process of whose environment an entry begins with the mark; the process ids."""
    ended: list[int] = []
    for _ in range(_ROUNDS):
        left = [pid for pid in _processes() if pid not in ended and _carries(pid, mark)]
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            break
        ended += left
    return ended


def _processes() -> list[int]:
    """The process ids of all but this one; none where there is no /proc."""
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if entry.name != str(os.getpid())]


def _carries(pid: int, mark: bytes) -> bool:
    try:
        return b"\0" + mark in b"\0" + Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # gone, or another user's
        return False
