"""The interfaces on which this machine listens: all of them or one, how it reaches them, and whether a port is free."""

import errno
import ipaddress
import socket

_NETWORK = 64  # bits of an IPv6 address that are one sender's
_EVERY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # interfaces that are all there are: one to reach


class PortTaken(OSError):
    """A port cannot be listened on; says which, why, and the cure."""


def everywhere(interface: str) -> bool:
    """True if whoever listens there does so on every address of this machine."""
    return interface in _EVERY


def loopback(interface: str) -> bool:
    """True if nobody beyond this machine reaches what listens there."""
    if interface == "localhost":
        return True
    try:
        return ipaddress.ip_address(interface).is_loopback
    except ValueError:
        return False


def reachable(interface: str) -> str:
    """The host under which this machine reaches what listens there."""
    return _EVERY.get(interface, interface)


def host_and_port(interface: str, port: int) -> str:
    """The interface and port as they stand in an address that this machine can open."""
    return f"{bracketed(reachable(interface))}:{port}"


def bracketed(host: str) -> str:
    """The host as it stands in an address."""
    return f"[{host}]" if ":" in host else host


def sender(address: str) -> str:
    """Who comes from an address: of IPv6, whoever has its network."""
    host = address.split("%", maxsplit=1)[0]
    if host.startswith("::ffff:") or ":" not in host:
        return host
    return str(ipaddress.ip_network((host, _NETWORK), strict=False))


def family(interface: str) -> socket.AddressFamily:
    """The family of sockets that can listen there."""
    return socket.AF_INET6 if ":" in interface else socket.AF_INET


def check_free(interface: str, port: int, option: str) -> None:
    """Raise PortTaken if nobody can listen there now; the cure is to give another port with the option."""
    with socket.socket(family(interface)) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((interface, port))
            trial.listen(1)
        except OSError as error:
            why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror or error})"
            where = host_and_port(interface, port)
            raise PortTaken(
                f"the port {where} {why}: stop what listens there, or choose another with {option}"
            ) from error
