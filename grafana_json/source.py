"""What the bridge needs of a consumer: `sisock.consumer.BlockingConsumer` has it, and so has a test's own."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from sisock.consumer import Node, Request
from sisock.errors import ConsumerError
from sisock.frames import Answer, Field, Timeline
from sisock.nearest import Which

Reply = Answer | ConsumerError
Take = Callable[[Request, Reply], None]


class Source(Protocol):
    """Nodes, their fields and their samples, asked by any thread."""

    @property
    def connected(self) -> bool:
        """Whether there is a router."""

    def nodes(self) -> list[Node]:
        """The nodes that are up or away. Raises NoHub; another ConsumerError where there will never be one again."""

    def measures(self) -> dict[str, int]:
        """How the hub is doing, by name; empty where it does not tell. Raises NoHub."""

    def fields(self, node: str, start: float, end: float) -> tuple[dict[str, Field], dict[str, Timeline]]:
        """What a node has, intervals taken between two times. Raises ConsumerError."""

    def ask(self, requests: Sequence[Request], deadline: float, take: Take | None = None, /) -> list[Reply]:
        """Answers to several requests, asked at the same time, each within the deadline in seconds.

        `take` gets each request with its answer as soon as that is there, from whatever thread.
        """

    def instant(
        self, t: float, targets: Iterable[str] | None, which: Which, *, ns: int | None, deadline: float | None
    ) -> dict[str, Answer | ConsumerError]:
        """By node, the sample of each target that is nearest to an instant, each within the deadline in seconds."""

    def on_event(self, callback: Callable[[str, Node], None], /) -> None:
        """Call back with "added" or "subtracted" and the node, from a thread of the consumer's own."""

    def on_lost(self, callback: Callable[[], None], /) -> None:
        """Call back whenever the connection is lost, from a thread of the consumer's own."""


class Visiting(Source, Protocol):
    """A consumer of one who came with a token."""

    @property
    def refused(self) -> bool:
        """Whether the router did not let it in."""

    def close(self) -> None:
        """Leave the router."""
