"""The gateway listens: waitress behind its socket, TLS before it where others than this machine may come."""

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from sisock import interfaces
from sisock.web.connections import Limits, Server, make_server

log = logging.getLogger(__name__)
_IDLE = 60  # seconds without a byte until a connection is closed
_PIECE = 65_536  # bytes
_ENDS_WITHIN = 10.0  # seconds


@contextlib.asynccontextmanager
async def answering(
    app: Callable[..., Any], listening: socket.socket, workers: int, limits: Limits
) -> AsyncIterator[Callable[[], int]]:
    """While within, the app answers on the socket, in threads; afterwards what was begun is answered.

    Gives what says how many connections are open.
    """
    server = make_server(app, listening, workers, limits)
    running = threading.Thread(target=_run, args=(server,), name="ingest", daemon=True)
    running.start()
    try:
        yield lambda: len(server.active_channels)
    finally:
        await asyncio.to_thread(_stop, server, running)


def _run(server: Server) -> None:
    server.asyncore.loop(timeout=1, map=server._map, use_poll=True)  # noqa: SLF001  # run() takes signals for its own


def _stop(server: Server, running: threading.Thread) -> None:
    """Let what is being answered come to its end, then close all."""

    def close() -> None:
        for each in list(server.active_channels.values()):
            each.handle_close()
        server.close()

    server.task_dispatcher.shutdown(timeout=_ENDS_WITHIN)
    server.trigger.pull_trigger(close)
    running.join(_ENDS_WITHIN)


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises OSError with the cure."""
    try:
        return socket.create_server((host, port), family=interfaces.family(host), backlog=128)
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (")[0]
        where = interfaces.host_and_port(host, port)
        raise OSError(f"cannot listen on {where}: {why}: stop what is there, or set another port") from error


def context(certificate: str, key: str) -> ssl.SSLContext:
    """TLS with this certificate. Raises ValueError with the cure."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(Path(certificate).expanduser(), Path(key).expanduser())
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"the certificate {certificate} with {key} cannot be used: {error}") from error
    return made


@contextlib.asynccontextmanager
async def encrypted(
    host: str, port: int, tls: ssl.SSLContext, inner: int, most: int, peers: dict[int, str]
) -> AsyncIterator[None]:
    """While within, TLS connections are handed on to the port of this machine; `peers`: from which port whose come there."""
    room = asyncio.Semaphore(2 * most)  # behind it the one that has waited longest gives way

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if room.locked():
            writer.close()
            return
        async with room, contextlib.AsyncExitStack() as stack:
            stack.callback(writer.close)
            with contextlib.suppress(OSError, ssl.SSLError):
                own = stack.enter_context(socket.socket())
                own.setblocking(False)
                own.bind(("127.0.0.1", 0))
                ours = own.getsockname()[1]
                peers[ours] = str(writer.get_extra_info("peername")[0])
                stack.callback(peers.pop, ours)
                await asyncio.get_running_loop().sock_connect(own, ("127.0.0.1", inner))
                back, on = await asyncio.open_connection(sock=own)
                stack.callback(on.close)
                both = [asyncio.ensure_future(_pipe(reader, on)), asyncio.ensure_future(_pipe(back, writer))]
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait({both[1]}, timeout=_IDLE)
                for each in both:
                    each.cancel()

    try:
        server = await asyncio.start_server(hand_on, host, port, ssl=tls, ssl_handshake_timeout=10)
    except OSError as error:
        where = interfaces.host_and_port(host, port)
        raise OSError(f"cannot listen on {where}: {error.strerror}: set another port") from error
    async with server:
        yield


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
