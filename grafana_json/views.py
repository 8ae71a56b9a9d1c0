"""What whoever asks the bridge sees: the bridge's own part of the fleet, or, with an API token, that of its principal.

The bridge decides nothing: for each token it signs in at the router once more, which enforces what that principal may.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from grafana_json.directory import READERS, Directory
from grafana_json.measures import Measures
from grafana_json.series import Panels
from grafana_json.sharing import Sharing
from grafana_json.source import Source, Visiting
from sisock.errors import ConsumerError, NoHub
from sisock.keys.api_tokens import ApiToken

log = logging.getLogger(__name__)
MOST, MOST_NEW = 32, 4  # tokens with a connection at a time; and that are being tried
IDLE = 600.0  # seconds after which a connection that nobody uses is ended
_READERS = 2  # nodes asked for their fields at the same time, for one token
_LOOK = 0.02  # seconds between looks whether the router has let a token in

Connect = Callable[[ApiToken], Visiting]


class UnwelcomeError(Exception):
    """The router does not let this token in."""


class View(NamedTuple):
    """What one who asks sees of the fleet."""

    source: Sharing
    directory: Directory
    panels: Panels

    @classmethod
    def through(
        cls, source: Source, deadline: float, most: int, readers: int = READERS, measures: Measures | None = None
    ) -> "View":
        """What this consumer sees; nobody waits for longer than the deadline, in seconds. `most`: bytes of answers kept."""
        shared = Sharing(source, deadline, most, measures.answered if measures else lambda *_: None)
        directory = Directory(shared, deadline, readers, tells=measures is not None)
        if measures:
            measures.watch(shared, directory)
        return cls(shared, directory, Panels(shared, directory, deadline))


class Visit:
    """A token that the router has let in, and how many are using it now."""

    def __init__(self, source: Visiting, deadline: float, most: int, used: float) -> None:
        self.source, self.view = source, View.through(source, deadline, most, _READERS)
        self.used, self.users = used, 0  # when somebody came with it last, and who has not gone yet
        self.stale = False  # whether the connection was lost since: what it may see can be less now
        self.ended = False
        source.on_lost(self._lost)

    def _lost(self) -> None:
        self.stale = True

    def end(self) -> None:
        """End it once nobody uses it, without keeping anybody waiting; called in turn."""
        self.ended = True
        if not self.users:
            self.view.directory.close()
            threading.Thread(target=_leave, args=(self.source,), daemon=True).start()


class Visitors:
    """A connection for each token that is in use. Any thread may ask."""

    def __init__(
        self, connect: Connect, deadline: float, most: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Connect so, wait for the router for so many seconds, and keep so many bytes of answers for all of them."""
        self._connect, self._deadline, self._clock, self._most = connect, deadline, clock, most // MOST
        self._visits: dict[ApiToken, Visit] = {}  # the last that was asked for is the last here
        self._turn = threading.Lock()
        self._new = threading.BoundedSemaphore(MOST_NEW)

    def enter(self, token: ApiToken) -> Visit:
        """What the token's principal sees, until `done`. Raises UnwelcomeError, and NoHub while there is no router."""
        with self._turn:
            self._sweep()
            visit = self._use(token)
        return visit or self._begin(token)

    def done(self, visit: Visit) -> None:
        """Note that one who entered needs it no more."""
        with self._turn:
            visit.users -= 1
            if visit.ended:
                visit.end()

    def _use(self, token: ApiToken) -> Visit | None:
        """The visit of the token, if there is one that can be used; called in turn."""
        visit = self._visits.pop(token, None)
        if visit is not None:
            self._visits[token] = visit
            visit.used = self._clock()
            visit.users += 1
        return visit

    def close(self) -> None:
        """End all of them."""
        with self._turn:
            visits, self._visits = self._visits, {}
            for visit in visits.values():
                visit.users = 0
                visit.end()

    def _begin(self, token: ApiToken) -> Visit:
        """Try a token, apart from those that the router has let in: whoever makes some up does not push these out."""
        with self._one_of_few():
            source = self._connect(token)
            if not self._joined(source):
                refused = source.refused
                threading.Thread(target=_leave, args=(source,), daemon=True).start()
                if refused:
                    raise UnwelcomeError(token.name)
                raise NoHub("the bridge is not joined to the router: start it with `sisock up`")
        made = Visit(source, self._deadline, self._most, self._clock())
        with self._turn:
            visit = self._use(token)  # the same token, tried at the same time: who was first stays
            if visit is not None:
                made.end()
                return visit
            self._visits[token] = made
            made.users = 1
            for _ in range(len(self._visits) - MOST):
                self._visits.pop(next(iter(self._visits))).end()
        return made

    @contextmanager
    def _one_of_few(self) -> Iterator[None]:
        if not self._new.acquire(timeout=self._deadline):
            raise NoHub("too many new tokens come at the same time: ask again")
        try:
            yield
        finally:
            self._new.release()

    def _joined(self, source: Visiting) -> bool:
        """Wait until the router has let it in, or not."""
        until = time.monotonic() + self._deadline
        while not (source.connected or source.refused) and time.monotonic() < until:
            time.sleep(_LOOK)
        return source.connected

    def _sweep(self) -> None:
        """End the visits that nobody uses any more, or whose connection was lost; called in turn."""
        for token, visit in list(self._visits.items()):
            idle = not visit.users and self._clock() - visit.used > IDLE
            if visit.stale or visit.source.refused or idle:
                del self._visits[token]
                visit.end()


def _leave(source: Visiting) -> None:
    try:
        source.close()
    except ConsumerError as error:
        log.info("a visitor did not leave in order: %s", error)
