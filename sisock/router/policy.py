"""The policy that the router decides by: one for the whole worker process, kept over restarts."""

import functools
import json

from sisock import settings
from sisock.fleet.rules import Policy, read_policy
from sisock.keys import Principal
from sisock.keys.principals import policy_file, save_policy
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
    return {name for name, before in old.principals.items() if _lost(old, new, before, new.principals.get(name))}


def _lost(old: Policy, new: Policy, before: Principal, after: Principal | None) -> bool:
    if after is None or not set(before.keys) <= set(after.keys):
        return True
    if (before.role, before.names, before.nodes, before.secret_file) != (
        after.role,
        after.names,
        after.nodes,
        after.secret_file,
    ):
        return True
    listens = before.role in ("consumer", "recorder") and not after.sensitive
    return listens and (before.sensitive or bool(new.sensitive - old.sensitive))


@functools.cache
def rights() -> Rights:
    """The one policy of this worker process, shared by authenticator, authorizer and `set_policy`."""
    shared = Rights(settings.read())
    shared.load()
    return shared
