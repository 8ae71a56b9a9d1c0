"""The policy that the router decides by: one for the whole worker process, kept over restarts."""

import functools
from collections.abc import Sequence
from dataclasses import replace

from sisock import settings
from sisock.fleet.rules import Policy, read_policy
from sisock.keys import Principal
from sisock.keys.entry import CONSUMERS, TAG
from sisock.keys.principals import policy_file, save_policy
from sisock.parsing import from_json
from sisock.settings import Settings


class Rights:
    """The policy now in force. Without one nobody may join."""

    def __init__(self, configured: Settings) -> None:
        self.settings = configured
        self.policy = Policy({})

    def load(self) -> None:
        """Take the policy that lies in the state directory; raise ValueError with the cure where it is broken."""
        path = policy_file(self.settings.state)
        try:
            snapshot = from_json(path.read_text(encoding="utf-8"))
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
    """Principals that lost something: themselves, their role, a way to sign in, or what they may see, command or offer."""
    return {name for name, before in old.principals.items() if _lost(old, new, before, new.principals.get(name))}


def _lost(old: Policy, new: Policy, before: Principal, after: Principal | None) -> bool:
    if after is None or _identity(before) != _identity(after):
        return True
    if not (set(before.keys) <= set(after.keys) and set(before.names) <= set(after.names)):
        return True
    if before.role not in (*CONSUMERS, "recorder"):
        return False
    if not (_covers(after.nodes, before.nodes) and _covers(after.switch, before.switch)):
        return True
    if any(_shrank(old, new, each) for each in (*before.nodes, *before.switch)):
        return True
    return not (after.sensitive or after.role == "admin") and (before.sensitive or bool(new.sensitive - old.sensitive))


def _identity(principal: Principal) -> Principal:
    """All of which any change is one too many for who is signed in."""
    return replace(principal, keys=(), names=(), tags=(), nodes=(), switch=(), sensitive=False)


def _covers(after: Sequence[str], before: Sequence[str]) -> bool:
    """Whether these patterns mean all that those meant, as far as can be told at a glance."""
    return "*" in after or set(before) <= set(after)


def _shrank(old: Policy, new: Policy, pattern: str) -> bool:
    """Whether it is a tag that some node has no more."""
    tag = pattern.removeprefix(TAG)
    return pattern.startswith(TAG) and not old.tags.get(tag, frozenset()) <= new.tags.get(tag, frozenset())


@functools.cache
def rights() -> Rights:
    """The one policy of this worker process, shared by authenticator, authorizer and `set_policy`."""
    shared = Rights(settings.read())
    shared.load()
    return shared
