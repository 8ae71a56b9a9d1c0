"""How far the partitions of followed topics were taken: notes that are on disk together with the samples."""

from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b

from data_nodes.kafka_replay.topics import Message, Place

_NOTE = "kafka/"  # what the names of notes begin with


class Taken:
    """Which messages were taken, whatever Kafka was told of it.

    A topic may have been made anew since: then its offsets mean other messages. So, where messages come that seem to have
    been taken, it is first seen whether the last of these still lies where it did.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._upto: dict[Place, tuple[int, str]] = {}  # the next offset, and the mark of the message before it
        self._began: dict[Place, int] = {}  # where reading goes on, if the message that is looked at is another one

    def recall(self, notes: Mapping[str, str]) -> None:
        """Know what was noted."""
        for name, note in notes.items():
            topic, _, partition = name.removeprefix(_NOTE).rpartition("/")
            offset, _, mark = note.partition(" ")
            if name.startswith(_NOTE) and partition.isdecimal() and offset.isdecimal():
                self._upto[Place(topic, int(partition))] = int(offset), mark

    def notes(self, messages: Sequence[Message]) -> dict[str, str]:
        """What to note together with the samples in these."""
        last = {each.place: each for each in messages}
        return {f"{_NOTE}{place}": f"{each.offset + 1} {_mark(each)}" for place, each in last.items()}

    def only(self, places: Collection[Place]) -> None:
        """Look at no message of other places than these: others read them now."""
        self._began = {place: at for place, at in self._began.items() if place in places}

    def new(self, place: Place, some: Sequence[Message]) -> tuple[Sequence[Message], int | None]:
        """Those of some messages, one or more, that are to be taken, and the offset to read on from if it is another one."""
        upto, mark = self._upto.get(place, (0, ""))
        began = self._began.pop(place, None)
        if began is None:
            if some[0].offset >= upto:
                return some, None
            self._began[place] = some[0].offset
            return [], upto - 1
        if some[0].offset == upto - 1 and _mark(some[0]) == mark:
            return some[1:], None
        del self._upto[place]
        return [], began


def _mark(message: Message) -> str:
    """By which a message is known again."""
    return blake2b(str(message.stamp).encode() + b" " + message.payload, digest_size=8).hexdigest()
