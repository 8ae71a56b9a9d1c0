"""What every long-running program of sisock has in common: its log, its signals, its exit code."""

import asyncio
import logging
import resource
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from sisock.exits import Exit
from sisock.printable import printable

TURN = 0.001  # seconds after which a thread that computes lets another go on: those that write and answer wait for less


def run(main: Coroutine[Any, Any, Any], log_level: str = "info") -> int:
    """Run until it returns or a signal ends it; the exit code. Log lines go to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Printable("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=log_level.upper(), force=True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    sys.setswitchinterval(TURN)
    keep_many_open()
    try:
        _complete(_until_signalled(main))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return Exit.OK


class _Printable(logging.Formatter):
    """Log lines that a terminal can show, whatever strangers have sent."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record), keep="\n\t")


def keep_many_open() -> None:
    """Let this process keep as many files open as it may: an archive of a thousand timelines has many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _complete(main: Coroutine[Any, Any, None]) -> None:
    """Run until it returns; an event loop that an author's code has stopped goes on."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        task = loop.create_task(main)
        while not task.done():
            try:
                loop.run_until_complete(task)
            except RuntimeError:
                if task.done():
                    raise
                logging.getLogger(__name__).warning("the event loop was stopped from within; it goes on")


async def _until_signalled(main: Coroutine[Any, Any, Any]) -> None:
    task = asyncio.ensure_future(main)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        logging.getLogger(__name__).info("ended")
