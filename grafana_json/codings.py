"""Content codings (RFC 9110, 8.4): answers are compressed where it pays and is asked for, compressed requests are refused."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol

import zstandard
from flask import Flask, Response, request
from werkzeug.datastructures import Accept

from grafana_json import exchange

SMALLEST = 1024  # bytes of an answer that is worth it
_GZIP_LEVEL, _ZSTD_LEVEL = 1, 3  # somebody waits: more takes longer than it saves on a fast line
_AS_GZIP = 31  # zlib's window bits for the largest window, and a header of gzip
_EITHER = ("zstd", "gzip")  # the better first
_ARROW = "application/vnd.apache.arrow.stream"


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def apply(app: Flask) -> None:
    """Have all doors of the bridge keep to it."""
    app.before_request(_refuse)
    app.after_request(_encode)


def _refuse() -> Response | None:
    coding = request.headers.get("Content-Encoding", "").strip()
    if coding.lower() in ("", "identity"):
        return None
    refusal = exchange.refuse(f"a request is sent as it is, not compressed as {coding!r:.80}", 415)
    refusal.headers["Accept-Encoding"] = "identity"
    return refusal


def _encode(response: Response) -> Response:
    """The answer, compressed if it is a text or numbers, not tiny, and whoever asks takes that."""
    if "Accept-Encoding" not in request.headers:
        return response
    known = _codings(response.mimetype or "")
    if not known or response.status_code in (204, 304) or "Content-Encoding" in response.headers:
        return response
    coding = chosen(request.accept_encodings, known)
    if coding is None or (response.is_sequence and (response.calculate_content_length() or 0) < SMALLEST):
        return response
    body = compressed(response.response if not response.is_sequence else [response.get_data()], coding)
    if response.is_sequence:
        response.set_data(b"".join(body))
    else:
        response.response = body
    response.headers["Content-Encoding"] = coding
    tag, weak = response.get_etag()
    if tag is not None and not weak:  # another coding is another representation
        response.set_etag(f"{tag}-{coding}")
    return response


def _codings(mimetype: str) -> tuple[str, ...]:
    """The codings that pay for answers of this type: gzip takes longer for numbers than it saves."""
    if mimetype == _ARROW:
        return ("zstd",)
    return _EITHER if mimetype.startswith("text/") or mimetype == "application/json" else ()


def chosen(accepted: Accept, known: tuple[str, ...] = _EITHER) -> str | None:
    """The coding that is liked best, the better one of several; None for none at all."""
    liked = {coding: accepted.quality(coding) for coding in known}
    best = max(known, key=lambda coding: liked[coding])
    plain = accepted.quality("identity") if "identity" in accepted.values() else 0.0
    return best if liked[best] > 0 and liked[best] >= plain else None


def compressed(pieces: Iterable[bytes | str], coding: str) -> Iterator[bytes]:
    """The same in this coding, in pieces."""
    compressor = _compressor(coding)
    for piece in pieces:
        made = compressor.compress(piece if isinstance(piece, bytes) else piece.encode())
        if made:
            yield made
    yield compressor.flush()


def _compressor(coding: str) -> _Compressor:
    if coding == "zstd":
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
    return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _AS_GZIP)
