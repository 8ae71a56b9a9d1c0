"""Commands as consumers: what they ask, and a sentence at once where there is nobody to ask."""

import asyncio
import logging
import socket
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from sisock.cli.failures import Failure, debugging
from sisock.exits import Exit
from sisock.settings import Settings
from sisock.uris import split_target

if TYPE_CHECKING:
    from sisock.consumer import Consumer

T = TypeVar("T")
_CURE = "sign in by a token, SISOCK_TOKEN=FILE: `sisock principal token` on the router's machine makes one"


def ask(
    settings: Settings,
    work: Callable[["Consumer"], Coroutine[Any, Any, T]],
    name: str | None = None,
    *,
    patient: bool = False,
) -> T:
    """What the work with a consumer at the hub gives; Failure at once where there is no router, unless `patient`.

    The consumer joins as the principal `name`, as `Consumer` does; where it is refused it does not try again, unless `patient`.
    """
    from sisock.consumer import Consumer

    async def run() -> T:
        async with Consumer(settings, name) as consumer:
            if not patient and await consumer.is_refused():
                raise Failure(_refused(settings, consumer.name, by_token=name is None), Exit.NO_ANSWER)
            return await work(consumer)

    _quiet_logging()
    if not patient:
        _look_for_router(settings)
    if name is None:
        _look_for_key(settings)
    return asyncio.run(run())


def by_node(targets: Sequence[str]) -> dict[str, list[str]]:
    """The fields of each node among targets `node::field`, each once; ValueError with the cure for other text."""
    nodes: dict[str, list[str]] = {}
    for node, field in dict.fromkeys(map(split_target, targets)):
        nodes.setdefault(node, []).append(field)
    return nodes


def check_fields(node: str, names: Sequence[str], known: Collection[str]) -> None:
    """Raise Failure for the first name that is not among the fields known of the node."""
    for name in names:
        if name not in known:
            raise Failure(f"{node} has no field {name!r}: `sisock ls {node}` lists them", Exit.UNKNOWN)


def _look_for_router(settings: Settings) -> None:
    """Raise Failure if nobody listens at the router's address: a consumer would wait for it."""
    where = urlsplit(settings.url)
    try:
        port = where.port or (443 if where.scheme == "wss" else 80)
        socket.create_connection((where.hostname or "", port), settings.deadline).close()
    except OSError as error:
        sentence = (
            f"no router at {settings.url} ({error.strerror or error}): start one with `sisock up`, or say where "
            "it is: --state DIR (SISOCK_STATE) of `sisock up`, or --router"
        )
        raise Failure(sentence, Exit.NO_ANSWER) from error


def _look_for_key(settings: Settings) -> None:
    """Raise Failure if this machine has nothing to sign in with: the router cannot know a key that is made now."""
    from sisock.keys.key import key_file

    if not settings.token and not key_file(settings.state, "cli").is_file():
        sentence = (
            f"{settings.state} has no key for commands: on the router's machine give the --state of `sisock up`; elsewhere "
            f"{_CURE}"
        )
        raise Failure(sentence, Exit.NO_ANSWER)


def _refused(settings: Settings, name: str, *, by_token: bool) -> str:
    """What to say where the router does not let this principal in."""
    if by_token and settings.token:
        return (
            f"the router at {settings.url} does not take the token of {name}: it has ended, was replaced or taken back; "
            "`sisock principal token` makes another"
        )
    return (
        f"the router at {settings.url} does not let {name} in by the key of this machine: {_CURE}; the router's log has "
        "the reason"
    )


def _quiet_logging() -> None:
    """Log nothing of what goes on below a command that answers with its result or a sentence."""
    if not debugging():
        logging.getLogger("sisock").addHandler(logging.NullHandler())
        logging.getLogger("sisock").propagate = False
