"""The door for rows: nodes, fields, samples of a window and of an instant, in the form that is asked for."""

import re
import time
from collections.abc import Callable, Mapping

from flask import Blueprint, Response, request

from grafana_json import exchange
from grafana_json.rows import fetching, layouts, listings, tags
from grafana_json.rows.asking import (
    OF_DATA,
    OF_INSTANT,
    SHAPES,
    Given,
    of_body,
    of_url,
    read_data,
    read_instant,
    read_time,
)
from grafana_json.rows.forms import Written, answer, chosen
from grafana_json.rows.headers import NAMES, headers
from grafana_json.rows.questions import FailedError, question, values_of
from grafana_json.rows.tables import Table
from grafana_json.rows.tags import LASTING, Tags
from grafana_json.views import View
from sisock.frames import Field

_LASTING = f"private, max-age={LASTING}, immutable"
_CHANGING = "private, no-cache"
_OF_A_MILLION = 4.0  # further seconds for so many values
_TAG = re.compile(r"[0-9a-f.]{1,100}(?:-\w{4})?", re.ASCII)


def door(view: Callable[[], View], deadline: float) -> Blueprint:
    """`/api/…`; each answers with what its caller may see, and waits `deadline` seconds for a node."""
    at = Blueprint("rows", __name__, url_prefix="/api")
    made = Tags()

    @at.get("/nodes")
    def nodes() -> Response:
        given = of_url(request.args, ("time", "format"))
        return _listing(given, read_time(given), listings.nodes(view().source.nodes()))

    @at.get("/fields")
    def fields() -> Response:
        given = of_url(request.args, ("node", "format"), "node")
        return _listing(given, "ms", listings.fields(_fields(view(), given.get("node"))))

    @at.get("/data")
    def data() -> Response:
        return _data(view(), of_url(request.args, OF_DATA), made, deadline)

    @at.post("/data")
    def data_of_a_body() -> Response:
        return _data(view(), of_body(exchange.body(), OF_DATA), made, deadline)

    @at.get("/at")
    def instant() -> Response:
        given = of_url(request.args, OF_INSTANT)
        form, asked = chosen(given.get("format"), request.accept_mimetypes), read_instant(given, time.time_ns())
        seen = view()
        readings = fetching.read(seen.source, question(asked.targets, seen.directory), asked, deadline)
        about = {"notices": [notice._asdict() for notice in readings.notices]}
        return _changing(Written(form, asked.time, layouts.readings(readings), about))

    at.register_error_handler(FailedError, lambda error: exchange.refuse(str(error), error.status))
    at.after_request(_finish)
    return at


def _finish(response: Response) -> Response:
    """The response with the headers that caches and pages of other origins go by."""
    response.headers["Vary"] = "Accept"
    response.headers["Access-Control-Expose-Headers"] = ", ".join(("ETag", *NAMES))
    return response


def _fields(view: View, named: list[str] | None) -> Mapping[str, Mapping[str, Field]]:
    """The fields of the nodes that are named, or of all; a single node that has told of none yet is asked.

    Raises FailedError where there is no such node, ConsumerError where it does not tell.
    """
    known = view.directory.known()
    if not named:
        return known
    unknown = next((node for node in named if node not in known), None)
    if unknown is not None:
        raise FailedError(404, f"there is no data node {unknown!r:.80}: /api/nodes lists those there are")
    if len(named) == 1 and not known[named[0]]:
        return {named[0]: view.source.fields(named[0], 0, 0)[0]}
    return {node: known[node] for node in named}


def _listing(given: Given, written: str, table: Table) -> Response:
    form = chosen(given.get("format"), request.accept_mimetypes)
    return _changing(Written(form, written, table, {"notices": []}))


def _data(view: View, given: Given, made: Tags, deadline: float) -> Response:
    form, now = chosen(given.get("format"), request.accept_mimetypes), time.time_ns()
    asked = read_data(given, now, SHAPES[1] if form == "frame" else SHAPES[0])
    of = question(asked.targets, view.directory)
    patience = deadline + _OF_A_MILLION * values_of(asked, len(of.wanted)) / 1e6
    can_last = request.method != "POST" and asked.fixed and asked.end <= now
    about = repr((form, asked, [each.name for each in of.wanted], of.fields)) if can_last else ""
    if can_last and of.nodes.keys() <= view.directory.nodes().keys():
        tag = made.find(view.directory, about, _tags_given())
        if tag is not None:
            return _unchanged(tag, _LASTING)
    found = fetching.fetch(view.source, of, asked, patience, look=can_last)
    written = Written(form, asked.time, layouts.laid_out(found.samples, asked.shape), fetching.told(found))
    if not (can_last and found.closed):
        return _changing(written)
    digest = _digest(written)
    return _tagged(written, digest, made.lasting(view.directory, about, digest), _LASTING)


def _changing(written: Written) -> Response:
    """The rows, to be asked for again each time; told whether they are others than before."""
    digest = _digest(written)
    return _tagged(written, digest, digest, _CHANGING)


def _digest(written: Written) -> str:
    return tags.digest(f"{written.form} {written.time}", written.table, written.about)


def _tagged(written: Written, digest: str, tag: str, cache: str) -> Response:
    """The rows with their tag, or that they are the same as before."""
    if request.method != "POST":
        known = tags.same(digest, _tags_given())
        if known is not None:
            return _unchanged(known, cache)
    response = answer(written)
    response.headers.update(headers(written.about))
    if request.method != "POST":
        response.set_etag(tag)
        response.headers["Cache-Control"] = cache
    return response


def _unchanged(tag: str, cache: str) -> Response:
    response = Response(status=304)
    response.set_etag(tag)
    response.headers["Cache-Control"] = cache
    return response


def _tags_given() -> set[str]:
    """The tags that whoever asks has the answers of; weak ones, too: a proxy that compresses makes them so."""
    return {tag for tag in request.if_none_match.as_set(include_weak=True) if _TAG.fullmatch(tag)}
