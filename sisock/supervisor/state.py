"""The state directory of one machine's sisock: ours alone, one supervisor at a time, nothing left of the last one."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from sisock.interfaces import check_free
from sisock.leftovers import end_marked
from sisock.settings import Settings


class InUseError(Exception):
    """The state directory is taken, or a port twice; says by what, and the cure."""


@contextlib.contextmanager
def held(state: Path) -> Iterator[None]:
    """Make the state directory ready and keep other supervisors out of it; raise InUseError if one is at work there."""
    _make(state)
    lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(lock, state)
        end_left_behind(state)
        try:
            yield
        finally:
            end_left_behind(state)
        (state / "router.url").unlink(missing_ok=True)
    finally:
        os.close(lock)


def _make(state: Path) -> None:
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if state.stat().st_mode & 0o077:
        if not (state / "keys").is_dir() and any(state.iterdir()):
            raise InUseError(
                f"{state} is open to others and holds other things: choose a directory of its own with --state"
            )
        state.chmod(0o700)
    for name in ("run", "logs"):
        (state / name).mkdir(mode=0o700, exist_ok=True)


def _take(lock: int, state: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        who = os.pread(lock, 20, 0).decode().strip()
        sentence = f"`sisock up` already runs on {state} (process {who}): stop it, or choose another --state"
        raise InUseError(sentence) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def end_left_behind(state: Path) -> list[int]:
    """Kill what a supervisor of this state directory left running, and what that started; the process ids.

    They are known by the socket that they were given to say that they are ready.
    """
    return end_marked(b"NOTIFY_SOCKET=" + os.fsencode(state.resolve() / "run") + b"/")


def check_ports(settings: Settings, *, bridge: bool) -> None:
    """Raise PortTaken with the cure if a port that we need is taken, InUseError if two of ours are the same."""
    ports = {"router_port": settings.router_port} | ({"bridge_port": settings.bridge_port} if bridge else {})
    ports |= {name: getattr(settings, name) for name in ("tls_port", "legacy_port") if getattr(settings, name)}
    for name, port in ports.items():
        same = [other for other in ports if ports[other] == port]
        if len(same) > 1:
            raise InUseError(f"{' and '.join(same)} are both {port}: give each a port of its own")
        option = "SISOCK_LEGACY_PORT" if name == "legacy_port" else f"--{name.replace('_', '-')}"
        check_free(settings.tls_interface if name in ("tls_port", "legacy_port") else settings.interface, port, option)
