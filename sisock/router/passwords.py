"""Passwords as the router checks them: in a thread, one at a time, and of nobody who has guessed too often."""

import ipaddress
from collections import Counter

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.internet.threads import deferToThread

from sisock.keys import passwords
from sisock.router.guesses import Guesses

MOST_WAITING, MOST_FROM_ONE = 20, 4  # sign-ins that wait for their password to be checked: all, from one place
FROM_ALL = 100  # wrong passwords for one name, wherever from, before the first wait


class Passwords:
    """Checks passwords without keeping the router from its work."""

    def __init__(self) -> None:
        self._lock = DeferredLock()
        self._waiting: Counter[str] = Counter()
        self._near, self._all = Guesses(), Guesses(FROM_ALL)

    def check(self, name: str, peer: str, kept: str, password: str) -> "Deferred[str]":
        """Why this is not the password that was kept; empty where it is. `peer`: as in tcp4:192.0.2.1:5000."""
        where = place(peer)
        if self._waiting.total() >= MOST_WAITING or self._waiting[where] >= MOST_FROM_ONE:
            return succeed("too many sign in at the same time")
        self._waiting[where] += 1
        answer: Deferred[str] = self._lock.run(self._check, name, where, kept, password[: passwords.LONGEST + 1])
        return answer.addBoth(self._done, where)

    def _check(self, name: str, where: str, kept: str, password: str) -> "Deferred[str]":
        near = (name, where)
        wait = max(self._near.wait(near), self._all.wait(name))
        if wait:
            return succeed(f"it guessed wrong too often, and is heard again in {wait:.0f} s")

        def checked(right: bool) -> str:
            if right:
                self._near.right(near)
                self._all.right(name)
                return ""
            self._near.wrong(near)
            self._all.wrong(name)
            return "its password is wrong" if kept else "no person of this name signs in with a password"

        answer: Deferred[bool] = deferToThread(passwords.check, kept, password)
        return answer.addCallback(checked)

    def _done(self, answer: object, where: str) -> object:
        self._waiting[where] -= 1
        if not self._waiting[where]:
            del self._waiting[where]
        return answer


def place(peer: str) -> str:
    """Where somebody guesses from: the IPv4 address, or the /64 network of an IPv6 one, all of which one machine may have."""
    address = peer.partition(":")[2].rpartition(":")[0].strip("[]")
    try:
        prefix = 64 if ipaddress.ip_address(address).version == 6 else 32
    except ValueError:
        return ""
    return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))
