"""Debian's Mosquitto on a free port, with its sessions on disk, and the programs that come with it."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from sisock.testing.router import free_port
from tests.peers import need

_CONFIG = """
listener {port} 127.0.0.1
{access}
persistence true
persistence_location {folder}/
autosave_interval 1
autosave_on_changes true
max_queued_messages 100000
{more}
"""


class Mosquitto:
    """A broker that can be stopped and started again; it knows its sessions and what waits in them."""

    def __init__(self, folder: Path, access: str = "allow_anonymous true", more: str = "") -> None:
        self.port, self._folder = free_port(), folder
        folder.mkdir(exist_ok=True)
        more += "" if os.geteuid() else "\nuser root"  # or it becomes one who may not write here
        (folder / "config").write_text(_CONFIG.format(port=self.port, folder=folder, access=access, more=more))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = need("mosquitto")
        self._process = subprocess.Popen(
            [program, "-c", str(self._folder / "config")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5):
                return
            assert self._process.poll() is None, "mosquitto has ended"
            assert time.monotonic() < until, "mosquitto does not answer"
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
            self._process = None

    def publish(self, topic: str, *payloads: str, qos: int = 1, options: tuple[str, ...] = ()) -> None:
        """Publish each payload, one after the other; the broker has them when it returns."""
        argv = [need("mosquitto_pub"), "-p", str(self.port), "-t", topic, "-q", str(qos), *options]
        text = "".join(f"{each}\n" for each in payloads)
        subprocess.run([*argv, "-l"], input=text, text=True, check=True, timeout=60)

    def publish_whole(self, topic: str, payload: bytes, *options: str) -> None:
        """Publish bytes as one message."""
        argv = [need("mosquitto_pub"), "-p", str(self.port), "-t", topic, "-q", "1", "-s", *options]
        subprocess.run(argv, input=payload, check=True, timeout=60)


@contextlib.contextmanager
def mosquitto(folder: Path, **options: str) -> Iterator[Mosquitto]:
    """A broker for as long as the block lasts."""
    broker = Mosquitto(folder, **options)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
