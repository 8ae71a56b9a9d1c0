"""A query to a database, now and then: its columns are fields, and its rows come once where one of them says how far."""

import datetime
import decimal
import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_nodes.sources.source import Polled
from sisock import extras
from sisock.nodes import Intake
from sisock.parsers.rows import Parsed, Refused, Row
from sisock.parsing import from_json

if TYPE_CHECKING:
    from sqlalchemy import Engine

_NOTE = "last"
_KINDS: Mapping[str, type[Any]] = {"datetime": datetime.datetime, "date": datetime.date}


class DatabaseError(Exception):
    """A database did not give what it should; says why."""


class Database(Polled):
    """What a query gives."""

    _engine: "Engine | None" = None

    async def ask(self, intake: Intake) -> tuple[Parsed, Mapping[str, str] | None]:
        """Ask once, from where the last rows ended."""
        said = self.spec.options
        column = said.get("last")
        last = _restored(intake.notes[_NOTE]) if column and _NOTE in intake.notes else said.get("first")
        names, rows = await self.thread.run(self._query, {"last": last} if column else {})
        parsed = Parsed([], [])
        if column:
            rows = _sound(rows, names, column, last, said["most"])
        elif len(rows) > said["most"]:
            parsed.refused.append(Refused(f"the query gave more than {said['most']} rows: the others are left out", ""))
        for row in rows[: said["most"]]:
            _add(dict(zip(names, row, strict=True)), parsed)
        note = {_NOTE: _kept(rows[-1][names.index(column)])} if column and rows else None
        return parsed, note if note or not column else {}

    def _query(self, parameters: Mapping[str, Any]) -> tuple[list[str], list[Any]]:
        """The names of the columns, and one row more than may be taken. Raises DatabaseError."""
        try:
            import sqlalchemy as sa
        except ModuleNotFoundError as error:
            raise DatabaseError(f"a database source needs SQLAlchemy: {extras.command('sql')}") from error
        try:
            if self._engine is None:
                self._engine = self._made()
            with self._engine.connect() as connection:
                found = connection.execute(
                    sa.text(self.spec.options["query"]), parameters, execution_options={"stream_results": True}
                )
                try:
                    if not found.returns_rows:
                        raise DatabaseError("the query gives no rows: write a SELECT")
                    return list(found.keys()), list(found.fetchmany(self.spec.options["most"] + 1))
                finally:
                    found.close()
        except sa.exc.SQLAlchemyError as error:
            raise DatabaseError(_sentence(error)) from error
        except ModuleNotFoundError as error:
            raise DatabaseError(
                f"the database needs the Python package {error.name}: install it beside sisock"
            ) from error

    def _made(self) -> "Engine":
        """What connects, with limits, to read only as far as the database knows how to."""
        import sqlalchemy as sa
        from sqlalchemy.pool import NullPool

        url = sa.make_url(self.spec.options["database"])
        password = self.spec.path("password_file")
        if password is not None:
            url = url.set(password=password.read_text(encoding="utf-8").strip())
        wait = self.spec.options["timeout"]
        kind, given = url.get_backend_name(), dict[str, Any]()
        if kind == "sqlite":
            url, given = _read_only(url, self.spec.folder), {"timeout": wait}
        elif kind == "postgresql":
            told = f"-c statement_timeout={round(wait * 1000)} -c default_transaction_read_only=on"
            given = {"connect_timeout": max(1, round(wait)), "options": told}
        return sa.create_engine(url, poolclass=NullPool, connect_args=given)


def _read_only(url: Any, folder: Path) -> Any:
    """An SQLite file, which has to be there, opened to be read."""
    path = folder / Path(url.database or "").expanduser()
    if not path.is_file():
        raise DatabaseError(f"there is no database {path}")
    return url.set(database=f"file:{path}", query={"mode": "ro", "uri": "true"})


def _sentence(error: Exception) -> str:
    """What the database says, without the statement."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _sound(rows: list[Any], names: list[str], column: str, last: Any, most: int) -> list[Any]:
    """As many rows as may be taken, ending where the value of the column does; raises DatabaseError where they do not ascend."""
    if column not in names:
        raise DatabaseError(f"the query gives no column {column!r}, which last names: it gives {', '.join(names)}")
    at = names.index(column)
    values = [row[at] for row in rows]
    try:
        sound = all(a is not None and b is not None and a <= b for a, b in pairwise(values))
        new = not values or (values[0] is not None and values[0] != last)
    except TypeError as error:
        raise DatabaseError(f"the values of {column!r} cannot be compared: {error}") from error
    if not sound or not new:
        raise DatabaseError(
            f"the rows do not ascend by {column!r} from :last on: write WHERE {column} > :last ORDER BY {column}"
        )
    if len(rows) <= most:
        return rows
    kept = [row for row in rows if row[at] != values[-1]]
    if not kept:
        raise DatabaseError(
            f"more than {most} rows have the same {column!r}: raise most, or take another column for last"
        )
    return kept


def _add(row: dict[str, Any], parsed: Parsed) -> None:
    text = ", ".join(f"{name}={value!r:.200}" for name, value in row.items())
    values: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, decimal.Decimal):
            values[name] = int(value) if value == value.to_integral_value() and abs(value) < 2**63 else float(value)
        elif isinstance(value, (datetime.datetime, datetime.date)):
            values[name] = value.isoformat()
        elif value is None or isinstance(value, (int, float, str, bool)):
            values[name] = value
        else:
            parsed.refused.append(
                Refused(f"{name!r:.80} is of type {type(value).__name__}, which no field can hold", text)
            )
    parsed.rows.append(Row(values, text))


def _kept(value: Any) -> str:
    """A value of the column as a note."""
    for kind, python in _KINDS.items():
        if type(value) is python:
            return json.dumps({kind: value.isoformat()})
    if isinstance(value, decimal.Decimal):
        return json.dumps({"decimal": str(value)})
    if isinstance(value, (int, float, str)):
        return json.dumps(value)
    raise DatabaseError(f"last is of type {type(value).__name__}: take a column of numbers, texts or times")


def _restored(note: str) -> Any:
    told = from_json(note)
    if not isinstance(told, dict):
        return told
    ((kind, text),) = told.items()
    return decimal.Decimal(text) if kind == "decimal" else _KINDS[kind].fromisoformat(text)
