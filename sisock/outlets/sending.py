"""A thread that sends what waits, in portions, and goes on through every trouble."""

import random
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from sisock.outlets.grafana_live import Trouble
from sisock.outlets.waiting import Waiting

MOST_AT_ONCE = 5000  # lines of a portion
MOST_BYTES = 2**20  # and its bytes
GATHERED = 0.1  # seconds for which lines come together before they go
_FIRST, _LONGEST = 0.5, 60.0  # seconds between attempts where Grafana is away
_TRIALS = 5  # attempts with the same lines where Grafana fails at them


class Target(Protocol):
    """Where lines go."""

    def send(self, lines: Sequence[bytes]) -> None:
        """Hand the lines over; raises Trouble."""

    def close(self) -> None:
        """Hang up."""


class Sender:
    """Sends from a queue until `stop`; `tell` hears a sentence whenever things changed, from the thread."""

    def __init__(self, waiting: Waiting, target: Target, tell: Callable[[str], None], pause: float = _FIRST) -> None:
        """Begin; `pause`: seconds after the first failure, which double with each."""
        self.sent, self.refused = 0, 0
        self._waiting, self._target, self._tell, self._first = waiting, target, tell, pause
        self._trouble, self._failed, self._failing = "", 0, 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    def stop(self, patience: float = 5.0) -> None:
        """Send no more, after what is being sent."""
        self._stopped.set()
        self._thread.join(patience)

    def _run(self) -> None:
        while not self._stopped.is_set():
            if self._waiting.wait(0.5) and not self._stopped.wait(GATHERED):
                self._send(self._waiting.take(MOST_AT_ONCE, MOST_BYTES))
        self._target.close()

    def _send(self, lines: list[bytes]) -> None:
        try:
            self._target.send(lines)
        except Trouble as trouble:
            self._fail(lines, trouble)
        else:
            self.sent += len(lines)
            self._failed = self._failing = 0
            self._change("")

    def _fail(self, lines: list[bytes], trouble: Trouble) -> None:
        """Keep the lines for the next attempt, unless it is they that are not wanted; wait, longer each time."""
        self._failed += 1
        self._failing = self._failing + 1 if trouble.status is not None and trouble.status >= 500 else 0
        if trouble.lines_refused or self._failing >= _TRIALS:
            self.refused += len(lines)
            self._failing = 0
        else:
            self._waiting.put_back(lines)
        self._change(str(trouble))
        longest = min(_LONGEST, self._first * 2 ** min(self._failed - 1, 20))
        self._stopped.wait(longest * random.uniform(0.5, 1.0))

    def _change(self, trouble: str) -> None:
        """Tell the trouble once, and when it is over what it cost."""
        if trouble != self._trouble:
            self._trouble = trouble
            self._tell(f"{trouble}; trying again" if trouble else f"Grafana takes lines again; {self.lost}")

    @property
    def lost(self) -> str:
        """How many lines were lost, as words."""
        return f"{self._waiting.dropped} were dropped for want of room, {self.refused} were refused"
