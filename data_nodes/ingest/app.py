"""What is answered over HTTP: as InfluxDB's clients expect it, and `/ingest` for records."""

import base64
import hmac
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, cast

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

import sisock
from data_nodes.ingest import bodies
from data_nodes.ingest.bodies import Refusal
from data_nodes.ingest.taking import SHOWN, Outcome, Taking

_AGAIN = "5"  # seconds after which a client may try again
_AGAIN_LATER = (429, 503)
_CREATE = re.compile(r"\s*CREATE\s+DATABASE\b[^;]*(?:;\s*)?", re.IGNORECASE)  # what clients of InfluxDB 1 begin with
_CODES = {400: "invalid", 401: "unauthorized", 404: "not found", 413: "request too large", 429: "too many requests", 503: "unavailable"}  # fmt: skip
_NOBODY = "the token is missing or wrong: send 'Authorization: Bearer TOKEN', as it stands in the gateway's file {}"


def create_app(taking: Taking, token: str, where: str, largest: int) -> Flask:
    """The application; `where` the token stands is told to those who come without, who are counted."""
    app = Flask(__name__, static_folder=None)
    admits = admission(token)

    def admitted() -> None:
        if not admits(request.headers.get("Authorization", "")):
            taking.deny(str(request.remote_addr))
            raise Refusal(401, _NOBODY.format(where))

    def take(how: Callable[[bytes, str], Outcome]) -> Response:
        admitted()
        source = f"{request.remote_addr} {request.path}"
        coding, body = request.headers.get("Content-Encoding", "").strip().lower(), b""
        try:
            body = bodies.read(cast("BinaryIO", request.stream), coding, largest)
            return answered(how(body, source))
        except Refusal as refusal:
            if refusal.status not in _AGAIN_LATER:
                taking.refuse(source, str(refusal), body)
            raise

    @app.post("/write")
    @app.post("/api/v2/write")
    def write() -> Response:
        precision = request.args.get("precision") or "ns"
        return take(lambda body, source: taking.lines(body, precision, source))

    @app.post("/ingest")
    def ingest() -> Response:
        return take(taking.records)

    @app.route("/query", methods=["GET", "POST"])
    def query() -> Response:
        admitted()
        if _CREATE.fullmatch(request.values.get("q", "")):
            return reply({"results": [{"statement_id": 0}]})
        raise Refusal(400, "samples are not asked for here but at the bridge: this takes them only")

    @app.get("/ping")
    def ping() -> Response:
        return reply({"version": sisock.__version__}) if request.args.get("verbose") else Response(status=204)

    @app.get("/health")
    def health() -> Response:
        told = {"name": "sisock", "message": "ready for writes", "status": "pass", "version": sisock.__version__}
        return reply({**told, "checks": []})

    @app.errorhandler(Refusal)
    def refuse(refusal: Refusal) -> Response:
        return refused(str(refusal), refusal.status)

    @app.errorhandler(HTTPException)
    def others(error: HTTPException) -> Response:
        return refused(f"{error.name}: samples go to /write, /api/v2/write or /ingest by POST", error.code or 500)

    @app.after_request
    def version(response: Response) -> Response:
        response.headers["X-Influxdb-Version"] = f"sisock-{sisock.__version__}"
        return response

    return app


def unread(taking: Taking, admits: Callable[[str], bool]) -> Callable[[str, Mapping[str, str], str], None]:
    """What keeps that a request was refused before it was read; nothing of strangers is kept."""

    def refuse(address: str, headers: Mapping[str, str], why: str) -> None:
        if admits(headers.get("AUTHORIZATION", "")):
            taking.refuse(address, why)

    return refuse


def admission(token: str) -> Callable[[str], bool]:
    """Whether the token is in a header Authorization."""
    expected = token.encode()
    return lambda authorization: hmac.compare_digest(given(authorization), expected)


def given(authorization: str) -> bytes:
    """The token in the header: `Bearer TOKEN`, `Token TOKEN`, or the password of `Basic`; also after a user's name."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            rest = base64.b64decode(rest.strip(), validate=True).decode()
        except ValueError:
            return b""
    elif scheme.lower() not in ("bearer", "token"):
        return b""
    return rest.strip().rpartition(":")[2].encode("utf-8", "replace")


def answered(outcome: Outcome) -> Response:
    """204 where all was taken, else 400 with what was not."""
    count = len(outcome.refused)
    if not count:
        return Response(status=204)
    first = outcome.refused[0]
    begin = "partial write" if outcome.kept else "unable to parse"
    told = f"{begin}: line {first.line + 1}: {first.reason}; {outcome.kept} kept, dropped={count}"
    named = [{"line": each.line + 1, "reason": each.reason} for each in outcome.refused[:SHOWN]]
    return refused(told, 400, kept=outcome.kept, dropped=count, refused=named)


def refused(why: str, status: int, **more: Any) -> Response:
    """A sentence as clients of InfluxDB 1 and 2 read it."""
    response = reply({"error": why, "code": _CODES.get(status, "invalid"), "message": why, **more}, status)
    shown = "".join(letter if letter.isprintable() else "?" for letter in why[:500])
    response.headers["X-Influxdb-Error"] = shown.encode("ascii", "replace").decode()
    if status in _AGAIN_LATER:
        response.headers["Retry-After"] = _AGAIN
    return response


def reply(data: Any, status: int = 200) -> Response:
    """The data as JSON."""
    return Response(json.dumps(data), status, content_type="application/json")
