"""Why somebody was refused or dropped: one line each in the log, a bounded number a minute."""

import time
from collections.abc import Callable

from twisted.logger import Logger

SENTENCE = "not authorized: check the name, its key or token, and the address; the router's log has the reason"
LINES = 30  # a minute


class Notes:
    """Logs the first lines of each minute, and counts what it leaves out."""

    log = Logger()

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._minute = clock()
        self._lines = 0
        self.tell: Callable[[str, str], None] = lambda name, reason: None  # hears who was refused under a name, and why

    def refused(self, who: object, reason: object) -> None:
        """Note that somebody was not let in. They hear SENTENCE, whatever the reason."""
        self._note(f"refused {who!r:.80}: {reason}")
        if isinstance(who, str):
            self.tell(who, _plain(reason)[:200])

    def dropped(self, who: object, reason: object) -> None:
        """Note that a connection ended that should not have."""
        self._note(f"dropped {who!r:.80}: {reason}")

    def _note(self, text: str) -> None:
        if self._clock() - self._minute >= 60:
            if self._lines > LINES:
                self.log.warn("{more} more were refused or dropped", more=self._lines - LINES)
            self._minute, self._lines = self._clock(), 0
        self._lines += 1
        if self._lines <= LINES:
            self.log.warn("{text}", text=_plain(text)[:400])


def _plain(text: object) -> str:
    """The text in one line, without what a terminal would obey: some of it is a stranger's."""
    return "".join(each if each.isprintable() else "?" for each in " ".join(str(text).split()))


notes = Notes()
