"""An existing data node: two fields on one timeline, handlers that block, a name from the command line."""

import sys
import time
from typing import Any

from twisted.internet import task, threads
from twisted.internet.defer import inlineCallbacks

from tests.existing.session import URI, WampCra, run, say

NAME = sys.argv[1]
kept: list[tuple[float, float, str]] = []


class Node(WampCra):
    """Registers its two procedures, then adds itself at the hub, as the old library does."""

    @inlineCallbacks  # type: ignore[untyped-decorator]
    def onJoin(self, details: Any) -> Any:
        yield self.register(self.fields, f"{URI}.consumer.{NAME}.get_fields")
        yield self.register(self.data, f"{URI}.consumer.{NAME}.get_data")
        accepted = yield self.call(f"{URI}.data_node.add", NAME, "An existing node.", details.session)
        say(f"accepted {accepted}")
        if not accepted:
            self.leave()
        task.LoopingCall(self.measure).start(0.2)

    def measure(self) -> None:
        now = time.time()
        kept.append((now, now % 10, "even" if int(now) % 2 == 0 else "odd"))
        del kept[:-500]

    def fields(self, start: float, end: float) -> Any:
        ramp = {"description": "a ramp", "timeline": "clock", "type": "number", "units": "s"}
        word = {"description": None, "timeline": "clock", "type": "string", "units": None}
        return {"ramp": ramp, "word": word}, {"clock": {"interval": 0.2, "field": ["ramp", "word"]}}

    def data(self, wanted: list[str], start: float, end: float, min_stride: float | None = None) -> Any:
        now = time.time()
        first, last = (t if t > 0 else now + t for t in (start, end))
        return threads.deferToThread(self.read, wanted, first, last)

    def read(self, wanted: list[str], first: float, last: float) -> Any:
        rows = [row for row in kept if first <= row[0] < last]
        columns = {"ramp": [row[1] for row in rows], "word": [row[2] for row in rows]}
        data = {name: columns.get(name, []) for name in wanted}
        times = [row[0] for row in rows]
        timeline = {"clock": {"t": times, "finalized_until": times[-1]}} if any(data.values()) else {}
        return {"data": data, "timeline": timeline}


run(Node)
