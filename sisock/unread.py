"""Whether a connection has said something that nobody has read yet."""

import select


def unread(file: int) -> bool:
    """True if bytes (or an end) wait at this open connection: whoever is late then, it is not the other side."""
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(0))
