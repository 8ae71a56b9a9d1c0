"""Who may sign in: the policy as the hub hands it to the router, and the procedures by which principals come and go."""

import asyncio
import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

from sisock.fleet.kept import Principals
from sisock.fleet.ledger import Ledger
from sisock.fleet.rules import Policy, read_policy
from sisock.keys import certificates, compile_policy, invitations, revoking
from sisock.keys.authority import Authority
from sisock.settings import Settings
from sisock.wamp import Call, Handler, Link, WampError

log = logging.getLogger(__name__)
_LOOK = 0.25  # seconds between looks at the principals' folder


class Admission:
    """The principals of the state directory, and the policy that they make."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        """Begin with the principals that are there. Raises ValueError with the cure where a file cannot be read."""
        self._settings, self._ledger = settings, ledger
        snapshot = compile_policy(settings.state)
        self._principals = Principals(settings.state, snapshot["principals"])
        self.policy: Policy = read_policy(snapshot)
        self._answering: dict[str, Any] = {}  # used invitations whose sessions are still to hear that they are

    def procedures(self, link: Link) -> Iterator[tuple[str, Handler]]:
        """What the hub offers of this, by URI."""
        uris = self._settings.uris
        yield uris.enroll, partial(self._enroll, link)
        yield uris.renew, self._renew
        yield uris.principals, self._list
        yield uris.revoke, self._revoke

    async def watch(self, link: Link) -> None:
        """Hand the router a new policy when somebody is admitted, changed or dismissed."""
        while True:
            await asyncio.sleep(_LOOK)
            if link.joined.is_set() and self._principals.changed():
                try:
                    await self.hand_over(link)
                except WampError as error:
                    log.warning("hub: the router did not take the policy, once more in a moment: %s", error)

    async def hand_over(self, link: Link) -> None:
        """Hand the router the policy as it is now. Raises WampError."""
        snapshot, stamps = self._principals.read()
        answering = dict(self._answering)
        snapshot = {**snapshot, "principals": {**answering, **snapshot["principals"]}}
        await link.call(self._settings.uris.set_policy, snapshot)
        before, self.policy = self.policy, read_policy(snapshot)
        for name in before.principals.keys() - self.policy.principals.keys():
            self._ledger.forget(name)
        if not answering:  # otherwise there is more to hand over soon
            self._principals.taken(stamps)
        log.info("hub: policy of %d principals handed to the router", len(self.policy.principals))

    async def _enroll(self, link: Link, call: Call) -> dict[str, str]:
        """Admit who holds an invitation; the router knows the newcomer before it hears so, and comes back."""
        invitation = self._principals.entry(call.authid)
        name, public, signature, request, *_ = (*call.args, None, None, None, None)
        try:
            admitted = invitations.accept(self._settings.state, call.authid, name, public, signature, request)
        except invitations.RefusedError as error:
            log.warning("hub: %s may not enroll: %s", call.authid, error)
            raise WampError("not_authorized", str(error)) from error
        log.info("hub: %s is enrolled as %s by %s", admitted.name, admitted.role, call.authid)
        self._ledger.forget(admitted.name)
        if invitation is not None:  # without it the caller's session would end before the answer
            self._answering[str(call.authid)] = invitation
        asyncio.get_running_loop().call_later(_LOOK, self._answering.pop, str(call.authid), None)
        try:
            await self.hand_over(link)
        except WampError as error:
            log.warning("hub: the router did not take the policy, once more in a moment: %s", error)
        return admitted._asdict()

    async def _renew(self, call: Call) -> str:
        """Another certificate for who has one; the name is that of the session."""
        principal = self.policy.principals.get(call.authid or "")
        if principal is None or not principal.certificate or not call.authid:
            raise WampError("not_authorized", f"{call.authid} has no certificate that could be renewed")
        try:
            public = certificates.read_request(call.args[0] if call.args else None, call.authid)
            return Authority(self._settings.state / "ca").issue_client(call.authid, public)
        except ValueError as error:
            raise WampError("bad_request", str(error)) from error

    async def _list(self, _: Call) -> list[dict[str, Any]]:
        return self._ledger.listed(self.policy.principals)

    async def _revoke(self, call: Call) -> None:
        name = call.args[0] if call.args else None
        try:
            revoking.revoke(self._settings.state, name)
        except ValueError as error:
            raise WampError("bad_request", str(error)) from error
        log.warning("hub: %s has revoked %s", call.authid, name)
