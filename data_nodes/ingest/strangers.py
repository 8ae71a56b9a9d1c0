"""Who has not shown the token costs little: neither a connection for ever, nor room on the disk for what is not taken."""

import time
from collections.abc import Callable
from typing import Any

from waitress.channel import HTTPChannel  # type: ignore[import-untyped]  # waitress has no types

MOST = 65_536  # bytes of a stranger's body; it is read, so that the refusal is
Admits = Callable[[str], bool]


def channel_class(admits: Admits) -> type[Any]:
    """Connections of waitress on which strangers have a bounded time, and a bounded body, for a request."""

    class Channel(HTTPChannel):  # type: ignore[misc]  # likewise
        since = 0.0  # when the request began that is not whole yet

        def received(self, data: bytes) -> Any:
            """Take what came; who it is from is known once the headers are whole."""
            if self.request is None:
                self.since = time.time()
            result = super().received(data)
            request = self.request
            if request is None or (request.headers_finished and admits(request.headers.get("AUTHORIZATION", ""))):
                return result
            self.last_activity = self.since  # as if nothing had come since: waitress closes what is idle
            if request.body_bytes_received > MOST:
                self.will_close = True
            return result

    return Channel
