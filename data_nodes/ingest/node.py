"""A gateway for what is sent over HTTP: line protocol, as Telegraf writes it, and flat records."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_nodes import points
from data_nodes.admitting import Fields
from sisock import extras, interfaces, settings
from sisock.frames import Field
from sisock.keys.files import write_once
from sisock.keys.token_file import read_token
from sisock.nodes import Intake, ReceivingNode
from sisock.nodes.base import RING, Opener, name_of
from sisock.nodes.live import LiveService
from sisock.records.mapping import mapping

log = logging.getLogger(__name__)
FIELDS = {
    "ingest.denied": Field("requests without the token since the node was started", "gateway", "number", "requests"),
    "ingest.connections": Field("that are open", "gateway", "number", "connections"),
}
_LEAST = 16  # characters of the token
_ARRIVAL = 60.0  # seconds that a request may take to arrive
_IN_MEMORY = 2**18  # bytes of a body; what is beyond lies in a file


class Ingest(ReceivingNode):
    """What Telegraf and others send over HTTP, as it comes."""

    name = "ingest"

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 8086,
        token: str = "",
        certificate: str = "",
        key: str = "",
        plaintext: bool = False,
        series: str = points.NAME,
        rules: Sequence[Mapping[str, Any]] = (),
        records: Mapping[str, Any] | None = None,
        largest: int = 16 * 2**20,
        rate: float = 0.0,
        ahead: float = 86400.0,
        workers: int = 4,
        connections: int = 500,
    ) -> None:
        """Listen at this port; beyond this machine with TLS only, or where `plaintext` says so.

        `token`: file with what senders have to show; without one it is made at the first start, in the state directory.
        """
        self.host, self.port = host, port
        self._token, self._files, self._plaintext = token, (certificate, key), plaintext
        self._rules, self._how = points.rules(rules, series), mapping(records or {})
        self._largest, self._rate, self._ahead = largest, rate, ahead
        self._workers, self._connections = workers, connections
        self._figures: Callable[[], dict[str, int]] | None = None
        if not 0 <= port < 65536 or largest < 1 or rate < 0 or not 0 < workers < 1000 or connections < 1:
            raise ValueError(
                "port is below 65536, largest above 0, rate not below 0, workers from 1 to 999, connections above 0"
            )
        if bool(certificate) != bool(key):
            raise ValueError("TLS needs both: set certificate and key to files in PEM")
        if not (interfaces.loopback(host) or certificate or plaintext):
            raise ValueError(f"tokens would cross the network in the clear to {host}: set certificate and key, or plaintext = true behind a proxy")  # fmt: skip

    def service(self, *, ring: int = RING, journal: Opener | None = None) -> LiveService:
        """This node at work. Raises ValueError where flask or waitress is not installed."""
        try:
            import flask  # noqa: F401
            import waitress  # type: ignore[import-untyped]  # noqa: F401  # it has no types
        except ImportError as error:
            raise ValueError(f"the node ingest needs flask and waitress: {extras.command('ingest')}") from error
        return super().service(ring=ring, journal=journal)

    @property
    def token_file(self) -> Path:
        """Where the token stands."""
        return Path(self._token).expanduser() if self._token else self._folder / f"{name_of(self)}.token"

    @property
    def _folder(self) -> Path:
        return (self.home or settings.read().state) / "ingest"

    def token(self) -> str:
        """What senders have to show, made at the first start. Raises ValueError where the file holds none."""
        if not self._token and write_once(self.token_file, secrets.token_urlsafe(32) + "\n"):
            log.info("%s: senders show the token in %s", name_of(self), self.token_file)
        found = read_token(self.token_file, _LEAST)
        if ":" in found:
            raise ValueError(f"the token in {self.token_file} has a colon, which ends a user's name: write another")
        return found

    @property
    def fields(self) -> dict[str, Field]:
        """What the gateway tells of itself."""
        return FIELDS

    def sample(self) -> dict[str, int]:
        """How many requests came without the token, and how many connections there are."""
        return {} if self._figures is None else self._figures()

    async def receive(self, intake: Intake) -> None:
        """Answer until cancelled."""
        from data_nodes.ingest import server
        from data_nodes.ingest.app import admission, create_app, unread
        from data_nodes.ingest.taking import Taking
        from sisock.web.connections import Limits

        fields = Fields()
        taking = Taking(points.Naming(self._rules, fields, self._ahead), fields, self._how, self._rate)
        taking.begin(intake)
        token = self.token()
        app = create_app(taking, token, self.token_file.name, self._largest)
        tls = server.context(*self._files) if self._files[0] else None
        where = ("127.0.0.1", 0) if tls else (self.host, self.port)
        async with contextlib.AsyncExitStack() as stack:
            listening = server.bound(*where)
            admits = admission(token)
            peers = dict[int, str]()
            limits = Limits(
                self._largest, self._connections, _ARRIVAL, _IN_MEMORY, unread(taking, admits), admits,
                lambda host, port: peers.get(port, host),
            )  # fmt: skip
            open_now = await stack.enter_async_context(server.answering(app, listening, self._workers, limits))
            self._figures = lambda: {"ingest.denied": taking.denied, "ingest.connections": open_now()}
            inner = listening.getsockname()[1]
            if tls:
                front = server.encrypted(self.host, self.port, tls, inner, self._connections, peers)
                await stack.enter_async_context(front)
            self.port = self.port or inner
            log.info("%s: listens on %s", name_of(self), interfaces.host_and_port(self.host, self.port))
            await asyncio.Event().wait()
