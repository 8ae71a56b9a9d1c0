"""The policy that the router decides by: one for the whole worker process, kept over restarts."""

import functools
import json

from sisock import settings
from sisock.keys.principals import policy_file, save_policy
from sisock.router.rules import Policy, read_policy
from sisock.settings import Settings


class Rights:
    """The policy now in force. Without one nobody may join."""

    def __init__(self, configured: Settings) -> None:
        self.settings = configured
        self.policy = Policy({}, frozenset())

    def load(self) -> None:
        """Take the policy that lies in the state directory; raise ValueError with the cure where it is broken."""
        path = policy_file(self.settings.state)
        try:
            snapshot = json.loads(path.read_text(encoding="utf-8"))
            self.policy = read_policy(snapshot)
        except FileNotFoundError:
            return  # a router on its own gets its policy from the hub
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def replace(self, snapshot: object) -> set[str]:
        """Put this policy in force and keep it; return the principals whose sessions have to end.

        Raises ValueError, and changes nothing, where it is not a policy.
        """
        new = read_policy(snapshot)
        save_policy(self.settings.state, snapshot)  # type: ignore[arg-type]  # read_policy has checked it
        ending = revoked(self.policy, new)
        self.policy = new
        return ending


def revoked(old: Policy, new: Policy) -> set[str]:
    """Principals that lost something: themselves, a key, their role or what they may see or offer."""
    ending = set()
    for name, before in old.principals.items():
        after = new.principals.get(name)
        if after is None or not set(before.keys) <= set(after.keys):
            ending.add(name)
        elif (before.role, before.names, before.nodes) != (after.role, after.names, after.nodes):
            ending.add(name)
        elif before.role in ("consumer", "recorder") and not after.sensitive:
            if before.sensitive or new.sensitive - old.sensitive:
                ending.add(name)  # it may be listening to what it may no longer see
    return ending


@functools.cache
def rights() -> Rights:
    """The one policy of this worker process, shared by authenticator, authorizer and `set_policy`."""
    shared = Rights(settings.read())
    shared.load()
    return shared
