"""A real router for tests: Crossbar in processes of its own, on a free port, with its state where the test says."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sisock import settings as configuration
from sisock.keys import compile_policy, ensure_key, ensure_principal, write_policy
from sisock.settings import Settings
from sisock.testing.client import Client

STARTS_WITHIN = 60.0  # seconds; a loaded machine is slow
STOPS_WITHIN = 15.0
_ROOT = Path(__file__).parents[2]


class Router:
    """A router that runs, or can be started again. Every part of a test signs in with the keys in its state directory."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = settings.state / "logs" / "router.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until clients can join; raise RuntimeError with the log's end where it gives up."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, self.log.open("ab") as log:
            ready.bind(f"\0sisock-testing-{os.getpid()}-{self.settings.router_port}")
            environment = configuration.environment(self.settings)
            path = os.pathsep.join(filter(None, [str(_ROOT), environment.get("PYTHONPATH")]))
            environment |= {"NOTIFY_SOCKET": "@" + ready.getsockname()[1:].decode(), "PYTHONPATH": path}
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sisock.router"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            self._wait(ready, self.process)

    def stop(self) -> None:
        """End it as a supervisor does; kill it where it does not end in time."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it and start it again on the same port, with the same state."""
        self.stop()
        self.start()

    def add_principal(self, name: str, role: str, **more: Any) -> None:
        """Make a principal with a key of its own and tell the router of it."""
        ensure_principal(self.settings.state, name, role, ensure_key(self.settings.state, name).public, **more)
        self.send_policy()

    def remove_principal(self, name: str) -> None:
        """Remove a principal and tell the router of it."""
        (self.settings.state / "principals" / f"{name}.json").unlink()
        self.send_policy()

    def send_policy(self) -> None:
        """Hand the router what the principals' files say, as the hub does."""
        write_policy(self.settings.state)
        if self.process is not None and self.process.poll() is None:
            with self.client("hub") as hub:
                hub.call(self.settings.uris.set_policy, compile_policy(self.settings.state))

    def client(self, name: str, **options: Any) -> Client:
        """Return a plain client that has joined as this principal."""
        client = Client(self.settings.url, **options)
        client.join(self.settings.realm, name, ensure_key(self.settings.state, name))
        return client

    def _wait(self, ready: socket.socket, process: subprocess.Popen[bytes]) -> None:
        ended = os.pidfd_open(process.pid)
        try:
            found, _, _ = select.select([ready.fileno(), ended], [], [], STARTS_WITHIN)
        finally:
            os.close(ended)
        if ready.fileno() not in found:
            self.kill()
            raise RuntimeError(f"the router did not start:\n{self.log.read_text(errors='replace')[-4000:]}")

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, how)
        try:
            self.process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOPS_WITHIN)
        self.process = None


@contextlib.contextmanager
def running_router(
    folder: Path, principals: Mapping[str, str | Mapping[str, Any]] | None = None, **settings: Any
) -> Iterator[Router]:
    """Run a router with its state in the folder, for as long as the block lasts.

    `principals` gives each name its role, or a mapping with `role` and further entries; a hub is always among them.
    """
    port = settings.pop("router_port", None) or free_port()
    url = f"ws://{settings.get('interface') or '127.0.0.1'}:{port}/ws"
    router = Router(configuration.read(state=folder, router_port=port, router=url, **settings))
    for name, given in {"hub": "hub", **(principals or {})}.items():
        entry = {"role": given} if isinstance(given, str) else dict(given)
        router.add_principal(name, **entry)
    router.start()
    try:
        yield router
    finally:
        router.stop()


def free_port() -> int:
    """Return a TCP port of the loopback that nobody uses now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])
