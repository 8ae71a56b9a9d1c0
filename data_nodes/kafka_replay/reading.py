"""Messages of topics as records, and the fields that are met in them."""

from collections.abc import Sequence

from data_nodes.kafka_replay.topics import Message
from sisock.frames import Field, Frame
from sisock.nodes.base import MOST_FIELDS
from sisock.records import Mapping, Received


def received(messages: Sequence[Message], how: Mapping) -> list[Received]:
    """The messages, each of the device that is called as its topic, unless the mapping says that there are none."""
    return [Received(each.payload, each.stamp, each.place.topic if how.device else "") for each in messages]


def meet(known: dict[str, Field], frame: Frame, how: Mapping) -> None:
    """Know the fields of a frame, as many as a node may have."""
    for name, column in frame.columns.items():
        if name not in known and len(known) < MOST_FIELDS:
            units = how.units.get(name) or how.units.get(name.partition("/")[2])
            known[name] = Field(None, frame.timeline, column.type, units)
