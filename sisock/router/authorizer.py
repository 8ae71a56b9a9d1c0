"""Decides every action of every session, in the router itself: no decision costs a round trip."""

from typing import Any

from sisock.fleet.rules import Action, allows
from sisock.router.policy import rights


def authorize(role: object, session: Any, uri: str, action: str, options: dict[str, Any]) -> dict[str, bool]:
    """Answer Crossbar whether the session may do this.

    Never to be cached: Crossbar's cache does not tell the users of a role apart. Who calls and publishes is disclosed.
    """
    shared = rights()
    allow = allows(shared.policy, shared.settings.uris, str(session._authid), Action(action, uri, options or {}))  # noqa: SLF001
    answer = {"allow": allow, "cache": False}
    return {**answer, "disclose": True} if action in ("call", "publish") else answer
