"""How the router's worker ends when it is told to."""

import signal
from types import FrameType
from typing import Any


def end_in_turn(reactor: Any) -> None:
    """Let SIGTERM end the worker once, and between two events.

    Crossbar's handler writes at once, whatever the signal interrupts: where that is the reactor at work on the same
    descriptor, it loses count of it and goes round without end. The controller repeats what the whole group was told.
    """
    shutdown: Any = signal.getsignal(signal.SIGTERM)

    def told(number: int, _: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        reactor.callFromThread(shutdown, number, None)

    signal.signal(signal.SIGTERM, told)
