"""A gateway for devices that speak CoAP: what they send is on disk before they are told so."""

import asyncio
import logging
from pathlib import Path
from typing import Any

from data_nodes.coap.access import FOLDER, Access, Unknown
from data_nodes.coap.gateway import FIELDS, Gateway, Post
from sisock import extras, settings
from sisock.frames import Field
from sisock.nodes import Intake, ReceivingNode
from sisock.nodes.base import RING, Opener, name_of
from sisock.nodes.devices import MOST
from sisock.nodes.live import LiveService

log = logging.getLogger(__name__)


class Coap(ReceivingNode):
    """Devices that speak CoAP: what each of them sends, with its units, and how they do."""

    name = "coap"

    def __init__(
        self,
        *,
        host: str = "localhost",
        port: int = 5683,
        dtls_port: int = 0,
        unknown: Unknown = "token",
        most: int = MOST,
        payload: int = 16384,
        rate: float = 200.0,
        interval: float = 10.0,
    ) -> None:
        """Listen at this UDP port of a host; take what `unknown` allows, of `most` devices.

        `dtls_port`: where DTLS is spoken, usually 5684; 0: nowhere.
        `payload`: bytes of a message, all blocks together. `rate`: datagrams a second of one address, 0 for any number.
        `interval`: seconds between two looks at how the devices do.
        """
        self.host, self.port, self.dtls_port, self.interval = host, port, dtls_port, interval
        self._unknown, self._most, self._payload, self._rate = unknown, most, payload, rate
        self._gateway: Gateway | None = None
        Access(Path(), unknown)
        if not 0 < port < 65536 or most < 1 or payload < 1 or rate < 0:
            raise ValueError("port is from 1 to 65535, most and payload are above 0, and rate is not below 0")
        if not 0 <= dtls_port < 65536 or dtls_port == port:
            raise ValueError("dtls_port is from 1 to 65535 and another than port, or 0 where DTLS is not spoken")

    @property
    def fields(self) -> dict[str, Field]:
        """What the gateway tells of itself, and the fields of devices as they were met."""
        return FIELDS if self._gateway is None else self._gateway.fields

    def service(self, *, ring: int = RING, journal: Opener | None = None) -> LiveService:
        """This node at work. Raises ValueError where aiocoap is not installed."""
        try:
            import aiocoap.oscore  # noqa: F401
        except ImportError as error:
            raise ValueError(f"the node coap needs aiocoap: {extras.command('coap')}") from error
        return super().service(ring=ring, journal=journal)

    @property
    def folder(self) -> Path:
        """Where tokens and credentials of this gateway lie."""
        return (self.home or settings.read().state) / FOLDER / name_of(self)

    def sample(self) -> Any:
        """How many devices there are, and how they do."""
        return {} if self._gateway is None else self._gateway.figures()

    async def receive(self, intake: Intake) -> None:
        """Answer devices until cancelled."""
        from data_nodes.coap import transport
        from data_nodes.coap.dtls import Sessions
        from data_nodes.coap.oscore import Credentials, Protected
        from data_nodes.coap.pace import Pace
        from data_nodes.coap.site import Site

        gateway = self._gateway = self._gateway or Gateway(Access(self.folder, self._unknown), self._most)
        gateway.restore(intake)
        hosts = transport.addresses(self.host)
        if not transport.is_loopback(hosts) and self._unknown == "open":
            log.warning("%s: whoever reaches %s may send: unknown is open", name_of(self), self.host)

        async def take(post: Post) -> str:
            return await gateway.take(intake, post)

        def dropped() -> None:
            gateway.dropped += 1

        async def refuse(post: Post, why: str) -> None:
            await gateway.refuse(intake, post, why)

        def deny(device: str, why: str) -> None:
            gateway.denied += 1
            intake.quarantine(device, why)

        def opened(send: Any, ended: Any) -> Sessions:
            return Sessions(gateway.access.key_of, send, deny, ended, self._most)

        secure = (self.dtls_port, opened) if self.dtls_port else None
        credentials = Credentials(self.folder, deny)
        site = Protected(Site(gateway, take, refuse, self._payload), credentials)
        try:
            async with transport.listening(site, hosts, self.port, Pace(self._rate), dropped, secure) as where:
                log.info("%s: listens at %s", name_of(self), " and ".join(where))
                if gateway.access.lacks_tokens:
                    intake.tell("no data", _nobody(name_of(self)))
                await asyncio.Event().wait()
        finally:
            credentials.close()


def _nobody(node: str) -> str:
    of = "" if node == "coap" else f" --node {node}"
    return f"nobody may send yet: make a token with `python -m data_nodes.coap token{of}`"
