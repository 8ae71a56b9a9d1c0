"""One sentence for everybody who is refused; the reason goes to the log, a bounded number of lines a minute."""

import time
from collections.abc import Callable

from autobahn.wamp.exception import ApplicationError
from twisted.logger import Logger

from sisock.uris import Uris

SENTENCE = "not authorized: check the name, its key or token, and the address; the router's log has the reason"
LINES = 30  # a minute


class Refused(ApplicationError):  # type: ignore[misc]  # autobahn has no types here
    """Raised where somebody must not join: what the stranger hears is always the same, `reason` is for the log."""

    def __init__(self, uris: Uris, reason: str) -> None:
        super().__init__(uris.error("not_authorized"), reason)


class Refusals:
    """Logs refusals, and counts what it leaves out."""

    log = Logger()

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._minute = clock()
        self._lines = 0

    def note(self, who: object, reason: object) -> None:
        """Log a refusal as one line, unless there were too many in this minute."""
        if self._clock() - self._minute >= 60:
            if self._lines > LINES:
                self.log.warn("refused {more} more in the last minute", more=self._lines - LINES)
            self._minute, self._lines = self._clock(), 0
        self._lines += 1
        if self._lines <= LINES:
            text = " ".join(str(reason).split())
            self.log.warn("refused {who}: {reason}", who=f"{who!r:.80}", reason=f"{text:.300}")
