"""The forms in which rows are answered, and which of them is asked for."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from flask import Response
from werkzeug.datastructures import MIMEAccept

from grafana_json.query import RequestError, shown
from grafana_json.rows import as_arrow, as_csv, as_json
from grafana_json.rows.questions import FailedError
from grafana_json.rows.tables import Table

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
FORMS = {"json": JSON, "csv": CSV, "sheet": CSV, "arrow": ARROW, "frame": JSON}
_ACCEPTED = {JSON: "json", CSV: "csv", ARROW: "arrow"}  # the first is what who takes anything gets
_AT_ONCE = 4096  # rows that are answered in one piece
_CONTENT_TYPES = {CSV: "text/csv; charset=utf-8; header=present"}


class Written(NamedTuple):
    """A table to be answered: its form, how times are written, and what is to be known beside the rows."""

    form: str
    time: str
    table: Table
    about: dict[str, Any]


def chosen(named: Any, accepted: MIMEAccept) -> str:
    """The form that is named, or else accepted; raises RequestError for an unknown one, FailedError where none will do."""
    if named is not None and named not in tuple(FORMS):
        raise RequestError(f"format={shown(named)} is unknown: use one of {', '.join(FORMS)}")
    form = named or _ACCEPTED.get(accepted.best_match(_ACCEPTED) or "" if accepted else JSON)
    if form is None:
        raise FailedError(406, f"rows come as {', '.join(_ACCEPTED)}, none of which is accepted: use format=")
    if form == "arrow" and not as_arrow.is_there():
        raise FailedError(406, "the bridge cannot write Arrow without pyarrow: pip install 'sisock[parquet]' beside it")
    return str(form)


def answer(written: Written) -> Response:
    """The rows as a response; many are sent as they are written."""
    content_type = FORMS[written.form]
    pieces = _pieces(written)
    body = b"".join(pieces) if written.table.rows <= _AT_ONCE else pieces
    response = Response(body, content_type=_CONTENT_TYPES.get(content_type, content_type))
    if written.form == "sheet":
        response.headers["Content-Disposition"] = 'attachment; filename="sisock.csv"'
    return response


def _pieces(written: Written) -> Iterator[bytes]:
    table, about, time = written.table, written.about, written.time
    if written.form == "arrow":
        return as_arrow.written(table, about)
    if written.form == "frame":
        return as_json.frame(table, about, time)
    if written.form == "json":
        return as_json.written(table, time)
    return as_csv.written(table, time, safe=written.form == "sheet")
