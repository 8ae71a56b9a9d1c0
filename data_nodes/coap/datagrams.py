"""A UDP socket that answers from that address of its own at which it was asked: a machine may have several."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable

from data_nodes.coap.dtls import Address

_LARGEST = 65_536  # bytes
_INFO = struct.Struct("16sI")  # in6_pktinfo of RFC 3542: an address of ours, and an interface


class Datagrams:
    """Datagrams of IPv6, and of IPv4 in its addresses. An address is that of another, and behind it ours: `(*theirs, ours)`."""

    def __init__(self, host: str, port: int, received: Callable[[bytes, Address], None]) -> None:
        """Give what comes to `received`, in the loop that runs. Raises OSError."""
        self._received, self._loop = received, asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            found = socket.getaddrinfo(host, port, socket.AF_INET6, socket.SOCK_DGRAM, flags=socket.AI_V4MAPPED)
            self._socket.bind(found[0][4])
        except OSError:
            self._socket.close()
            raise
        self._loop.add_reader(self._socket, self._read)

    def send(self, datagram: bytes, address: Address) -> None:
        """Send to an address from which something came; what cannot be sent now is lost, as UDP has it."""
        *theirs, ours = address
        info = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _INFO.pack(ours, 0))] if ours else []
        with contextlib.suppress(OSError):
            self._socket.sendmsg([datagram], info, 0, tuple(theirs))

    def close(self) -> None:
        """Send and take no more."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _read(self) -> None:
        try:
            datagram, told, _, theirs = self._socket.recvmsg(_LARGEST, socket.CMSG_SPACE(_INFO.size))
        except OSError:  # what was sent came to nobody, or somebody else has read it
            return
        infos = (info for level, kind, info in told if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO))
        self._received(datagram, (*theirs, next(infos, b"")[:16]))
