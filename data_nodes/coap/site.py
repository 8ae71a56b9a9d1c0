"""The resources of a gateway: `/ingest`, one below it for each device, and `/.well-known/core`."""

import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiocoap import Message, resource
from aiocoap.numbers import codes
from aiocoap.numbers.constants import Reliable
from aiocoap.numbers.optionnumbers import OptionNumber
from aiocoap.util.linkformat import Link, LinkFormat

from data_nodes import senml
from data_nodes.coap import asked
from data_nodes.coap.access import Denied
from data_nodes.coap.blocks import Block, Blocks, Incomplete, TooLarge
from data_nodes.coap.gateway import Busy, Gateway, Post
from data_nodes.coap.watching import Watching
from data_nodes.readings import Unreadable
from sisock.nodes import NotKept
from sisock.nodes.devices import DeviceRefused

log = logging.getLogger(__name__)
_AGAIN = 30  # seconds after which a sender may come again where the disk does not take it
_FORMATS = f"{asked.SENML_JSON} {asked.SENML_CBOR} 0"
_RELIABLE = Reliable()  # who watches has to acknowledge, or is told no more: nobody is flooded under a forged address
_UNDERSTOOD = {
    OptionNumber.URI_HOST, OptionNumber.URI_PORT, OptionNumber.URI_PATH, OptionNumber.URI_QUERY,
    OptionNumber.ACCEPT, OptionNumber.BLOCK1, OptionNumber.BLOCK2, OptionNumber.IF_MATCH,
}  # fmt: skip
Take = Callable[[Post], Awaitable[str]]
Refuse = Callable[[Post, str], Awaitable[None]]


class Site(resource.ObservableResource, resource.PathCapable):  # type: ignore[misc]  # aiocoap has no types
    """Everything that a gateway answers."""

    def __init__(self, gateway: Gateway, take: Take, refuse: Refuse, most_bytes: int) -> None:
        """Hand messages of at most so many bytes to `take`, and to `refuse` what is no message."""
        super().__init__()
        self._gateway, self._take, self._refuse = gateway, take, refuse
        self._blocks = Blocks(most_bytes)
        self._watching = Watching()
        gateway.changed = self._watching.changed

    async def needs_blockwise_assembly(self, request: Any) -> bool:
        """Never by aiocoap, which puts together without limits."""
        return False

    async def render(self, request: Any) -> Any:
        """The answer, or the block of it that is asked for."""
        try:
            answer = await self._answer(request)
        except Exception:
            log.exception("a request could not be answered")
            answer = _said(codes.INTERNAL_SERVER_ERROR, "this is a program error: see the node's log")
        answer.opt.no_response = request.opt.no_response
        block = _block_of(answer, request)
        if request.opt.observe is not None:
            block.transport_tuning = _RELIABLE
        return block

    async def _answer(self, request: Any) -> Any:
        try:
            return await self._of_path(request)
        except Denied as denied:
            return _said(codes.FORBIDDEN if denied.known else codes.UNAUTHORIZED, str(denied))
        except (Unreadable, DeviceRefused) as error:
            return _said(codes.BAD_REQUEST, str(error))
        except (NotKept, Busy) as error:
            return _said(codes.SERVICE_UNAVAILABLE, str(error), max_age=_AGAIN)
        except TooLarge as error:
            return _said(codes.REQUEST_ENTITY_TOO_LARGE, str(error))
        except Incomplete:
            return _said(codes.REQUEST_ENTITY_INCOMPLETE, "a block before this one is not here: begin with the first")

    async def _of_path(self, request: Any) -> Any:
        foreign = [each.number for each in request.opt.option_list() if each.number.is_critical()]
        if set(foreign) - _UNDERSTOOD:
            return _said(codes.BAD_OPTION, f"the option {min(set(foreign) - _UNDERSTOOD)} is not understood here")
        path = request.opt.uri_path
        if path == (".well-known", "core"):
            return await self._core(request)
        if path[:1] != ("ingest",):
            return _said(codes.NOT_FOUND, "there is /ingest, and what /.well-known/core lists")
        device = "/".join(path[1:]) or None
        if request.code in (codes.POST, codes.PUT):
            return await self._post(request, device)
        if request.code == codes.GET:
            return self._last(request, device)
        return _said(codes.METHOD_NOT_ALLOWED, "POST or PUT what was measured; GET what a device sent last")

    async def _post(self, request: Any, device: str | None) -> Any:
        block, identity = request.opt.block1, _identity(request)
        parts = block and Block(block.block_number, block.more, block.size)
        peer = "" if device is not None or identity is not None else str(request.remote.hostinfo)
        whole: bytes | None = request.payload
        try:
            whole = self._blocks.add(parts and _key(request), parts, request.payload)
            if whole is None:
                return Message(code=codes.CONTINUE, block1=block)
            words = asked.words(request.opt.uri_query)
            post = asked.post(words, whole, asked.form(request.opt.content_format), device)
        except (Unreadable, TooLarge) as error:
            token = asked.token(request.opt.uri_query)
            await self._refuse(Post(whole or b"", None, device, identity, token, peer=peer), str(error))
            raise
        post = post._replace(identity=identity, peer=peer)
        answer = _said(codes.CHANGED, await self._take(post))
        if block is not None:
            answer.opt.block1 = block
        return answer

    def _last(self, request: Any, device: str | None) -> Any:
        """What a device sent last, to those who may send for it."""
        words = asked.words(request.opt.uri_query)
        device = device or _identity(request)
        if device is None:
            return _said(codes.NOT_FOUND, "GET /ingest/<device>")
        self._gateway.access.check(device, words.get("token", ""), _identity(request))
        last = [each._replace(name=f"{device}/{name}") for name, each in self._gateway.last.get(device, {}).items()]
        if not last:
            return _said(codes.NOT_FOUND, f"nothing has come from {device:.100} since the gateway was started")
        form = request.opt.accept if request.opt.accept is not None else asked.SENML_JSON
        if form not in (asked.SENML_JSON, asked.SENML_CBOR):
            return _said(codes.NOT_ACCEPTABLE, f"there are the formats {asked.SENML_JSON} and {asked.SENML_CBOR}")
        packed = senml.to_json(last) if form == asked.SENML_JSON else senml.to_cbor(last)
        return Message(
            code=codes.CONTENT, payload=packed, content_format=form, etag=hashlib.sha256(packed).digest()[:8]
        )

    async def _core(self, request: Any) -> Any:
        """The links; those to devices for whoever may see which there are."""
        if request.code != codes.GET:
            return _said(codes.METHOD_NOT_ALLOWED, "GET it")
        token = asked.token(request.opt.uri_query)
        links = [Link("/.well-known/core", ct="40"), Link("/ingest", rt="sisock.ingest", ct=_FORMATS)]
        if self._gateway.access.may_look(token, _identity(request)):
            form = {"rt": "sisock.device", "ct": _FORMATS, "obs": None}
            links += [Link(f"/ingest/{name}", **form) for name in sorted(self._gateway.devices)]
        filters = tuple(each for each in request.opt.uri_query if not each.startswith("token="))
        asking = request.copy(uri_query=filters)
        asking.remote = request.remote
        answer = await resource.WKCResource(lambda: LinkFormat(links), impl_info=None).render_get(asking)
        answer.code = answer.code or codes.CONTENT
        return answer

    # watching

    async def add_observation(self, request: Any, serverobservation: Any) -> None:
        """Let the sender of a request hear of what comes from a device."""
        device = "/".join(request.opt.uri_path[1:])
        known = request.code == codes.GET and device in self._gateway.last
        if not known or not self._watching.add(serverobservation, device):
            serverobservation._cancellation_callback = lambda: None  # noqa: SLF001  # which aiocoap calls in any case


def _identity(request: Any) -> str | None:
    """The device that OSCORE, or else DTLS, has proved to be the sender."""
    context = getattr(request.remote, "security_context", None)
    proved: str | None = getattr(request.remote if context is None else context, "device", None)
    return proved


def _key(request: Any) -> Any:
    """The same for all blocks of one message."""
    ignored = [OptionNumber.BLOCK1, OptionNumber.BLOCK2, OptionNumber.OBSERVE]
    return request.remote.blockwise_key, request.get_cache_key(ignored)


def _said(code: Any, text: str, **options: Any) -> Any:
    return Message(code=code, payload=text.encode()[:1000], **options)


def _block_of(answer: Any, request: Any) -> Any:
    """The answer, or the block of it that is asked for."""
    asked_for, most = request.opt.block2, request.remote.maximum_block_size_exp
    if len(answer.payload) <= 2 ** (most + 4) and asked_for is None:
        return answer
    number, _, size = asked_for or (0, False, most)
    size = min(size, most)
    if number * 2 ** (size + 4) >= max(1, len(answer.payload)):
        return _said(codes.BAD_OPTION, "there is no such block")
    if not answer.payload:
        return answer
    return answer._extract_block(number, size, 0)  # noqa: SLF001  # as aiocoap's own resources do
