"""UDP sockets with CoAP on them, within limits that aiocoap itself does not set: pace, and memory of what came."""

import contextlib
import ipaddress
import logging
import socket
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from aiocoap import Context, error
from aiocoap.numbers import TransportTuning
from aiocoap.transports.udp6 import UDP6EndpointAddress

from data_nodes.coap.coaps import Open, Secure
from data_nodes.coap.pace import Pace

log = logging.getLogger(__name__)
_MOST_RECENT = 10_000  # messages that are remembered with their answers, to be answered again
_QUIET = "coap-server"  # aiocoap's logger: a line for each odd datagram would fill a disk
_PATIENT = type("Patient", (TransportTuning,), {"EMPTY_ACK_DELAY": 0.7})()  # s; a sender waits 2 before it sends again
Dropped = Callable[[], None]


class Recent(OrderedDict[Any, Any]):
    """The messages of late and their answers, as aiocoap keeps them; the oldest give way."""

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        if len(self) > _MOST_RECENT:
            self.popitem(last=False)

    def pop(self, key: Any, default: Any = None) -> Any:
        """Forget a message; one that gave way already is no error."""
        return super().pop(key, default)


@contextlib.asynccontextmanager
async def listening(
    site: Any, hosts: Sequence[str], port: int, pace: Pace, dropped: Dropped, secure: tuple[int, Open] | None = None
) -> AsyncIterator[list[str]]:
    """Serve a site on each of these addresses for as long as the block lasts; gives where.

    `secure`: a further port, on which DTLS is spoken, and how its sessions are opened. Raises OSError with the cure where
    no address can be had.
    """
    logging.getLogger(_QUIET).setLevel(logging.CRITICAL)
    async with contextlib.AsyncExitStack() as stack:
        where: list[str] = []
        for host in hosts:
            try:
                context = await _context(site, host, port, pace, dropped)
            except (OSError, error.Error) as trouble:
                if where or host != hosts[-1]:  # a machine without IPv6 has the other
                    log.info("CoAP is not at %s: %s", host, trouble)
                    continue
                raise OSError(f"CoAP cannot listen at {_shown(host, port)}: {trouble}") from trouble
            stack.push_async_callback(context.shutdown)
            where.append(f"coap://{_shown(host, port)}")
            if secure is not None:
                where.append(await _secure(context, host, *secure, pace, dropped))
        yield where


def addresses(host: str) -> list[str]:
    """The addresses of this machine that a host means; of IPv4 and IPv6. Raises OSError."""
    if host == "localhost":
        return ["127.0.0.1", "::1"]
    found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def is_loopback(hosts: Sequence[str]) -> bool:
    """Whether only this machine can reach these addresses."""
    return all(ipaddress.ip_address(host.split("%")[0]).is_loopback for host in hosts)


async def _context(site: Any, host: str, port: int, pace: Pace, dropped: Dropped) -> Any:
    _check_free(host, port)
    context = await Context.create_server_context(site, bind=(host, port), loggername=_QUIET, transports=["udp6"])
    for interface in context.request_interfaces:
        manager = interface.token_interface
        manager._recent_messages = Recent()  # noqa: SLF001  # aiocoap has no setting for it
        _prepare(manager)
        _guard(manager.message_interface, pace, dropped)
    return context


async def _secure(context: Any, host: str, port: int, opened: Open, pace: Pace, dropped: Dropped) -> str:
    """Speak DTLS at this port as well; gives where. Raises OSError with the cure."""
    try:
        _check_free(host, port)
        await context._append_tokenmanaged_messagemanaged_transport(  # noqa: SLF001  # what aiocoap appends its own with
            lambda manager: Secure(manager, opened, pace, dropped, _PATIENT).listen(host, port)
        )
    except OSError as trouble:
        raise OSError(f"CoAP over DTLS cannot listen at {_shown(host, port)}: {trouble}") from trouble
    context.request_interfaces[-1].token_interface._recent_messages = Recent()  # noqa: SLF001
    return f"coaps://{_shown(host, port)}"


class Peer(UDP6EndpointAddress):  # type: ignore[misc]  # aiocoap has no types
    """The address of a sender; what aiocoap works out many times for each message is known. No group is joined here."""

    is_multicast = is_multicast_locally = False

    def __repr__(self) -> str:
        return f"<{self.sockaddr[0]} {self.sockaddr[1]}>"


def _prepare(manager: Any) -> None:
    """Let answers wait for the disk in the acknowledgement, and spare work on addresses: both make a busy gateway quicker."""
    dispatch = manager.dispatch_message

    def dispatched(message: Any) -> None:
        message.transport_tuning = _PATIENT
        message.remote = Peer(message.remote.sockaddr, message.remote.interface, pktinfo=message.remote.pktinfo)
        dispatch(message)

    manager.dispatch_message = dispatched


def _guard(interface: Any, pace: Pace, dropped: Dropped) -> None:
    """Let nobody's datagrams be read faster than the pace, and none of them end anything."""
    receive = interface.datagram_msg_received

    def received(data: bytes, ancillary: Any, flags: int, address: Any) -> None:
        if not pace.allows(address[0], interface.loop.time()):
            dropped()
            return
        try:
            receive(data, ancillary, flags, address)
        except Exception as trouble:  # noqa: BLE001  # whatever strangers send, others are served
            log.debug("a datagram of %s: %r", address[0], trouble)

    interface.datagram_msg_received = received


def _check_free(host: str, port: int) -> None:
    """Raise OSError where another program has the port: aiocoap would share it, and get some of the datagrams."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as trial:
        if family == socket.AF_INET6:
            trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        trial.bind((host, port))


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
