"""A node around a command: fixed arguments, no shell, limits on time and output."""

import asyncio
import os
import signal
from typing import Any

from sisock.nodes.base import RING, NoData
from sisock.nodes.live import LiveNode, LiveService
from sisock.nodes.threads import Threads

_PARSER = Threads("parse", most=1)
_STDERR_SHOWN = 200


class CommandError(Exception):
    """A command could not be run, took too long, printed too much or failed; says which."""


class CommandNode(LiveNode):
    """Run a command every `interval` seconds; `parse` makes samples of what it printed, as `sample` would."""

    argv: tuple[str, ...] = ()
    timeout: float = 10.0  # seconds
    max_output: int = 64 * 2**20  # bytes
    exits: tuple[int, ...] = (0,)  # exit codes that are no failure
    cure: str = "install it"  # what to do where the command is missing

    def parse(self, output: str) -> Any:
        """Samples in what the command printed; runs in a thread."""
        raise NoData(f"{type(self).__name__} has no parse(): write one")

    async def sample(self) -> Any:
        """Run the command once."""
        output = await run_command(self.argv, self.timeout, self.max_output, self.exits, self.cure)
        return await _PARSER.run(self.parse, output)

    def service(self, *, ring: int = RING) -> LiveService:
        """This node at work, with `ring` bytes of memory for recent samples."""
        service = LiveService(self, ring=ring)
        service.kind = "command"
        return service


async def run_command(
    argv: tuple[str, ...],
    timeout: float = 10.0,
    max_output: int = 64 * 2**20,
    exits: tuple[int, ...] = (0,),
    cure: str = "install it",
) -> str:
    """What the command printed. Raises CommandError; nothing of the command is left running then."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=2**20,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise CommandError(f"the command {argv[0]!r} is not installed (or not in PATH): {cure}") from error
    except OSError as error:
        raise CommandError(f"the command {argv[0]!r} cannot be run: {error.strerror}") from error
    try:
        async with asyncio.timeout(timeout):
            output, complaint = await asyncio.gather(_read(process.stdout, max_output), _read(process.stderr, max_output))
            code = await process.wait()
    except TimeoutError as error:
        raise CommandError(f"{argv[0]!r} did not end within {timeout:g} s and was stopped") from error
    except OverflowError as error:
        raise CommandError(f"{argv[0]!r} printed more than {max_output} bytes and was stopped") from error
    finally:
        await _end(process)
    if code not in exits:
        said = " ".join(complaint.decode(errors="replace").split())[:_STDERR_SHOWN]
        raise CommandError(f"{argv[0]!r} ended with exit code {code}{': ' if said else ''}{said}")
    return output.decode("utf-8", "replace")


async def _read(pipe: asyncio.StreamReader | None, most: int) -> bytes:
    assert pipe is not None  # noqa: S101  # both are pipes, see above
    pieces, total = [], 0
    while piece := await pipe.read(2**20):
        total += len(piece)
        if total > most:
            raise OverflowError
        pieces.append(piece)
    return b"".join(pieces)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of the command and its children, and reap it."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        await process.wait()
