"""The bridge's description of itself is true: what it names is there, and what is asked and answered is as it says."""

import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest

from grafana_json import openapi
from grafana_json.app import create_app
from grafana_json.exchange import LARGEST_REQUEST
from sisock.settings import Settings
from tests.bridge import serving
from tests.described import Described
from tests.memory import memory

CASES = sorted(
    path for dialect in ("simplejson", "simpod") for path in (Path(__file__).parent / "cases" / dialect).glob("*.json")
)
SPAN = {"from": "2026-02-02T00:00:00Z", "to": "2026-02-02T04:00:00Z"}
CONFIGURATION = """
generation.database = "none"

[[operations]]  # a range may end before it begins, which no schema can say
include-path-regex = "^/(query|annotations)$"
checks.positive_data_acceptance.expected-statuses = [200, 204, 400]

[[operations]]  # likewise; and there may be no such node
include-path-regex = "^/api/(?!v1/)"
checks.positive_data_acceptance.expected-statuses = [200, 204, 400, 404]

[[operations]]  # what is PromQL, a time or a label no schema can say
include-path-regex = "^/api/v1/"
checks.positive_data_acceptance.expected-statuses = [200, 204, 400, 422]
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    path = tmp_path_factory.mktemp("bridge") / "token"
    path.write_text("long-random-text\n")
    source = memory()
    yield create_app(source, Settings(bridge_deadline=0.5, bridge_token=str(path)))
    source.let_go.set()


@pytest.fixture(scope="module")
def client(app):
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Bearer long-random-text"
    return client


@pytest.fixture(scope="module")
def described(client):
    return Described(client.get("/openapi.json").json)


def test_every_door_is_described_and_no_other(app):
    there = {
        (re.sub("<(.*?)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD"}
    }
    paths = openapi.describe(guarded=True)["paths"]
    assert {(path, method) for path, methods in paths.items() for method in methods if method != "parameters"} == there


def test_the_schemas_are_schemas(described):
    for schema in described.schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(described.document)
    for kind, name in re.findall(r'"#/components/(\w+)/(\w+)"', text):
        assert name in described.document["components"][kind]


@pytest.mark.parametrize("path", CASES, ids=[f"{path.parent.stem}-{path.stem}" for path in CASES])
def test_golden_requests_and_answers_are_as_described(described, path):
    case = json.loads(path.read_text())
    operation = described.operation(case["path"], case.get("method", "POST"))
    assert operation.trouble_asked(case.get("request", {})) is None
    assert operation.trouble_answered(case.get("status", 200), case["answer"]) is None


def test_the_readmes_examples_are_as_described(described):
    asked = re.findall(r"5000(/\S+) -d '(.*?)'", Path(openapi.__file__).with_name("README.md").read_text(), re.DOTALL)
    assert len(asked) == 2
    for path, body in asked:
        assert described.operation(path, "POST").trouble_asked(json.loads(body)) is None


def test_a_token_is_described_where_one_is_asked_for():
    guarded, free = openapi.describe(guarded=True), openapi.describe(guarded=False)
    tokens = [{"bearer": []}, {"basic": []}]
    for description, security in ((guarded, tokens), (free, [{}, *tokens])):
        assert {each["scheme"] for each in description["components"]["securitySchemes"].values()} == {"bearer", "basic"}
        assert description["paths"]["/query"]["post"]["security"] == security
        assert "401" in description["paths"]["/query"]["post"]["responses"]
        assert "401" not in description["paths"]["/query"]["options"]["responses"]


def test_the_description_is_behind_the_gate(app):
    assert app.test_client().get("/openapi.json").status_code == 401
    assert app.test_client().get("/openapi.json", headers={"Host": "evil.example"}).status_code == 403


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/search", {"target": 0}),
        ("/annotations", {"range": SPAN, "annotation": {"query": []}}),
        ("/query", {"range": SPAN, "targets": {}}),
        ("/query", {"range": SPAN, "targets": ""}),
        ("/query", {"range": SPAN, "adhocFilters": False}),
        ("/query", {"range": SPAN, "targets": [{"target": "host::cpu", "type": 0}]}),
        ("/query", {"range": SPAN, "targets": [{"target": 7, "hide": True}]}),
        ("/query", {"range": SPAN, "targets": [], "adhocFilters": [{"key": "tag", "operator": "=|", "value": "a"}]}),
        ("/metrics", {"metric": 0}),
        ("/metric-payload-options", {"metric": "host", "name": ""}),
        ("/variable", {"payload": []}),
        ("/variable", {"payload": {"target": 0}}),
        ("/tag-values", {"key": "tag", "filters": {}}),
    ],
)
def test_what_is_empty_but_of_another_kind_is_refused_as_described(client, described, path, body):
    assert described.operation(path, "POST").trouble_asked(body)
    assert client.post(path, json=body).status_code == 400


@pytest.mark.timeout(400)
def test_the_running_bridge_keeps_to_its_description(app, peer, tmp_path):
    schemathesis = peer("schemathesis")
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    with serving(app, 8, LARGEST_REQUEST) as port:
        command = [
            *(schemathesis, "--config-file", "schemathesis.toml", "run", f"http://127.0.0.1:{port}/openapi.json"),
            *("--header", "Authorization: Bearer long-random-text", "--checks", "all", "--no-color"),
            *("--phases", "examples,coverage,fuzzing", "--max-examples", "30", "--generation-deterministic"),
            *("--continue-on-failure", "--request-timeout", "20", "--include-path-regex", "."),
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=390, check=False)
    assert done.returncode == 0, done.stdout[:8000] + done.stderr
    described = openapi.describe(guarded=True)["paths"].values()
    count = sum(method in ("get", "post", "options") for methods in described for method in methods)
    assert f"Tested: {count}\n" in done.stdout, done.stdout
