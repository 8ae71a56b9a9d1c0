"""What `sisock up` shows: a line per change, and what is awaited."""

import asyncio
import contextlib
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable

import click

from sisock.supervisor import Change


class Screen:
    """One line per change of a part; on a terminal, below them a line that tells what is awaited."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._waiting = ""

    def tell(self, change: Change) -> None:
        """Print the change."""
        if change.state == "up":
            self.line(f"{change.part:<10} {change.text or 'up':<24} {change.seconds:5.1f} s")
        elif change.state == "down":
            self.line(f"{change.part:<10} {change.text}; starts again in {change.seconds:.1f} s")
        else:
            self.line(f"{change.part:<10} waits, trying each {change.seconds:.0f} s: {change.text}")

    def line(self, text: str) -> None:
        """Print a line above what is awaited."""
        with contextlib.suppress(OSError):  # whoever looked may have gone; the parts go on
            self._erase()
            click.echo(text)
            self._draw()

    @contextlib.asynccontextmanager
    async def waiting(self, missing: Callable[[], list[str]]) -> AsyncIterator[None]:
        """Keep telling what is awaited, where that is a terminal; `missing` gives the names."""
        task = asyncio.create_task(self._refresh(missing)) if self._live else None
        try:
            yield
        finally:
            if task:
                task.cancel()
                self._erase()
                self._waiting = ""

    async def _refresh(self, missing: Callable[[], list[str]]) -> None:
        began = time.monotonic()
        while True:
            self._erase()
            self._waiting = f"waiting for {', '.join(missing())}  {time.monotonic() - began:.0f} s"
            self._draw()
            await asyncio.sleep(0.5)

    def _draw(self) -> None:
        if self._waiting:
            click.echo(self._waiting[: shutil.get_terminal_size().columns - 1], nl=False)

    def _erase(self) -> None:
        if self._waiting:
            click.echo("\r\x1b[K", nl=False)
