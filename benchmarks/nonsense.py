"""What the bridge has to refuse, by door and kind: for a benchmark of how soon it does."""

import gzip
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

BEGIN = 1_769_990_400  # 2026-02-02T00:00:00Z
_LARGEST = 256 * 2**10  # bytes of a request


class Bad(NamedTuple):
    """Something that will be refused."""

    door: str
    kind: str
    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = {}


SPAN = {"from": "2026-02-02T00:00:00Z", "to": "2026-02-03T00:00:00Z"}
WINDOW = {"start": BEGIN, "end": BEGIN + 10_000, "step": 5}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MANY = "(" + "|".join(f".*a{number}.*" for number in range(900)) + ")"
DEEP = "[" * 100_000 + "]" * 100_000
WITH_BODY = (
    "/search",
    "/query",
    "/annotations",
    "/tag-values",
    "/metrics",
    "/metric-payload-options",
    "/variable",
    "/api/data",
)
WITHOUT = ("/", "/openapi.json", "/api/nodes", "/api/fields", "/api/at", "/api/v1/query", "/api/v1/series", "/metrics")


def everywhere() -> Iterator[Bad]:
    """What is refused at every door alike."""
    for path in dict.fromkeys((*WITH_BODY, *WITHOUT)):
        method = "POST" if path in WITH_BODY else "GET"
        body = b"{}" if path in WITH_BODY else None
        gate = {
            "another host": {"Host": "evil.example"},
            "a page of another origin": {"Origin": "https://evil.example"},
            "an image of another site": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
            "no token": {"Authorization": "Bearer é".encode().decode("latin-1")},
            "compressed": {"Content-Encoding": "gzip"},
        }
        for kind, headers in gate.items():
            yield Bad(path, kind, method, path, body, headers)
        yield Bad(path, "another method", "DELETE", path)


def bodies() -> Iterator[Bad]:
    """Bodies that are no JSON, too deep, too long or of another shape."""
    bomb = gzip.compress(bytes(10_000_000))
    for path in WITH_BODY:
        made: dict[str, Any] = {
            "no JSON": b'{"target": NaN',
            "lone surrogate": b'{"target": "\\ud800"',
            "deep": DEEP.encode(),
            "a list": b"[1]",
        }
        for kind, body in made.items():
            yield Bad(path, kind, "POST", path, body)
        yield Bad(path, "too long", "POST", path, b" " * (_LARGEST + 1))
        yield Bad(path, "a bomb", "POST", path, bomb, {"Content-Encoding": "gzip"})


def panels() -> Iterator[Bad]:
    """Panels that ask for too much, or for what is none."""

    def of(kind: str, path: str = "/query", **said: Any) -> Bad:
        return Bad(path, kind, "POST", path, json.dumps(said).encode())

    one = [{"target": "wide::field 1", "type": "timeserie"}]
    wild = [{"target": f"wide::{MANY[:-1]}|.*{number}b.*)"} for number in range(20)]
    yield of("201 targets", range=SPAN, targets=one * 201)
    yield of("10,000 targets", range=SPAN, targets=[{"target": "a::b"}] * 10_000)
    yield of("every field twice", range=SPAN, targets=[{"target": "wide::.*"}, {"target": "wide::field.*"}])
    yield of("an absurd date", range={**SPAN, "from": "9" * 1000 + "-01-01"}, targets=one)
    yield of("an absurd width", range=SPAN, maxDataPoints=-(10**18), targets=one)
    yield of(
        "wildcards",
        range=SPAN,
        targets=[{"target": "wide::.*"}],
        adhocFilters=[{"key": "field", "operator": "=~", "value": MANY}] * 20,
    )
    yield of("too wild", range=SPAN, targets=[{"target": "wide::(a|b)"}], adhocFilters=wild)
    yield of("wildcards", "/search", target=MANY * 3)
    yield of("wildcards", "/variable", payload={"target": f"fields of {MANY * 3}"})
    yield of("wildcards", "/annotations", range=SPAN, annotation={"query": MANY * 3})
    yield of("wildcards", "/tag-values", key="field", filters=[{"key": "field", "operator": "=~", "value": MANY}] * 20)
    yield of("another key", "/tag-values", key="x" * 100_000)


def rows() -> Iterator[Bad]:
    """Rows that nobody can have."""

    def of(kind: str, path: str = "/api/data", **said: Any) -> Bad:
        return Bad(path, kind, "GET", f"{path}?{urlencode(said, doseq=True)}")

    yield of("an absurd date", target="wide::field 1", **{"from": "9" * 90})
    yield of("no date", target="wide::field 1", **{"from": "yesterday"})
    yield of("201 targets", target=[f"a::{number}" for number in range(201)])
    yield of("no such node", target="nobody::x", **SPAN)
    yield of("no such field", target="wide::nothing", **SPAN)
    yield of("too many values", target="wide::.*", points=1_000_000, **SPAN)
    yield of("an absurd width", target="wide::field 1", points="1e9")
    yield of("another form", target="wide::field 1", format="xml")
    yield of("another parameter", "/api/nodes", x="y" * 1000)
    yield of("no such node", "/api/fields", node="nobody")
    yield of("no such node", "/api/at", target="nobody::x")


def queries() -> Iterator[Bad]:
    """PromQL that is none, or too much."""
    heavy = "topk(2000, " * 40 + "sisock" + ")" * 40
    for kind, query in {
        "no PromQL": "sum(((",
        "deep": "(" * 5000 + "1" + ")" * 5000,
        "long": "1" + "+1" * 20_000,
        "a huge pattern": 'sisock{node=~"((a{900}){900})"}',
        "many patterns": "sisock{" + ",".join(f'field!~"(a|b{n})*c"' for n in range(50)) + "}",
        "too much computing": f"count({heavy})",
        "too many values": "sisock + sisock + sisock",
        "a subquery of tiny steps": "max_over_time(sisock[1y:1ms])",
        "many values counted": 'count_values("v", vector(time()))',
        "no function": "histogram_quantile(0.9, sisock)",
    }.items():
        yield Bad(
            "/api/v1/query_range",
            kind,
            "POST",
            "/api/v1/query_range",
            urlencode({"query": query, **WINDOW}).encode(),
            FORM,
        )
    for kind, said in {
        "too many steps": {"query": "1", "start": 0, "end": 4e9, "step": 0.001},
        "an absurd date": {"query": "1", "start": "9" * 10_000, "end": 1, "step": 1},
        "no step": {"query": "1", "start": 0, "end": 1},
    }.items():
        yield Bad("/api/v1/query_range", kind, "POST", "/api/v1/query_range", urlencode(said).encode(), FORM)
    for path in ("series", "labels"):
        body = urlencode([("match[]", f"a{number}") for number in range(5000)]).encode()
        yield Bad(f"/api/v1/{path}", "5,000 selectors", "POST", f"/api/v1/{path}", body, FORM)


def made_up(door: str = "/") -> Iterator[Bad]:
    """Tokens that nobody has, each another one: the router is asked."""
    for number in itertools.count():
        yield Bad(door, "a made-up token", "GET", door, None, {"Authorization": f"Bearer ann.{number:043}"})


def all_kinds() -> Iterator[Bad]:
    """All of it, but for made-up tokens."""
    return itertools.chain(everywhere(), bodies(), panels(), rows(), queries())
