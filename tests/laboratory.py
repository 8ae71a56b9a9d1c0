"""A real router with principals of every kind, and what its tests have in common."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from sisock.testing import Client, Refused, Router, running_router
from sisock.testing.router import free_port

REALM = "test_realm"
SECRET = "a secret of the field"
PRINCIPALS = {
    "weather": "data_node",
    "host": "data_node",
    "lsof": {"role": "data_node", "sensitive": True},
    "cli": {"role": "consumer", "sensitive": True},
    "ann": {"role": "consumer", "nodes": ["weather"]},
    "bob": {"role": "consumer", "nodes": ["host"]},
}


@contextmanager
def laboratory(folder: Path) -> Iterator[Router]:
    """A router that all of PRINCIPALS, and existing clients on a listener of their own, may join."""
    secret = folder / "secret"
    secret.write_text(SECRET + "\n")
    existing = {
        "server": {"role": "data_node", "names": ["old", "older"], "wampcra": {"secret_file": str(secret)}},
        "simonsobs": {"role": "consumer", "wampcra": {"secret_file": str(secret)}},
    }
    with running_router(
        folder / "state", {**PRINCIPALS, **existing}, legacy_port=free_port(), tls_interface="127.0.0.1"
    ) as running:
        yield running


def legacy(router: Router) -> Client:
    """A connection as existing clients make it: TLS, JSON."""
    url = f"wss://127.0.0.1:{router.settings.legacy_port}/ws"
    return Client(url, serializer="json", ca=router.settings.state / "tls" / "router.pem")


def refused(act, *args, **more) -> Refused:
    """The error with which the router refuses this."""
    with pytest.raises(Refused) as caught:
        act(*args, **more)
    return caught.value


def worker(router: Router) -> psutil.Process:
    """The process that routes."""
    (only,) = psutil.Process(router.process.pid).children()
    return only


def round_trip(client: Client) -> float:
    """Seconds of a call to the router itself."""
    start = time.monotonic()
    client.call("wamp.session.count")
    return time.monotonic() - start
