"""Strangers, and bodies that are made to cost much, cost the node `ingest` little."""

import asyncio
import contextlib
import gzip

from data_nodes.admitting import Fields
from data_nodes.ingest import bodies
from data_nodes.points import Naming, rules
from tests.ingest import ingest

NOW = 1_700_000_000 * 10**9


def post(running, *given, **headers):
    return asyncio.to_thread(running.post, *given, **headers)


async def test_strangers_hold_no_connection_for_ever_and_no_room_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("data_nodes.ingest.node._ARRIVAL", 1)
    head = b"POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n"
    async with ingest(tmp_path) as running:

        async def cut(begin: bytes, piece: bytes) -> int:
            """How many bytes were taken until the connection was closed."""
            reader, writer = await asyncio.open_connection("127.0.0.1", running.post.port)
            sent, ended = len(begin), asyncio.ensure_future(reader.read())
            writer.write(begin)
            with contextlib.suppress(OSError):
                while not ended.done():
                    writer.write(piece)
                    await writer.drain()
                    sent += len(piece)
                    await asyncio.wait({ended}, timeout=0.05)
            await asyncio.wait({ended})
            ended.exception()
            writer.close()
            return sent

        async with asyncio.timeout(60):
            await cut(head, b"X-A: b\r\n")
            assert await cut(head + b"\r\n", bytes(2**16)) < 5_000_000
            assert (await post(running, "/write", b"m v=1 1700000000000000000\n" * 300_000)).status == 204


async def test_a_body_that_gzip_packed_in_very_many_parts_costs_nothing(tmp_path):
    async with ingest(tmp_path) as running:
        packed = gzip.compress(b"") * 800_000
        answer = await post(running, "/write", packed, Content_Encoding="gzip")
        assert (answer.status, "1000 parts" in answer.body["error"]) == (413, True)
        assert bodies.unpacked(gzip.compress(b"m v=1\n") * 1000, 2**20) == b"m v=1\n" * 1000


async def test_a_question_that_creates_nothing_is_refused_however_many_spaces_it_has(tmp_path):
    async with ingest(tmp_path) as running:
        for end, status in (("", 200), (";  ", 200), (";x", 400)):
            body = "q=CREATE+DATABASE+t" + "+" * 400_000 + end.replace(";", "%3B").replace(" ", "+")
            answer = await post(running, "/query", body, Content_Type="application/x-www-form-urlencoded")
            assert answer.status == status


async def test_a_name_that_no_header_can_have_is_told_all_the_same(tmp_path):
    async with ingest(tmp_path) as running:
        answer = await post(running, "/write", "x/y k\rk=1\ny,host=x k\rk=1")
        assert (answer.status, answer.body["kept"]) == (400, 1)
        assert "k?k is what another series is called" in answer.headers["X-Influxdb-Error"]


def test_two_series_are_not_mixed_however_many_others_came_between(monkeypatch):
    monkeypatch.setattr("data_nodes.points._MOST_NAMES", 50)
    naming = Naming(rules([{"measurement": "cpu", "name": "{measurement}"}]), Fields())
    assert naming.take("cpu,cpu=0 v=1", NOW).rows == 1
    for number in range(500):
        naming.take(f"m f{number}=1", NOW)
    (refused,) = naming.take("cpu,cpu=1 v=2", NOW).refused
    assert "cpu/v is what another series is called" in refused.reason
    assert naming.take("cpu,cpu=0 v=3", NOW).rows == 1


def test_names_of_fields_that_are_not_taken_are_not_remembered_for_ever(monkeypatch):
    monkeypatch.setattr("data_nodes.admitting.MOST", 5)
    monkeypatch.setattr("data_nodes.points._MOST_NAMES", 50)
    naming = Naming(rules([]), Fields())
    for number in range(500):
        naming.take(f"m f{number}=1", NOW)
    assert len(naming._names) + len(naming._owners) < 110
