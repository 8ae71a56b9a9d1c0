"""Senseless HTTP requests, made of sound ones by chance: the same seed makes the same again."""

import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote_from_bytes

Headers = list[tuple[str, str]]
SPAN = {"from": "2026-02-02T00:00:00Z", "to": "2026-02-02T00:00:30Z"}
PANEL = {
    "range": SPAN,
    "maxDataPoints": 20,
    "intervalMs": 1000,
    "targets": [{"target": "host::(cpu|mem.*)", "refId": "A", "type": "timeserie", "hide": False}],
    "adhocFilters": [{"key": "unit", "operator": "=~", "value": "(%|B)"}],
}
TABLE = {"range": SPAN, "targets": [{"target": "weather::.*", "refId": "B", "type": "table"}]}
BUILT = {
    "range": SPAN,
    "maxDataPoints": 20,
    "targets": [
        {"target": "host", "refId": "A", "payload": {"field": ["cpu", "mem.*"], "reduce": "band", "points": "8"}},
        {"target": "weather::.*", "refId": "B", "payload": {}, "editorMode": "code", "hide": False},
    ],
    "filters": [{"key": "tag", "operator": "=|", "value": "lab", "values": ["lab", "roof"]}],
}
MARKED = {"range": SPAN, "targets": [{"refId": "Anno", "target": "host::cpu"}]}
ABOUT = {"name": "nodes", "enable": True, "query": "(host|weather)", "iconColor": "red"}
SOUND: dict[str, list[Any]] = {
    "/": [None],
    "/search": [{"target": ""}, {"target": "host::cpu"}, {"target": "fields of (host|weather)"}],
    "/query": [PANEL, TABLE, BUILT, MARKED],
    "/annotations": [
        {"range": {**SPAN, "from": "2026-02-01"}, "annotation": ABOUT},
        {"range": SPAN, "annotation": {**ABOUT, "query": "weather::.*"}},
    ],
    "/tag-keys": [None],
    "/tag-values": [{"key": "unit"}, {"key": "node"}, {"key": "tag", "filters": BUILT["filters"], "timeRange": SPAN}],
    "/metrics": [{}, {"metric": "host", "payload": {"reduce": "mean"}}],
    "/metric-payload-options": [{"metric": "host", "payload": {}, "name": "field"}],
    "/variable": [{"payload": {"target": "nodes with (lab|roof)"}, "range": SPAN}, {"payload": {"target": "cpu"}}],
    "/openapi.json": [None],
    "/api/nodes": [None],
    "/api/fields": [None],
    "/api/data": [{"target": ["host::cpu", "weather::.*"], **SPAN, "points": 20, "reduce": "m4", "shape": "wide"}],
    "/api/at": [None],
}
GETS = ("/", "/openapi.json", "/api/nodes", "/api/fields", "/api/at")
ADDRESSED = {  # what a URL can say there
    "/api/nodes": ["time=iso"],
    "/api/fields": ["node=host&node=weather", "format=csv"],
    "/api/data": [
        "target=host::(cpu|mem.*)&from=2026-02-02&to=2026-02-02T00:00:30Z&points=10&time=iso",
        "target=weather::.*&target=host::cpu&from=1769990400&to=1769991000&bin=1m&reduce=band&shape=wide&format=csv",
        "target=weather::wind&format=arrow&from=2026-02-02&to=2026-02-03",
        "target=weather::sky&format=frame&from=now-2y",
    ],
    "/api/at": ["target=weather::.*&t=2026-02-02T00:01:30Z&which=before&time=ns"],
}
SCALARS: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**400, 0.5, -0.0, 1e308, 5e-324),
    *(float("nan"), float("inf"), "", " ", "\x00", "ü", "𐍈", "\ud800", "a" * 3000, "\\", "\\u", "%s%n", "../../etc"),
    *("host::cpu", "weather::sky", "::", "a::", "::b", "nobody::x", ".*", ".*::.*", "(a|b)", "(" * 40, "(a|b)" * 12),
    *(".*x" * 300, "(" + "|".join(map(str, range(1500))) + ")", "0001-01-01", "9999-12-31T23:59:59.999999+23:59"),
    *("2026-02-02T00:00:00-23:59", "now-6h", "2026-W05-1", "=~", "!~", "table", "timeserie", "unit", "node", "type"),
    *("fields of .*", "nodes", "nodes with .*", "tags", "field", "mean", "band", "lttb", "bins", "Anno", "=|"),
]
METHODS = [
    "GET",
    "POST",
    "PUT",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "PATCH",
    "TRACE",
    "CONNECT",
    "BREW",
    "get",
    "ÄÖ",
    "A" * 500,
]
QUERIES = [
    "a=b",
    "a" * 5000,
    "%",
    "%zz",
    "%00",
    "%ff%fe",
    "a=b&" * 500,
    "?" * 9,
    "a[]=1&a[]=2",
    "target=host::cpu",
    "ü",
]
PATHS = ["//", "/./", "/../", "/%2e%2e/", ";a=b", "/", "%00", "%ff", "é", " ", "?", "\\", "." * 300]
HEADERS: list[tuple[str, list[str]]] = [
    (
        "Content-Type",
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", "", "ü/ü", "a/b;" * 90],
    ),
    (
        "Content-Type",
        ["application/json; charset=utf-16", "multipart/form-data; boundary=" + "b" * 300, "/", ";", "*/*"],
    ),
    ("Content-Encoding", ["gzip", "br", "x", ""]),
    ("Accept", ["", "*/*", "text/html", "a" * 4000, "x;q=ü", "text/csv", "application/vnd.apache.arrow.stream;q=.1"]),
    ("Accept-Encoding", ["gzip, br", "*;q=0", "", "zstd", "gzip;q=1e9, zstd;q=-1", "*", "identity;q=0"]),
    ("If-None-Match", ["*", '"a"', 'W/"', 'a"b', ", ,", '"0.0.é"', '"' + "0." * 2000 + '"', '"-gzip"']),
    ("Host", ["", "localhost", "evil.example", "[::1", "localhost:99999999", "ü", "a" * 4000, "local host", "..", "-"]),
    ("Origin", ["null", "", "http://localhost", "https://grafana.example", "ü", "a" * 4000]),
    ("Authorization", ["", "Bearer", "Bearer x", "Basic !!!", "Basic " + "A" * 4000, "Digest a=b", "ü", "Bearer ü"]),
    ("Cookie", ["a=b", "=", ";" * 900, "a=" + "b" * 4000, "ü=\x01"]),
    ("Range", ["bytes=0-1", "bytes=-", "x"]),
    ("If-Modified-Since", ["yesterday", "Thu, 01 Jan 1970 00:00:00 GMT"]),
    ("Expect", ["100-continue", "x"]),
    ("Transfer-Encoding", ["chunked", "gzip", "identity", "chunked, chunked"]),
    ("X-Forwarded-For", ["::1", "x" * 900]),
    ("X-HTTP-Method-Override", ["DELETE"]),
    ("Connection", ["close", "upgrade", "keep-alive, x"]),
    ("Upgrade", ["websocket", "h2c"]),
]

_HEAVY = 100_000  # parts of a value; some 20,000 are more than a request may be long


class Asked(NamedTuple):
    """One request; the path holds the query string."""

    method: str
    path: str
    headers: Headers
    body: bytes


def request(path: str, seed: int, number: int) -> Asked:
    """The request of that number to the path: mostly one thing about it is wrong, sometimes more."""
    chance = random.Random(f"{seed} {path} {number}")
    sound = chance.choice(SOUND[path])
    asked = Asked("GET" if path in GETS else "POST", path, [("Host", "localhost")], _dumped(sound))
    if path in ADDRESSED and (path in GETS or chance.random() < 0.6):
        said = chance.choice(ADDRESSED[path])
        asked = Asked("GET", f"{path}?{said if chance.random() < 0.3 else _said(chance, said)}", asked.headers, b"")
    changes: list[Callable[[random.Random, Asked, Any], Asked]] = [_body, _body, _body, _header, _address, _method]
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        asked = chance.choice(changes[: 3 if chance.random() < 0.5 else None])(chance, asked, sound)
    return asked


def raw(path: str, seed: int, number: int) -> bytes:
    """The request as bytes of HTTP, some of them changed."""
    chance = random.Random(f"{seed} raw {path} {number}")
    asked = request(path, seed, number)
    lengths = [str(len(asked.body)), str(len(asked.body)), "-1", "1e3", "9" * 30, "0", "5, 5", "+5", "0x5", ""]
    headers = [*asked.headers, ("Content-Length", chance.choice(lengths))]
    version = chance.choice(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.1 x", "", "http/1.1", "HTTP/9"])
    lines = [f"{asked.method} {asked.path} {version}", *(f"{name}: {value}" for name, value in headers)]
    sent = chance.choice(["\r\n", "\r\n", "\r\n", "\n", "\r"]).join([*lines, "", ""]).encode("utf-8", "replace")
    return _scrambled(chance, sent + asked.body) if chance.random() < 0.5 else sent + asked.body


def _said(chance: random.Random, sound: str) -> str:
    """What a URL says, with one thing in it replaced, left out, doubled or added."""
    pairs, what = sound.split("&"), chance.random()
    at = chance.randrange(len(pairs))
    if what < 0.15:
        return "&".join(pairs[:at] + pairs[at + 1 :])
    if what < 0.3:
        return "&".join([*pairs, pairs[at] * chance.choice([1, 2]), chance.choice(QUERIES)])
    name = chance.choice([pairs[at].partition("=")[0], "points", "bin", "from", "to", "format", "x"])
    value = str(chance.choice(SCALARS)).encode("utf-8", "replace")
    pairs[at] = f"{name}={quote_from_bytes(value) if chance.random() < 0.8 else pairs[at]}"
    return "&".join(pairs)


def _body(chance: random.Random, asked: Asked, sound: Any) -> Asked:
    kinds = [_noise, _scrambled_body, _deep, _number]
    if chance.random() < 0.3 or sound is None:
        return asked._replace(body=chance.choice(kinds)(chance, sound))
    changed = sound
    for _ in range(chance.choice([1, 1, 2, 5])):
        more = _changed(chance, changed)
        changed = changed if _is_heavy(more) else more
    return asked._replace(body=_dumped(changed))


def _is_heavy(value: Any) -> bool:
    """Whether it is so much larger than what is taken that only writing it down would take time."""
    waiting, count = [value], 0
    while waiting and count <= _HEAVY:
        count += 1
        each = waiting.pop()
        if isinstance(each, (dict, list)):
            count += len(each)
            waiting += each.values() if isinstance(each, dict) else each
    return count > _HEAVY


def _changed(chance: random.Random, value: Any) -> Any:
    """The value with one thing in it replaced, left out, doubled or added."""
    if not isinstance(value, (dict, list)) or not value or chance.random() < 0.15:
        return chance.choice([chance.choice(SCALARS), [value], {"a": value}, [value] * chance.choice([2, 30, 300])])
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    at, what = chance.choice(keys), chance.random()
    if isinstance(value, list):
        rest = value[:at] + value[at + 1 :]
        return (
            rest
            if what < 0.15
            else [*rest, value[at], value[at]]
            if what < 0.3
            else [*rest, _changed(chance, value[at])]
        )
    if what < 0.15:
        return {key: value[key] for key in keys if key != at}
    if what < 0.25:
        return {**value, chance.choice(["", "a", "ü", "__proto__", "a" * 900]): chance.choice(SCALARS)}
    return {**value, at: _changed(chance, value[at])}


def _dumped(value: Any) -> bytes:
    return b"" if value is None else json.dumps(value).encode()


def _noise(chance: random.Random, sound: Any) -> bytes:
    return chance.randbytes(chance.choice([1, 10, 1000, 100_000]))


def _scrambled_body(chance: random.Random, sound: Any) -> bytes:
    return _scrambled(chance, _dumped(sound) or b"{}")


def _scrambled(chance: random.Random, text: bytes) -> bytes:
    """The text with some bytes changed, and perhaps cut short or doubled."""
    changed = bytearray(text)
    for _ in range(chance.choice([1, 1, 3, 20])):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    cut = chance.randrange(len(changed))
    return bytes(chance.choice([changed, changed, changed[:cut], changed + changed, changed[cut:] + changed[:cut]]))


def _deep(chance: random.Random, sound: Any) -> bytes:
    depth = chance.choice([10, 200, 1000, 30_000])
    inside = chance.choice([b"", b"1", b"null"])
    whole = chance.choice([b"[" * depth + inside + b"]" * depth, b'{"a":' * depth + (inside or b"1") + b"}" * depth])
    key = chance.choice([b"target", b"range", b"targets", b"annotation", b"key", b"adhocFilters"])
    return chance.choice([whole, whole[:-1], b'{"%s": %s}' % (key, whole), b'{"%s": %s' % (key, whole)])


def _number(chance: random.Random, sound: Any) -> bytes:
    """The sound request with a number that is written oddly."""
    number = chance.choice(
        ["1e400", "-1e400", "9" * 5000, "0." + "0" * 5000 + "1", "1e-400", "-0", "01", "+1", "1.", "0x1"]
    )
    key = chance.choice(["maxDataPoints", "intervalMs", "target", "key"])
    return (_dumped(sound)[:-1] or b"{").rstrip(b"}") + f', "{key}": {number}}}'.encode()


def _header(chance: random.Random, asked: Asked, sound: Any) -> Asked:
    name, values = chance.choice(HEADERS)
    kept = [each for each in asked.headers if each[0] != name or chance.random() < 0.1]
    odd = ("X-" + "a" * chance.choice([1, 900]), "b" * chance.choice([1, 900, 40_000]))
    return asked._replace(headers=[*kept, (name, chance.choice(values)) if chance.random() < 0.9 else odd])


def _address(chance: random.Random, asked: Asked, sound: Any) -> Asked:
    if chance.random() < 0.7:
        return asked._replace(path=f"{asked.path}?{chance.choice(QUERIES)}")
    part = chance.choice(PATHS)
    return asked._replace(path=chance.choice([part + asked.path, asked.path + part, asked.path.upper(), part]))


def _method(chance: random.Random, asked: Asked, sound: Any) -> Asked:
    return asked._replace(method=chance.choice(METHODS))
