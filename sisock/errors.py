"""What a consumer can be told instead of an answer."""


class ConsumerError(Exception):
    """What was asked cannot be had; a sentence that says what and why."""


class NodeUnknown(ConsumerError):
    """There is and was no such data node (or this consumer may not see it)."""


class NodeAway(ConsumerError):
    """The data node is known, but not there now."""


class NoAnswer(ConsumerError):
    """The data node did not answer in time, or went away while it was asked."""


class TooLarge(ConsumerError):
    """The answer would be too large to be sent: less has to be asked for."""


class NoHub(ConsumerError):
    """There is no router or no hub to ask."""
