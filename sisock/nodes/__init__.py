"""What the author of a data node meets."""

from sisock.nodes.archived import ArchivedNode
from sisock.nodes.base import DataNode, NoData, Service
from sisock.nodes.command import CommandNode
from sisock.nodes.live import LiveNode

__all__ = ["ArchivedNode", "CommandNode", "DataNode", "LiveNode", "NoData", "Service"]
