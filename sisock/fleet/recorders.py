"""Which recorders keep the past of which data nodes: what the router has registered, as far as it is known."""

from collections import deque
from typing import NamedTuple

_DELETED = 10_000  # registrations remembered that are over


class Kept(NamedTuple):
    """A registration by which a recorder answers for a data node."""

    registration: int
    node: str
    session: int
    authid: str  # the recorder


class Recorders:
    """The table of what is kept, changed by what the router tells."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._kept: dict[int, Kept] = {}
        self._deleted: deque[int] = deque(maxlen=_DELETED)

    def add(self, kept: Kept) -> None:
        """Note a registration; one that is over already, however late this is heard, is not."""
        if kept.registration not in self._deleted:
            self._kept[kept.registration] = kept

    def delete(self, registration: int) -> None:
        """Note that a registration is over."""
        self._deleted.append(registration)
        self._kept.pop(registration, None)

    def leave(self, session: int) -> None:
        """Note that a session is over, and with it what it offered."""
        for kept in [each for each in self._kept.values() if each.session == session]:
            self.delete(kept.registration)

    def clear(self) -> None:
        """Forget everything: there is another router, perhaps."""
        self._kept.clear()
        self._deleted.clear()

    def by_node(self) -> dict[str, list[str]]:
        """The recorders that keep each node's past, by name."""
        found: dict[str, set[str]] = {}
        for kept in self._kept.values():
            found.setdefault(kept.node, set()).add(kept.authid)
        return {node: sorted(names) for node, names in found.items()}
