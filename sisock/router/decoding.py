"""How the router reads what clients send: nothing beyond what WAMP needs, since whoever connects may send anything."""

from typing import Any, NoReturn

import cbor2
from autobahn.wamp import serializer

_TAGS = (*range(6), 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)  # cbor2 knows them


def loads(payload: bytes) -> Any:
    """Return what the CBOR says; raise ValueError for tags, and for maps with keys that are neither text nor bytes.

    Numbers as keys can be chosen to collide, which takes the router seconds; shared references can go in circles.
    """
    return cbor2.loads(
        payload, strict_hashable_types=True, semantic_decoders=dict.fromkeys(_TAGS, _refuse), tag_hook=_refuse
    )


def replace() -> None:
    """Have every listener of this process decode CBOR so."""
    serializer._cbor_loads = loads  # noqa: SLF001


def _refuse(*_: object) -> NoReturn:
    raise ValueError("CBOR tags are not for WAMP messages")
