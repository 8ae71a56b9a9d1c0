"""How a node itself is: the fields that every node has beside its author's."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from sisock.frames import Field, Frame, column

TIMELINE = "health"
FIELDS = {
    "health.state": Field("ok, no data or failed", TIMELINE, "string"),
    "health.took": Field("how long the last attempt took", TIMELINE, "number", "s"),
    "health.error": Field("what went wrong at the last attempt", TIMELINE, "string"),
}
State = Literal["ok", "no data", "failed"]
_LONGEST = 1000


class Health:
    """The state of the last attempt to measure."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """Ask the clock for the time in ns since 1970."""
        self._clock = clock
        self.state: State = "no data"
        self.error: str | None = "nothing was measured yet"

    def report(self, state: State, took: float, error: str | None = None) -> tuple[Frame, bool]:
        """The frame that says so, and whether the state or the error is another than before."""
        now = self._clock()
        error = None if error is None else error[:_LONGEST]
        changed = (state, error) != (self.state, self.error)
        self.state, self.error = state, error
        texts = column([error]) if error else column(np.array([""], np.dtypes.StringDType()))
        if error is None:
            texts = texts._replace(missing=np.array([True]))
        columns = {"health.state": column([state]), "health.took": column([float(took)]), "health.error": texts}
        return Frame(TIMELINE, np.array([now], np.int64), columns), changed
