"""Tell whoever started this process that it is ready, by the sd_notify datagram protocol."""

import contextlib
import socket

from sisock.settings import notify_socket


def ready(status: str = "") -> None:
    """Say that this part works, and how it is in a few words; nothing happens where nobody listens."""
    _send(f"READY=1\nSTATUS={_line(status)}")


def status(text: str) -> None:
    """Say how this part is now, in a few words."""
    _send(f"STATUS={_line(text)}")


def _line(text: str) -> str:
    return " ".join(text.split())[:200]


def _send(message: str) -> None:
    address = notify_socket()
    if not address:
        return
    # a name that begins with @ lies in Linux' abstract namespace, see sd_notify(3)
    name = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending, contextlib.suppress(OSError):
        sending.setblocking(False)
        sending.sendto(message.encode(), name)
