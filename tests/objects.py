"""A stand-in for an object store: S3 as far as its real client (pyarrow) goes, with the faults that one can have.

Objects lie in a dict. It signs nobody in. `with objects() as store:` gives it, at `store.url("BUCKET/PATH")`.
"""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_DATE = "Wed, 25 Nov 2026 00:00:00 GMT"
_PAGE = 1000  # objects in an answer


class Objects:
    """What there is, what was asked, and what is wrong with the store."""

    def __init__(self) -> None:
        self.there: dict[str, bytes] = {}  # BUCKET/KEY -> its bytes
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.asked: list[str] = []  # "GET bucket/key"
        self.refuses = False  # answers 503
        self.keeps = False  # answers 503 to who deletes
        self.cuts = 0  # so many bytes are missing at the end of a body
        self.delay = 0.0  # seconds before each answer
        self.hangs = threading.Event()  # set: nothing is answered any more
        self.over = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0

    def url(self, path: str) -> str:
        return f"s3://{path}?scheme=http&endpoint_override=127.0.0.1:{self._port}&region=us-east-1"

    def come(self) -> None:
        """Listen, where it did before."""
        store = self

        class Handler(_Handler):
            objects = store

        self._server = _Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def go(self) -> None:
        """Have no listening socket and no connections any more."""
        assert self._server is not None
        self._server.shutdown()
        self._server.close_all()
        self._server.server_close()
        self._server = None

    def segments(self) -> list[str]:
        """The names of the Parquet files there are."""
        return sorted(key for key in self.there if key.endswith(".parquet"))

    def of(self, method: str) -> int:
        """How many requests of this kind there were."""
        return sum(each.startswith(f"{method} ") for each in self.asked)


@contextlib.contextmanager
def objects() -> Iterator[Objects]:
    """A store that listens, while within."""
    store = Objects()
    store.come()
    try:
        yield store
    finally:
        store.over.set()
        if store._server:
            store.go()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, *given: Any) -> None:
        self._open: set[Any] = set()
        super().__init__(*given)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close_all(self) -> None:
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(2)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: Objects

    def log_message(self, *_: Any) -> None:
        pass

    def _do(self) -> None:
        where = urlsplit(self.path)
        key, query = unquote(where.path).lstrip("/"), parse_qs(where.query, keep_blank_values=True)
        body, store = self._body(), self.objects
        store.asked.append(f"{self.command} {key}")
        if store.hangs.is_set() or store.delay:
            store.over.wait(None if store.hangs.is_set() else store.delay)
        if store.refuses or (store.keeps and self.command == "DELETE"):
            self._answer(503, _error("SlowDown"))
        else:
            getattr(self, f"_{self.command.lower()}")(key, {name: value[0] for name, value in query.items()}, body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _do

    def _get(self, key: str, query: dict[str, str], _: bytes) -> None:
        if "/" not in key.rstrip("/"):
            self._answer(200, self._listed(key.rstrip("/"), query))
        elif key not in self.objects.there:
            self._answer(404, _error("NoSuchKey"))
        else:
            data = self.objects.there[key]
            first, last = 0, len(data) - 1
            if wanted := self.headers.get("Range"):
                low, _, high = wanted.removeprefix("bytes=").partition("-")
                first, last = int(low), min(int(high or last), last)
            if first > last:
                self._answer(416, _error("InvalidRange"))
            else:
                more = {"Content-Range": f"bytes {first}-{last}/{len(data)}"} if wanted else {}
                self._answer(206 if wanted else 200, data[first : last + 1], **more)

    def _head(self, key: str, query: dict[str, str], _: bytes) -> None:
        if "/" in key.rstrip("/") and key not in self.objects.there:
            self._answer(404)
        else:
            self._answer(200, self.objects.there.get(key, b""))

    def _put(self, key: str, query: dict[str, str], body: bytes) -> None:
        if "uploadId" in query:
            self.objects.uploads[query["uploadId"]][int(query["partNumber"])] = body
        elif source := self.headers.get("x-amz-copy-source"):
            self.objects.there[key] = self.objects.there[unquote(source).lstrip("/")]
            self._answer(200, b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")
            return
        else:
            self.objects.there[key] = body
        self._answer(200, ETag='"e"')

    def _post(self, key: str, query: dict[str, str], _: bytes) -> None:
        if "uploads" in query:
            upload = f"u{len(self.objects.asked)}"
            self.objects.uploads[upload] = {}
            text = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
        else:
            parts = self.objects.uploads.pop(query["uploadId"])
            self.objects.there[key] = b"".join(parts[number] for number in sorted(parts))
            text = "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"
        self._answer(200, text.encode())

    def _delete(self, key: str, query: dict[str, str], _: bytes) -> None:
        if "uploadId" in query:
            self.objects.uploads.pop(query["uploadId"], None)
        else:
            self.objects.there.pop(key, None)
        self._answer(204)

    def _listed(self, bucket: str, query: dict[str, str]) -> bytes:
        """As ListObjectsV2 answers; names are parted by the delimiter where one is asked for."""
        prefix, parted = query.get("prefix", ""), query.get("delimiter", "")
        keys = sorted(key.removeprefix(f"{bucket}/") for key in self.objects.there if key.startswith(f"{bucket}/"))
        keys = [key for key in keys if key.startswith(prefix) and key > query.get("continuation-token", "")]
        folders = {prefix + key[len(prefix) :].split(parted)[0] + parted for key in keys if parted and parted in key[len(prefix) :]}  # fmt: skip
        keys = [key for key in keys if not (parted and parted in key[len(prefix) :])]
        page, more = keys[: int(query.get("max-keys", _PAGE))], len(keys) > int(query.get("max-keys", _PAGE))
        listed = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects.there[f'{bucket}/{key}'])}</Size>"
            "<LastModified>2026-11-25T00:00:00.000Z</LastModified></Contents>"
            for key in page
        )
        listed += "".join(
            f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in sorted(folders)
        )
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        return (
            f"<ListBucketResult><Name>{bucket}</Name><KeyCount>{len(page) + len(folders)}</KeyCount>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{listed}</ListBucketResult>"
        ).encode()

    def _body(self) -> bytes:
        """What came with the request, without the chunks and signatures it may be wrapped in."""
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        else:
            data = b"".join(iter(self._chunk, b""))
        return _unwrapped(data) if "aws-chunked" in self.headers.get("Content-Encoding", "") else data

    def _chunk(self) -> bytes:
        data = self.rfile.read(int(self.rfile.readline().split(b";")[0], 16))
        self.rfile.readline()
        return data

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Last-Modified": _DATE, **headers}.items():
            if status != 204 or name != "Content-Length":
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: max(0, len(body) - self.objects.cuts)])
            self.close_connection |= bool(self.objects.cuts)


def _unwrapped(data: bytes) -> bytes:
    parts, at = [], 0
    while True:
        line = data.index(b"\r\n", at)
        size = int(data[at:line].split(b";")[0], 16)
        if not size:
            return b"".join(parts)
        parts.append(data[line + 2 : line + 2 + size])
        at = line + 4 + size


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
