"""The folder of what the node keeps: held by one process at a time, begun anew where it is damaged."""

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path

from data_nodes.files.state import State

log = logging.getLogger(__name__)


def hold(home: Path) -> int:
    """Keep other processes out for as long as the descriptor is open. Raises ValueError where one is in."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    held = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise ValueError(f"another process has {home}: stop that node, or give this one another name") from None
    return held


def open_state(home: Path, about: Mapping[str, str]) -> State:
    """What is known from before; nothing, and the files are indexed anew, where that is damaged.

    Raises ValueError where a newer sisock made it.
    """
    path = home / "state.sqlite"
    try:
        return State(path, about)
    except sqlite3.DatabaseError as error:
        aside = path.with_suffix(f".damaged-{int(time.time())}")
        path.rename(aside)
        for more in ("-wal", "-shm"):
            Path(f"{path}{more}").unlink(missing_ok=True)
        log.error("the index was damaged (%s) and is made anew; the old one is %s", error, aside)
        return State(path, about)
