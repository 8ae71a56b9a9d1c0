"""Messages as the router gets them: CBOR of whoever connects, and what ours make of it."""

from pathlib import Path

import cbor2

from sisock import batch, wire
from sisock.router import decoding
from tests.hostile_reading import Reader
from tests.readers.wire import a_batch, a_frame, an_answer


def _message(data: bytes, _: Path) -> None:
    message = decoding.loads(data)
    for decode in (wire.decode_answer, wire.decode_frame, wire.decode_fields, batch.decode):
        try:
            decode(message[-1] if isinstance(message, list) and message else message)
        except wire.WireError:
            continue


def _messages(_: Path) -> list[bytes]:
    coded = [wire.encode_answer(an_answer()), wire.encode_frame(a_frame()), batch.encode(a_batch())]
    return [cbor2.dumps([50, 1, {}, each]) for each in coded]


READERS = {"message": Reader(_message, _messages, (ValueError, cbor2.CBORDecodeError))}
