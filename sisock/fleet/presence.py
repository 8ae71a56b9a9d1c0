"""Which data nodes are there, which were, and since when: the hub's table."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sisock.parsing import from_json
from sisock.uris import check_node

MOST_AWAY = 2_000  # nodes remembered that are not there


class Entry(NamedTuple):
    """One data node as the hub knows it; `session` is None while it is away, `since` is int64 ns."""

    name: str
    description: str
    since: int
    session: int | None = None
    authid: str = ""
    info: dict[str, Any] = {}  # noqa: RUF012  # never changed in place

    @property
    def public(self) -> dict[str, str]:
        """What existing consumers see of it."""
        return {"name": self.name, "description": self.description}

    def listed(self, *, sensitive: bool, kept_by: Sequence[str] = ()) -> dict[str, Any]:
        """What our own consumers see of it."""
        state = "away" if self.session is None else "up"
        about = {"state": state, "since": self.since, "sensitive": sensitive, "info": self.info}
        return {**self.public, **about, "kept_by": list(kept_by)}


class Presence:
    """The table of data nodes, changed by what is seen to happen; `changed` is called after each change."""

    def __init__(self, clock: Callable[[], int], changed: Callable[[], None] = lambda: None) -> None:
        """Ask the clock for the time in ns since 1970."""
        self._clock, self._changed = clock, changed
        self._entries: dict[str, Entry] = {}

    def __getitem__(self, name: str) -> Entry:
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(sorted(self._entries.values(), key=lambda entry: entry.name))

    def up(self) -> list[Entry]:
        """The nodes that are there, by name."""
        return [entry for entry in self if entry.session is not None]

    @property
    def summary(self) -> str:
        """How many are there, in words."""
        up = len(self.up())
        return f"{up} data node{'s' * (up != 1)}"

    def holder(self, name: str) -> int | None:
        """The session that has the name now."""
        entry = self._entries.get(name)
        return entry.session if entry else None

    def add(self, name: str, description: str, session: int, authid: str, info: dict[str, Any]) -> bool:
        """Note that a session has this node; True if it is new there, False if it only says so again."""
        old = self._entries.get(name)
        again = old is not None and old.session == session
        since = old.since if old is not None and again else self._clock()
        self._entries[name] = Entry(name, description, since, session, authid, info)
        self._changed()
        return not again

    def recall(self, name: str) -> None:
        """Note a node of which nothing is known but that it once was: it is away from now on, unless it is known."""
        if name not in self._entries:
            self._away(Entry(name, "", 0))

    def leave(self, session: int) -> list[Entry]:
        """Note that a session is over; the nodes that went with it."""
        return [self._away(entry) for entry in list(self._entries.values()) if entry.session == session]

    def subtract(self, name: str, session: int) -> Entry | None:
        """Note that a session takes its node back; the node, if it was there in that session."""
        entry = self._entries.get(name)
        return self._away(entry) if entry is not None and entry.session == session else None

    def reconcile(self, sessions: Iterable[tuple[str, int, str]]) -> tuple[list[Entry], list[Entry]]:
        """Bring the table in line with (name, session, authid) as the router has them; the new and the gone nodes.

        Descriptions are kept from before: the router does not know them.
        """
        there = {name: (session, authid) for name, session, authid in sessions}
        gone = [self._away(entry) for entry in self.up() if there.get(entry.name, (None,))[0] != entry.session]
        new = []
        for name, (session, authid) in there.items():
            old = self._entries.get(name)
            if old is None or old.session is None:
                self.add(name, old.description if old else "", session, authid, old.info if old else {})
                new.append(self._entries[name])
        return new, gone

    def _away(self, entry: Entry) -> Entry:
        self._entries[entry.name] = entry._replace(session=None, since=self._clock())
        away = [each for each in self._entries.values() if each.session is None]
        if len(away) > MOST_AWAY:
            del self._entries[min(away, key=lambda each: each.since).name]
        self._changed()
        return entry

    def dump(self) -> str:
        """The table as text, for a hub that starts again."""
        return json.dumps({"v": 1, "nodes": [entry._asdict() for entry in self]})

    def load(self, text: str) -> None:
        """Take over a table of before; raises ValueError if it is none."""
        try:
            kept = from_json(text)
            if kept["v"] != 1:
                raise ValueError(f"version {kept['v']!r} of the hub's table is unknown here")
            entries = [_sound(Entry(**each)) for each in kept["nodes"]]
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is not the hub's table: {error!r}") from error
        self._entries = {entry.name: entry for entry in entries}


def _sound(entry: Entry) -> Entry:
    """The entry, if all in it is of its type; raises ValueError or TypeError."""
    check_node(entry.name)
    kinds = (str, str, int, int | None, str, dict)
    if not all(isinstance(value, kind) for value, kind in zip(entry, kinds, strict=True)):
        raise TypeError(f"{entry.name!r} is not as it was written")
    return entry
