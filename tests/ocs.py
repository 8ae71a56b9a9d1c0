"""An observatory control system for tests: another Crossbar as its sites run it, and agents that publish as its own do."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Self

import psutil

from sisock.keys.authority import Authority
from sisock.testing import Client, HandshakeRefused
from sisock.testing.router import free_port

REALM, ROOT, USER, SECRET = "ocs_realm", "observatory", "reader", "a secret of the site"
STARTS_WITHIN = 90.0  # seconds
_UNLIMITED = {"max_message_size": 0, "max_frame_size": 0}
_ALL = {"call": True, "register": True, "publish": True, "subscribe": True}


class Site:
    """A router of its own, where anybody joins as OCS has it, and one user by ticket or WAMP-CRA; TLS on a second port."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port, self.tls_port = folder, free_port(), free_port()
        authority = Authority(folder / "ca")
        authority.ensure("observatory")
        chain, key = authority.issue(["127.0.0.1", "localhost"])
        (folder / "chain.pem").write_bytes(_bytes(chain))
        (folder / "key.pem").write_bytes(_bytes(key))
        self.ca = authority.root
        (folder / "secret").write_text(SECRET + "\n")
        self.secret = folder / "secret"
        (folder / "config.json").write_text(json.dumps(self._config()))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def wss(self) -> str:
        return f"wss://localhost:{self.tls_port}/ws"

    def _config(self) -> dict[str, Any]:
        auth = {
            "anonymous": {"type": "static", "role": "agent"},
            "ticket": {"type": "static", "principals": {USER: {"ticket": SECRET, "role": "agent"}}},
            "wampcra": {"type": "static", "users": {USER: {"secret": SECRET, "role": "agent"}}},
        }
        everything = {"uri": "", "match": "prefix", "allow": _ALL, "disclose": {"caller": True, "publisher": True}}
        plain = {"type": "tcp", "interface": "127.0.0.1", "port": self.port}
        tls: dict[str, Any] = {"certificate": str(self.folder / "chain.pem"), "key": str(self.folder / "key.pem")}
        tls |= {"chain_certificates": [str(self.folder / "ca" / "issuing.pem")]}
        ports = [plain, {**plain, "port": self.tls_port, "tls": tls}]
        serializers = ["cbor", "msgpack", "json"]
        transports = [
            {
                "type": "websocket",
                "endpoint": port,
                "serializers": serializers,
                "auth": auth,
                "options": dict(_UNLIMITED),
            }
            for port in ports
        ]
        realm = {"name": REALM, "roles": [{"name": "agent", "permissions": [{**everything, "cache": True}]}]}
        worker = {"type": "router", "realms": [realm], "transports": transports}
        return {"version": 2, "controller": {}, "workers": [worker]}

    def start(self) -> None:
        """Start, and wait until agents can join."""
        command = [sys.executable, "-W", "ignore", "-c", "import crossbar; crossbar.run()", "start", "--cbdir"]
        (self.folder / "node.pid").unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, str(self.folder)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            )  # fmt: skip
        until = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                self.agent("probe").close()
            except (OSError, HandshakeRefused) as error:
                end = (self.folder / "log").read_text(errors="replace")[-3000:]
                assert self._process.poll() is None, end
                assert time.monotonic() < until, f"{error}\n{end}"
                time.sleep(0.1)  # between attempts, not for something
            else:
                return

    def stop(self) -> None:
        """End it, as a power cut does."""
        if self._process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                workers = psutil.Process(self._process.pid).children(recursive=True)
                os.killpg(self._process.pid, signal.SIGKILL)
                psutil.wait_procs(workers, 15)
            self._process.wait(15)
            self._process = None

    def agent(self, instance: str) -> "Agent":
        """An agent that has joined."""
        client = Client(self.url)
        client.join_anonymously(REALM)
        return Agent(client, instance)


class Agent:
    """What an agent of OCS says, written from what its events are."""

    def __init__(self, client: Client, instance: str, kind: str = "Lakeshore372Agent") -> None:
        self.client, self.instance, self.kind = client, instance, kind
        self.session = repr(time.time())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.client.close()

    def publish(self, feed: str, message: Any, *, record: bool = True) -> None:
        """One event of a feed, acknowledged by the router."""
        address = f"{ROOT}.{self.instance}"
        info = {
            "agent_address": address, "agg_params": {"frame_length": 60}, "feed_name": feed,
            "address": f"{address}.feeds.{feed}", "record": record, "session_id": self.session, "agent_class": self.kind,
        }  # fmt: skip
        self.raw(feed, [message, info])

    def raw(self, feed: str, *args: Any) -> None:
        """Whatever no agent would say."""
        self.client.publish(f"{ROOT}.{self.instance}.feeds.{feed}", *args)

    def sample(self, feed: str, data: dict[str, list[Any]], timestamps: list[Any], block: str = "temps") -> None:
        """One block of samples."""
        self.publish(
            feed, {block: {"block_name": block, "data": data, "timestamps": timestamps, "influxdb_tags": None}}
        )

    def heartbeat(self, **codes: int) -> None:
        self.publish("heartbeat", codes, record=False)


@contextlib.asynccontextmanager
async def beating(site: Site, instance: str) -> AsyncIterator[None]:
    """A heart that beats while within, as that of every agent does once a second."""

    async def beat() -> None:
        while True:
            await asyncio.to_thread(agent.heartbeat, acq=3)
            await asyncio.sleep(0.5)

    with site.agent(instance) as agent:
        heart = asyncio.create_task(beat())
        try:
            yield
        finally:
            heart.cancel()
            await asyncio.wait({heart})


def _bytes(given: Any) -> bytes:
    return given if isinstance(given, bytes) else str(given).encode()


@contextlib.contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """A site for as long as the block lasts."""
    site = Site(folder)
    try:
        site.start()
        yield site
    finally:
        site.stop()


def run_fake_data(program: str, site: Site, instance: str) -> "subprocess.Popen[bytes]":
    """A real agent of OCS that makes up temperatures, ten a second, and publishes them."""
    conf = {
        "hub": {
            "wamp_server": site.url, "wamp_http": site.url.replace("ws:", "http:"), "wamp_realm": REALM,
            "address_root": ROOT,
        },
        "hosts": {"localhost": {"agent-instances": [
            {"agent-class": "FakeDataAgent", "instance-id": instance, "arguments": ["--mode", "acq", "--num-channels", "3"]}
        ]}},
    }  # fmt: skip
    (site.folder / "default.yaml").write_text(json.dumps(conf))  # JSON is YAML, too
    arguments = ["--instance-id", instance, "--site-host", "localhost"]
    environment = {**os.environ, "OCS_CONFIG_DIR": str(site.folder), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    with (site.folder / f"{instance}.log").open("ab") as log:
        return subprocess.Popen(
            [program, *arguments], cwd=site.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
