"""What the author of a data node meets."""

from sisock.nodes.archived import ArchivedNode
from sisock.nodes.base import DataNode, NoData, Service
from sisock.nodes.command import CommandNode
from sisock.nodes.live import LiveNode
from sisock.nodes.receiving import Intake, NotKept, ReceivingNode

__all__ = [
    "ArchivedNode",
    "CommandNode",
    "DataNode",
    "Intake",
    "LiveNode",
    "NoData",
    "NotKept",
    "ReceivingNode",
    "Service",
]
