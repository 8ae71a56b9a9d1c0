"""An existing consumer: lists the nodes, asks each for a minute of data, then prints what comes and goes."""

import json
from typing import Any

from twisted.internet.defer import inlineCallbacks

from tests.existing.session import URI, WampCra, run, say


class Consumer(WampCra):
    """Prints one JSON line for everything it is told."""

    @inlineCallbacks  # type: ignore[untyped-decorator]
    def onJoin(self, details: Any) -> Any:
        for topic in ("data_node_added", "data_node_subtracted"):
            yield self.subscribe(lambda node, topic=topic: self.tell(topic, node), f"{URI}.consumer.{topic}")
        nodes = yield self.call(f"{URI}.consumer.get_data_node")
        self.tell("nodes", nodes)
        for node in nodes:
            of = f"{URI}.consumer.{node['name']}"
            fields, timelines = yield self.call(f"{of}.get_fields", 1, 0)
            self.tell("fields", [node["name"], fields, timelines])
            answer = yield self.call(f"{of}.get_data", sorted(fields), -60, 0, min_stride=1.0)
            self.tell("data", [node["name"], answer])
        self.tell("asked", len(nodes))

    def tell(self, what: str, value: Any) -> None:
        say(json.dumps([what, value], allow_nan=False))


run(Consumer)
