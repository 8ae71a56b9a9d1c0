"""What asks the bridge as a browser does: a few connections that stay open, everything at the same time."""

import http.client
import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_AT_ONCE = 6  # connections, as a browser has them


class Browser:
    """Asks for panels over a few connections, all at the same time."""

    def __init__(self, port: int, at_once: int = _AT_ONCE) -> None:
        """Open the connections as they are needed."""
        self._port, self._own = port, threading.local()
        self._pool = ThreadPoolExecutor(at_once)

    def ask(self, path: str, method: str = "POST", asked: Any = None) -> bytes:
        """The answer; raises RuntimeError for any status but 200."""
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        body = None if asked is None else json.dumps(asked)
        self._own.connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = self._own.connection.getresponse()
        data: bytes = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {data[:500]!r}")
        return data

    def panels(self, panels: Sequence[Any]) -> tuple[list[float], list[bytes]]:
        """Ask for all of them at once: milliseconds until each was there, and what came."""
        began = time.perf_counter()

        def one(asked: Any) -> tuple[float, bytes]:
            answer = self.ask("/query", "POST", asked)
            return (time.perf_counter() - began) * 1e3, answer

        took, answers = zip(*self._pool.map(one, panels), strict=True)
        return list(took), list(answers)
