"""Load what authors wrote: whatever it does, it comes to an end, and what is wrong is told with file and line."""

import contextlib
import signal
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sisock.nodes.base import sentence

PATIENCE = 15.0  # seconds that an import may take


@contextlib.contextmanager
def loading(what: str, path: Path | None = None, patience: float = PATIENCE) -> Iterator[None]:
    """Turn all that an import raises, and that it takes too long, into a ValueError; with the line of the file."""
    try:
        with _limited(patience):
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit() and the like, too
        line = _line(error, path) if path else None
        where = f"{what}, line {line}" if line else what
        raise ValueError(f"{where}: cannot be loaded: {sentence(error)}") from error


def _line(error: BaseException, path: Path) -> int | None:
    """The line of the file at which it happened."""
    file = path.absolute()
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename) == file:
        return error.lineno
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if Path(frame.f_code.co_filename) == file]
    return lines[-1] if lines else None


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise TimeoutError within the block if it takes longer; only the main thread can be so interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(*_: Any) -> None:
        raise TimeoutError(f"it was not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    rest, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, rest)
        signal.signal(signal.SIGALRM, before)
