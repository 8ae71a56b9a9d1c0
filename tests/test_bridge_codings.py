"""Content codings of all doors: compressed where it pays and is asked for, never the request."""

import zlib

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from grafana_json import openapi
from grafana_json.app import create_app
from grafana_json.codings import compressed
from sisock.settings import Settings
from tests.memory import memory

ALL = "/api/data?target=host::.*&from=2026-02-02&to=2026-02-03&points=10000"


@pytest.fixture(scope="module")
def client():
    source = memory()
    yield create_app(source, Settings(bridge_deadline=0.5)).test_client()
    source.let_go.set()


def plain(response):
    if response.headers.get("Content-Encoding") == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(response.data)
    return zlib.decompress(response.data, 31) if "Content-Encoding" in response.headers else response.data


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, None), ("", None), ("identity", None), ("br", None), ("gzip", "gzip"), ("zstd", "zstd"), ("*", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"), ("gzip;q=1, zstd;q=0.5", "gzip"), ("zstd;q=0", None), ("*;q=0", None),
        ("zstd;q=0, *", "gzip"), ("GZIP", "gzip"), ("gzip;q=0.1, identity;q=0.9", None), ("gzip;q=0.2, *;q=0.1", "gzip"),
        ("gzip;q=0.5, identity;q=0", "gzip"), ("gzip;q=nonsense", None),
    ],
)  # fmt: skip
def test_the_coding_is_the_one_that_is_liked_best(client, accepted, coding):
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    answer = client.get("/openapi.json", headers=headers)
    assert answer.headers.get("Content-Encoding") == coding
    assert "Accept-Encoding" in answer.vary
    assert orjson.loads(plain(answer)) == openapi.describe(guarded=False)
    assert int(answer.headers["Content-Length"]) == len(answer.data)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_many_rows_are_compressed_as_they_are_written(client, coding):
    answer = client.get(ALL, headers={"Accept-Encoding": coding}, buffered=False)
    assert answer.headers["Content-Encoding"] == coding
    assert "Content-Length" not in answer.headers
    assert len(orjson.loads(plain(answer))) == 30_000
    assert len(answer.data) < len(client.get(ALL).data) / 3


def test_other_doors_compress_too(client):
    asked = {"range": {"from": "2026-02-02", "to": "2026-02-03"}, "targets": [{"target": "host::cpu"}]}
    answer = client.post("/query", json=asked, headers={"Accept-Encoding": "gzip"})
    assert orjson.loads(plain(answer)) == client.post("/query", json=asked).json
    assert answer.headers["Content-Encoding"] == "gzip"


def test_what_is_small_or_nothing_stays_as_it_is(client):
    headers = {"Accept-Encoding": "gzip, zstd"}
    for answer in (client.get("/", headers=headers), client.get("/nowhere", headers=headers)):
        assert "Content-Encoding" not in answer.headers
        assert "Accept-Encoding" in answer.vary
    assert "Content-Encoding" not in client.options("/query", headers=headers).headers
    tag = client.get(ALL).headers["ETag"]
    unchanged = client.get(ALL, headers={**headers, "If-None-Match": tag})
    assert (unchanged.status_code, unchanged.data, unchanged.headers.get("Content-Encoding")) == (304, b"", None)


def test_numbers_of_arrow_are_not_worth_gzip(client):
    url = f"{ALL}&format=arrow"
    assert "Content-Encoding" not in client.get(url, headers={"Accept-Encoding": "gzip"}).headers
    packed = client.get(url, headers={"Accept-Encoding": "gzip, zstd"})
    assert packed.headers["Content-Encoding"] == "zstd"
    assert plain(packed) == client.get(url).data


@pytest.mark.parametrize("path", sorted({door.path for door in openapi.DOORS}))
@pytest.mark.parametrize("coding", ["gzip", "zstd", "x", "gzip, gzip", "ü"])
def test_a_compressed_request_is_refused(client, path, coding):
    for method in ("GET", "POST"):
        answer = client.open(path, method=method, data=zlib.compress(b"{}"), headers={"Content-Encoding": coding})
        assert answer.status_code == 415
        assert "not compressed" in str(answer.json["error"])
        assert answer.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("coding", ["", "identity", "Identity"])
def test_a_request_that_says_it_is_as_it_is_is_answered(client, coding):
    assert client.post("/search", json={}, headers={"Content-Encoding": coding}).status_code == 200


@given(st.lists(st.binary(max_size=5000) | st.text(max_size=50), max_size=6), st.sampled_from(["gzip", "zstd"]))
def test_whatever_is_compressed_is_the_same_again(pieces, coding):
    whole = b"".join(piece if isinstance(piece, bytes) else piece.encode() for piece in pieces)
    packed = b"".join(compressed(pieces, coding))
    read = (
        zlib.decompress(packed, 31)
        if coding == "gzip"
        else zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    )
    assert read == whole
