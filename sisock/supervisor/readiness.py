"""How a part says that it is ready: a datagram to a socket of its own, or a port that accepts."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

_PAUSE = 0.1  # seconds between two tries of a port that nobody can announce


class NotifySocket:
    """Listens at `path` for sd_notify messages; `on_ready(status)` is called for each that says READY."""

    def __init__(self, path: Path, on_ready: Callable[[str], None]) -> None:
        if len(os.fsencode(path)) > 100:
            raise ValueError(f"the state directory's path is too long for the socket {path}: choose a shorter --state")
        path.unlink(missing_ok=True)
        self.path = path
        self._on_ready = on_ready
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(path))
        asyncio.get_running_loop().add_reader(self._socket, self._receive)

    def close(self) -> None:
        """Listen no more."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            message = self._socket.recv(4096).decode(errors="replace")
            said = dict(line.partition("=")[::2] for line in message.splitlines())
            if said.get("READY") == "1":
                self._on_ready(said.get("STATUS", ""))


async def accepting(host: str, port: int) -> None:
    """Return once something accepts connections at this port."""
    while True:
        await asyncio.sleep(_PAUSE)  # first of all, for who listened before may be dying still
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 1)
        except (OSError, TimeoutError):
            continue
        writer.close()
        return
