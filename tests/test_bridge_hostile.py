"""Whatever is asked of the bridge, it answers soon and with a sentence: never an error of its own."""

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grafana_json.app import create_app
from grafana_json.query import REDUCTIONS, RequestError, Target, parse_filters, parse_panel, parse_points
from grafana_json.targets import Panel, resolve, search
from sisock.frames import Field
from sisock.settings import Settings
from tests.hostile import any_shape
from tests.memory import memory

PATHS = (
    *("/search", "/query", "/annotations", "/tag-keys", "/tag-values"),
    *("/metrics", "/metric-payload-options", "/variable"),
)
SPAN = {"from": "2026-02-02T00:00:00Z", "to": "2026-02-02T04:00:00Z"}
WIDE = {"node": {f"{i}q{i % 2}x": Field() for i in range(10_000)}}
SOON = 20.0  # seconds of processor: without a bound it would be minutes

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["", "host::cpu", "weather::(rain|sky)", ".*", "0001-01-01", "9999-12-31T23:59:59+23:59", "=~"])
)
anything = any_shape(scalars)


def either(form):
    """Mostly what belongs there, sometimes anything."""
    return form | anything


def of_keys(**forms):
    return st.fixed_dictionaries({}, optional=forms)


moments = st.datetimes().map(lambda t: t.isoformat() + "Z") | st.sampled_from(["0001-01-01T00:00:00+23:59", "now", ""])
payloads = of_keys(
    field=either(st.lists(st.sampled_from(["cpu", "mem.*", ""]))),
    reduce=either(st.sampled_from(REDUCTIONS)),
    points=either(st.integers() | st.floats() | st.sampled_from(["7", "1e400", "-0"])),
    target=either(st.sampled_from(["nodes", "fields of .*"])),
)
texts = st.text(max_size=30) | st.sampled_from(["host", "host::cpu", "weather::.*"])
references = either(st.sampled_from(["A", "Anno"]))
of_simpod = of_keys(target=either(texts), refId=references, hide=anything, payload=either(payloads))
of_simplejson = of_keys(
    target=either(texts), refId=anything, type=either(st.just("table")), hide=anything, data=payloads
)
targets = of_simpod | of_simplejson
filters = of_keys(
    key=either(st.sampled_from(["node", "unit", "tag"])),
    operator=either(st.sampled_from(["=", "!~", "=|"])),
    value=either(st.just(".*")),
    values=either(st.lists(st.text(max_size=5), max_size=3)),
)
requests = of_keys(
    range=either(st.just(SPAN) | of_keys(**{"from": either(moments), "to": either(moments)})),
    targets=either(st.lists(either(targets), max_size=3)),
    adhocFilters=either(st.lists(either(filters), max_size=2)),
    filters=either(st.lists(either(filters), max_size=2)),
    metric=either(st.sampled_from(["host", "(host|weather)", "host::cpu"])),
    payload=either(payloads),
    name=either(st.sampled_from(["field", "reduce"])),
    maxDataPoints=either(st.integers() | st.floats()),
    intervalMs=either(st.integers() | st.floats()),
    annotation=either(of_keys(name=anything, query=either(st.text()), enable=anything, iconColor=anything)),
    target=anything,
    key=anything,
)


@pytest.fixture(scope="module")
def client():
    source = memory()
    yield create_app(source, Settings(bridge_deadline=0.5)).test_client()
    source.let_go.set()


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(path=st.sampled_from(PATHS), body=either(requests))
def test_json_of_any_shape_is_answered_or_refused(client, path, body):
    response = client.post(path, data=json.dumps(body))
    assert response.status_code in (200, 400)
    answer = json.loads(response.data)
    assert response.status_code == 200 or (list(answer) == ["error"] and len(sentence(answer["error"])) < 500)


def sentence(error):
    """The sentence of an error in whichever form."""
    return error["message"] if isinstance(error, dict) else error


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("deep", ["[" * 1000 + "]" * 1000, '{"a":' * 1000 + "1" + "}" * 1000, "[" * 300 + "]" * 300])
@pytest.mark.parametrize(
    "form",
    [
        "{}",
        '{{"target": {}, "key": {}, "range": {}}}',
        '{{"range": {span}, "annotation": {{"a": {}, "name": {}}}}}',
        '{{"range": {span}, "annotation": {}, "targets": {}}}',
        '{{"range": {span}, "targets": [{{"target": "host::cpu", "type": {}, "refId": {}}}]}}',
        '{{"range": {span}, "adhocFilters": [{{"key": {}, "value": {}}}]}}',
        '{{"range": {span}, "intervalMs": {}, "maxDataPoints": {}}}',
        '{{"range": {span}, "targets": [{{"target": "host", "payload": {{"field": {}, "points": {}}}}}]}}',
        '{{"metric": {}, "name": "field", "payload": {{"target": {}}}}}',
    ],
)
def test_however_deep_a_request_is_it_is_no_error_of_the_bridge(client, path, deep, form):
    response = client.post(path, data=form.format(deep, deep, deep, span=json.dumps(SPAN)))
    assert response.status_code in (200, 400)


@pytest.mark.parametrize(
    "number", ["5e-324", "1e308", "1e400", "1" * 500, "-0.0", "NaN", "-1e-9", "0.1", "18446744073709551616"]
)
@pytest.mark.parametrize("key", ["intervalMs", "maxDataPoints"])
def test_every_number_is_a_number_of_points_or_a_sentence(client, key, number):
    data = f'{{"range": {json.dumps(SPAN)}, "targets": [{{"target": "host::cpu"}}], "{key}": {number}}}'
    assert client.post("/query", data=data).status_code in (200, 400)


def test_tiny_and_huge_numbers_have_their_bounds():
    assert parse_points(None, 5e-324, 3600) == 100_000
    assert parse_points(None, 1.7e308, 3600) == 2
    with pytest.raises(RequestError, match="is not a number above zero"):
        parse_points(10**400, None, 3600)


def wildcards(number, target=0):
    return "node::(" + "|".join(f".*q{i % 2}{target}_{i}.*" for i in range(number)) + ")"


def refusal(panel_targets, filters=()):
    panel = Panel(
        1, 2, 10, tuple(Target(text, "A", "timeserie") for text in panel_targets), parse_filters(list(filters))
    )
    before = time.process_time()
    try:
        resolve(panel, WIDE)
    except RequestError as error:
        return str(error)
    finally:
        assert time.process_time() - before < SOON
    return None


@pytest.mark.parametrize(
    "targets",
    [
        [wildcards(199, target) for target in range(100)],
        ["node::" + ".*x" * 2000 + str(target) for target in range(40)],
        [f".*{target}.*nothing" for target in range(200)],
    ],
)
def test_wildcards_beyond_the_work_of_a_request_are_refused_soon(targets):
    assert "takes too long: choose fewer values" in refusal(targets)


def test_the_same_wildcards_cost_once():
    assert refusal([wildcards(50)] * 200) is None


def test_wildcards_of_written_out_nodes_cost_only_these():
    known = {f"n{i}": {f"cpu {j}": Field() for j in range(100)} for i in range(200)}
    text = "(" + "|".join(known) + r")::.* 7"
    series = resolve(Panel(1, 2, 10, (Target(text, "A", "timeserie"),), ()), known)
    assert [each.name for each in series] == sorted(f"{node}::cpu 7" for node in known)


def test_filters_share_the_work_of_a_request():
    wild = "(" + "|".join(f".*a{i}.*" for i in range(900)) + ")"
    plain = "(" + "|".join(f"a{i}" for i in range(900)) + ")"
    many = [{"key": "field", "operator": "!~", "value": plain}] * 20
    assert refusal(["(a|b)" * 9 + "::x"], many) is None
    assert "takes too long" in refusal(["(a|b)" * 9 + "::x"], [{**each, "value": wild} for each in many])
    with pytest.raises(RequestError, match="21 filters are too many"):
        parse_panel({"range": SPAN, "adhocFilters": [*many, many[0]]})


def test_a_search_for_too_many_alternatives_is_refused_soon():
    before = time.process_time()
    with pytest.raises(RequestError, match="takes too long"):
        search("(" + "|".join(f"a{i}" for i in range(900)) + ")", WIDE, 10)
    assert len(search("q1", WIDE, 10)) == 10
    assert time.process_time() - before < SOON


def test_an_annotation_is_echoed_as_far_as_it_is_known_and_short(client):
    client.post("/search")
    about = {"name": "nodes", "enable": True, "iconColor": "r" * 201, "query": "host", "big": "x" * 10_000, "type": []}
    (change,) = client.post("/annotations", json={"range": SPAN, "annotation": about}).json
    assert change["annotation"] == {"name": "nodes", "enable": True, "query": "host"}


def test_a_long_reference_is_cut(client):
    target = {"target": "host::(cpu|mem.free)", "refId": "A" * 10_000, "type": "timeserie"}
    answer = client.post("/query", json={"range": SPAN, "targets": [target]}).json
    assert {each["refId"] for each in answer} == {"A" * 100}
    del target["type"]
    answer = client.post("/query", json={"range": SPAN, "targets": [target]}).json
    assert {each["schema"]["refId"] for each in answer} == {"A" * 100}


def test_a_form_with_very_many_fields_is_refused(client):
    line = {"target": "host", "payload": {"field": [f"f{number}" for number in range(1001)]}}
    answer = client.post("/query", json={"range": SPAN, "targets": [line]})
    assert (answer.status_code, answer.json["error"]["message"]) == (
        400,
        "the panel asks for more than 1000 series: choose fewer values",
    )
