"""Sources that are queries, to SQLite and to a real PostgreSQL: limits, and rows that come once."""

import datetime
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from tests.postgres import postgres
from tests.sources import at_work, data, refused, until

MAKE = "CREATE TABLE fridge (id INTEGER PRIMARY KEY, at TIMESTAMP, temp NUMERIC(6,2), door VARCHAR(9), raw {blob})"
PUT = "INSERT INTO fridge VALUES (:id, :at, :temp, :door, NULL)"
AT = datetime.datetime(2026, 1, 1)  # noqa: DTZ001  # as a TIMESTAMP without a zone is


class Base:
    """A database to write to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = sa.create_engine(url, poolclass=NullPool)
        self.do(MAKE.format(blob="BYTEA" if "postgres" in url else "BLOB"))

    def do(self, sql: str, **values: object) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.text(sql), values)

    def put(self, *ids: int) -> None:
        for each in ids:
            at = AT + datetime.timedelta(seconds=each)
            self.do(PUT, id=each, at=at, temp=each + 0.25, door="open" if each % 2 else "shut")


@contextmanager
def postgres_url() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with postgres(Path(folder)) as url:
            yield url


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    with postgres_url() as url:
        yield {"postgresql": url}


@pytest.fixture(params=["sqlite", "postgresql"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Base:
    if request.param == "sqlite":
        return Base(f"sqlite:///{tmp_path / 'lab.db'}")
    url = request.getfixturevalue("servers")["postgresql"]
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS fridge"))
    return Base(url)


def table(base: Base, query: str, **more: object) -> str:
    lines = "".join(f"{name} = {value!r}\n" for name, value in more.items())
    return f"database = '{base.url}'\nquery = \"{query}\"\ninterval = 0.05\n{lines}"


async def test_a_query_is_asked_again_and_again(base, tmp_path):
    base.put(1)
    async with at_work(tmp_path, table(base, "SELECT temp, door FROM fridge ORDER BY id DESC LIMIT 1")) as (
        service,
        published,
    ):
        await until(published, 1)
        base.put(2)
        await published.until(
            lambda frames: any("temp" in f.columns and f.columns["temp"].values[0] == 2.25 for f in frames)
        )
        found = await data(service, "temp", "door")
        assert (found["temp"][0], found["door"][0], found["door"][-1]) == (1.25, "open", "shut")


@pytest.mark.parametrize(("last", "first"), [("id", 0), ("at", AT)])
async def test_rows_come_once_through_restarts(base, tmp_path, last, first):
    if last == "at" and "sqlite" in base.url:
        first = "2026-01-01"
    given = first.isoformat() if isinstance(first, datetime.datetime) else repr(first)
    query = f"SELECT id, at, temp FROM fridge WHERE {last} > :last ORDER BY {last}"
    spec = table(base, query, last=last, time="at", most=3) + f"first = {given}\n"
    base.put(1, 2, 3, 4, 5, 6, 7)
    async with at_work(tmp_path, spec) as (service, published):
        await until(published, 7)
    base.put(8, 9)
    async with at_work(tmp_path, spec) as (service, published):
        await until(published, 2)
        base.put(10)
        await until(published, 3)
        assert await data(service, "id") == {"id": list(range(1, 11))}
        frames = [frame for frame in published.frames if "id" in frame.columns]
        assert frames[-1].t[-1] == (1767225600 + 10) * 10**9
    assert refused(tmp_path) == {}


@pytest.mark.parametrize(
    ("query", "more", "sentence"),
    [
        ("SELECT nothing FROM fridge", {}, "nothing"),
        ("SELECT temp FROM fridge WHERE id > :last ORDER BY id", {"last": "id", "first": 0}, "the query gives no column 'id', which last names: it gives temp"),
        ("SELECT id FROM fridge WHERE id > :last ORDER BY id DESC", {"last": "id", "first": 0}, "write WHERE id > :last ORDER BY id"),
        ("SELECT id FROM fridge WHERE id >= :last ORDER BY id", {"last": "id", "first": 1}, "the rows do not ascend by 'id' from :last on"),
        ("SELECT 7 AS id FROM fridge WHERE :last = 0", {"last": "id", "first": 0, "most": 2}, "more than 2 rows have the same 'id'"),
    ],
)  # fmt: skip
async def test_what_goes_wrong_with_a_query_is_told(base, tmp_path, query, more, sentence):
    base.put(1, 2, 3)
    async with at_work(tmp_path, table(base, query, **more)) as (_, published):
        assert sentence in (await published.health("failed"))["error"]


async def test_a_source_cannot_write(base, tmp_path):
    base.put(1)
    async with at_work(tmp_path, table(base, "DELETE FROM fridge")) as (_, published):
        error = (await published.health("failed"))["error"]
        assert "read-only" in error or "readonly" in error or "syntax error" in error
    with base._engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM fridge")).scalar() == 1


async def test_what_no_field_can_hold_and_what_is_too_much_is_told(base, tmp_path):
    base.put(1, 2, 3)
    base.do("UPDATE fridge SET raw = :raw", raw=b"\x00\xff")
    async with at_work(tmp_path, table(base, "SELECT id, raw FROM fridge", most=2)) as (_, published):
        await until(published, 2)
    told = refused(tmp_path)
    assert "the query gave more than 2 rows: the others are left out" in told
    assert any(reason.startswith("'raw' is of type ") for reason in told)


async def test_a_query_that_takes_too_long_is_ended(servers, tmp_path):
    spec = f"database = '{servers['postgresql']}'\nquery = 'SELECT pg_sleep(60)'\ntimeout = 0.2\n"
    async with at_work(tmp_path, spec) as (_, published):
        assert "statement timeout" in (await published.health("failed"))["error"]


async def test_a_database_that_is_not_there_is_told_and_not_made(tmp_path):
    spec = f"database = 'sqlite:///{tmp_path / 'no.db'}'\nquery = 'SELECT 1'\n"
    async with at_work(tmp_path, spec) as (_, published):
        assert (await published.health("failed"))["error"] == f"there is no database {tmp_path / 'no.db'}"
    assert not (tmp_path / "no.db").exists()


async def test_a_database_whose_driver_is_missing_is_told(tmp_path):
    spec = "database = 'mysql+pymysql://me@localhost/lab'\nquery = 'SELECT 1'\n"
    async with at_work(tmp_path, spec) as (_, published):
        assert (
            "the database needs the Python package pymysql: install it" in (await published.health("failed"))["error"]
        )
