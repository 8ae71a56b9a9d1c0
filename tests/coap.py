"""CoAP gateways at work without a router, and the clients that speak to them."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import aiocoap
from aiocoap import Context, Message
from aiocoap.oscore import NotAProtectedMessage

from data_nodes.coap.node import Coap
from data_nodes.coap.oscore import client
from sisock.store.journal import Journal
from tests.nodes import Published, working
from tests.peers import need

LIBCOAP = "coap-client-notls"


class Working(NamedTuple):
    """A gateway at work."""

    port: int
    node: Coap
    service: Any
    published: Published

    def uri(self, path: str, host: str = "127.0.0.1") -> str:
        return f"coap://{host}:{self.port}{path}"


class Said(NamedTuple):
    """The code of an answer, as `2.04`, and what it says."""

    code: str
    text: str


def free_port() -> int:
    """A port that is free for UDP, of IPv4 and of IPv6."""
    for _ in range(50):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four,
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six,
        ):
            four.bind(("127.0.0.1", 0))
            port = int(four.getsockname()[1])
            with contextlib.suppress(OSError):
                six.bind(("::1", port))
                return port
    raise AssertionError("no UDP port is free")


@contextlib.asynccontextmanager
async def gateway(home: Path, port: int = 0, **options: Any) -> AsyncIterator[Working]:
    """A gateway with its journal in this folder; `unknown` is open unless something else is said."""
    port = port or free_port()
    node = Coap(**{"unknown": "open", "rate": 0, "interval": 0.05, "port": port, **options})
    node.home = home
    service = node.service(journal=lambda: Journal(home / "coap.sqlite", patient=True))
    async with working(service) as published, asyncio.timeout(60):
        await _listens(port)
        yield Working(port, node, service, published)


async def _listens(port: int) -> None:
    """Return when a gateway answers: a ping until then goes nowhere, which CoAP itself tries again."""
    async with clients() as context:
        while True:
            with contextlib.suppress(aiocoap.error.NetworkError):
                await context.request(
                    Message(code=aiocoap.GET, uri=f"coap://127.0.0.1:{port}/.well-known/core")
                ).response
                return


@contextlib.asynccontextmanager
async def clients(half: Path | None = None) -> AsyncIterator[Context]:
    """A client of aiocoap, with a device's half of its credentials where a folder is given."""
    context = await Context.create_client_context(transports=["oscore", "udp6"])
    if half is not None:
        context.client_credentials = client(half)
    try:
        yield context
    finally:
        await context.shutdown()
        for each in list(context.client_credentials.values()) if half is not None else []:
            each._destroy()


async def ask(context: Context, uri: str, payload: bytes | str = b"", code: Any = aiocoap.POST, **options: Any) -> Said:
    """The answer to a request."""
    raw = payload.encode() if isinstance(payload, str) else payload
    try:
        answer = await context.request(Message(code=code, uri=uri, payload=raw, **options)).response
    except NotAProtectedMessage as bare:  # whoever cannot decrypt cannot answer encrypted
        answer = bare.plain_message
    return Said(answer.code.dotted, answer.payload.decode(errors="replace"))


async def send(uri: str, payload: bytes | str = b"", code: Any = aiocoap.POST, **options: Any) -> Said:
    """The answer to a request of a client that is there for it alone."""
    async with clients() as context:
        return await ask(context, uri, payload, code, **options)


async def libcoap(uri: str, *options: str, client: str = LIBCOAP) -> Said:
    """The answer that libcoap's client gets."""
    argv = (need(client), "-v", "7", "-B", "20", *options, uri)
    running = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = (each.decode() for each in await running.communicate())
    codes = re.findall(r"incoming (\d\.\d\d) response", out + err)
    text = "\n".join(line for line in out.splitlines() if not re.match(r"\w{3} \d\d [\d:.]+ |v:1 ", line))
    return Said(codes[-1] if codes else "none", text)
