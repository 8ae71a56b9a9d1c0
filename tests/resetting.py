"""A wire to the router on which connections are reset (RST), as by a network that forgets them."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class Wire:
    """Passes on what comes to its port; who is connected can be reset."""

    def __init__(self, port: int) -> None:
        """Pass on to this port of loopback."""
        self.port, self._to = 0, port
        self._open: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Future[None]] = set()
        self.connected = asyncio.Event()

    def reset(self) -> int:
        """Reset all connections, at both ends; how many these were."""
        ends, self._open = self._open, set()
        self.connected.clear()
        for each in ends:
            with contextlib.suppress(OSError):  # closed already
                each.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            each.transport.abort()
        return len(ends) // 2

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until one of its ends closes it."""
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            self._open |= {writer, back}
            self.connected.set()
            both = {asyncio.ensure_future(_copy(*each)) for each in ((reader, back), (there, writer))}
            self._passing |= both
            await asyncio.wait(both)
            self._passing -= both

    async def end(self) -> None:
        """Let nobody be connected any more."""
        self.reset()
        if self._passing:
            await asyncio.wait(self._passing, timeout=5)
        await asyncio.sleep(0)  # for those who waited for them


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def wire(port: int) -> AsyncIterator[Wire]:
    """A wire to a port of loopback, for as long as the block lasts."""
    made = Wire(port)
    async with await asyncio.start_server(made.pass_on, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made
    await made.end()
