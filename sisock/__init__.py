"""sisock: every sensor, command, log file and message stream of a laboratory, at any zoom."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sisock.blocking import BlockingConsumer, connect
    from sisock.consumer import Consumer
    from sisock.errors import ConsumerError
    from sisock.frames import Column, Field, Frame, column
    from sisock.nodes import ArchivedNode, CommandNode, LiveNode, NoData, ReceivingNode
    from sisock.tables import to_pandas, to_polars

__version__ = "0.1.0"
__all__ = [
    "ArchivedNode",
    "BlockingConsumer",
    "Column",
    "CommandNode",
    "Consumer",
    "ConsumerError",
    "Field",
    "Frame",
    "LiveNode",
    "NoData",
    "ReceivingNode",
    "column",
    "connect",
    "to_pandas",
    "to_polars",
]
_HOMES = {
    "blocking": ("BlockingConsumer", "connect"),
    "consumer": ("Consumer",),
    "errors": ("ConsumerError",),
    "frames": ("Column", "Field", "Frame", "column"),
    "nodes": ("ArchivedNode", "CommandNode", "LiveNode", "NoData", "ReceivingNode"),
    "tables": ("to_pandas", "to_polars"),
}


def __getattr__(name: str) -> Any:
    """What is public, brought when it is first asked for: a command that needs none of it starts at once."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"sisock.{home}"), name)
    raise AttributeError(f"sisock has no {name!r}; public are {', '.join(__all__)}")


def __dir__() -> list[str]:
    """What is public."""
    return [*__all__, "__version__"]
