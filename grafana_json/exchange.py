"""JSON in and out of a Flask request."""

from http import HTTPStatus
from typing import Any

import orjson
from flask import Response, request

from grafana_json.query import RequestError

LIKE_PROMETHEUS = "/api/v1/"
_KINDS = {  # what Prometheus calls errorType, by status
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    422: "execution",
    503: "unavailable",
}
_OF_SIMPOD = (
    ("/metrics", "POST"),
    ("/metric-payload-options", "POST"),
    ("/variable", "POST"),
)  # only simPod asks these
LARGEST_REQUEST = 256 * 2**10  # bytes


def body() -> Any:
    """What the request says, `{}` where it says nothing; raises RequestError for broken JSON."""
    data = request.get_data(cache=False)
    if not data.strip():
        return {}
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"the request is not JSON: {error}") from None


def reply(data: Any, status: int = 200) -> Response:
    """The data, which may hold arrays, as JSON: NaN and infinities become null."""
    return Response(orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY), status, content_type="application/json")


def refuse(sentence: str, status: int, *, simpod: bool = False) -> Response:
    """An error as `{"error": sentence}`, or as simPod or Prometheus have it where these were asked for."""
    if request.path.startswith(LIKE_PROMETHEUS):
        kind = _KINDS.get(status, "bad_data" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "internal")
        return reply({"status": "error", "errorType": kind, "error": sentence}, status)
    if simpod or (request.path, request.method) in _OF_SIMPOD:
        return reply({"error": {"code": status, "message": sentence}}, status)
    return reply({"error": sentence}, status)
