"""What the hub writes down: the table of data nodes, who signed in when, and who was refused."""

import time
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from sisock.fleet.kept import KeptTable, Seen, seen_file
from sisock.fleet.presence import Presence
from sisock.fleet.refused import Refusals, refused_file
from sisock.keys import Principal


class Ledger:
    """The hub's books in the state directory."""

    def __init__(self, state: Path, presence: Presence) -> None:
        """Keep them here; the table of before is taken over, if there is one."""
        self._presence = presence
        self._table = KeptTable(state / "hub" / "nodes.json")
        self._table.recall(presence)
        self._seen = Seen(seen_file(state))
        self._refusals = Refusals(refused_file(state))
        self.refusals = 0  # since this hub has been there

    def signed_in(self, principal: object) -> None:
        """A principal has signed in now."""
        self._seen.note(principal, time.time_ns())

    def unseen(self, principals: Mapping[str, Principal]) -> set[str]:
        """Who has a key or a password, and has never signed in as far as is known."""
        return {name for name, each in principals.items() if not each.invites and self._seen.last(name) is None}

    def refused(self, name: object, why: object, times: object = 1) -> None:
        """Somebody who came by this name was refused now, so many times."""
        count = times if isinstance(times, int) else 1
        self.refusals += count
        self._refusals.note(str(name), str(why), time.time_ns(), count)

    def forget(self, name: str) -> None:
        """Forget who was refused in a name that another has from now on, or nobody."""
        self._refusals.forget(name)

    def listed(self, principals: Mapping[str, Principal]) -> list[dict[str, Any]]:
        """Who may sign in, as admins see it."""
        return [
            {
                "name": name,
                "role": each.role,
                "by": each.signs_in_by,
                "until": each.until,
                "invites": each.invites or None,
                "seen": self._seen.last(name),
                "refused": self._refusals.of(name),
            }
            for name, each in principals.items()
        ]

    def write(self, principals: Container[str]) -> None:
        """Write what there is; of who signed in, only those that are still principals."""
        self._table.write(self._presence)
        self._seen.write(principals)
        self._refusals.write()
