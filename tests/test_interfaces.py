"""Where this machine listens."""

import socket

import pytest

from sisock.interfaces import PortTaken, check_free, everywhere, host_and_port, reachable


@pytest.mark.parametrize(
    ("interface", "everything", "host", "address"),
    [
        ("", True, "127.0.0.1", "127.0.0.1:80"),
        ("0.0.0.0", True, "127.0.0.1", "127.0.0.1:80"),
        ("::", True, "::1", "[::1]:80"),
        ("127.0.0.1", False, "127.0.0.1", "127.0.0.1:80"),
        ("fd00::7", False, "fd00::7", "[fd00::7]:80"),
        ("lab.example", False, "lab.example", "lab.example:80"),
    ],
)
def test_an_interface_says_where_this_machine_reaches_it(interface, everything, host, address):
    assert (everywhere(interface), reachable(interface), host_and_port(interface, 80)) == (everything, host, address)


def test_a_port_is_free_until_somebody_listens_there():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for interface in ("127.0.0.1", "0.0.0.0"):
            with pytest.raises(PortTaken, match=f"the port 127.0.0.1:{port} is taken: .* another with --x-port"):
                check_free(interface, port, "--x-port")
    check_free("127.0.0.1", port, "--x-port")


def test_an_interface_that_is_not_ours_says_why():
    with pytest.raises(PortTaken, match=r"the port 192\.0\.2\.7:8080 cannot be used \(.+\): stop what listens there"):
        check_free("192.0.2.7", 8080, "--x-port")
