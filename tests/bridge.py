"""The bridge on a real socket, served as its process serves it, for tests."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from sisock.web import connections


@contextlib.contextmanager
def serving(app: Callable[..., Any], threads: int, largest: int, **limits: Any) -> Iterator[int]:
    """The app behind the bridge's own connections; the port it listens on."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    server = connections.make_server(app, listening, threads, connections.Limits(largest, **limits))
    ended = threading.Event()

    def run() -> None:
        with contextlib.suppress(OSError):
            while not ended.is_set():
                server.asyncore.loop(timeout=0.1, map=server._map, use_poll=True, count=1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        ended.set()
        thread.join()
        server.task_dispatcher.shutdown()
        for each in list(server.active_channels.values()):
            each.handle_close()
        server.close()
