"""Data sources and alert rules as Grafana reads them at its start."""

from pathlib import Path

import pytest
import yaml

from sisock.frames import Field
from sisock.grafana.doors import DOORS
from sisock.grafana.provisioning import files
from sisock.grafana.seen import Seen
from sisock.grafana.sources import Bridge, token_in_environment, token_in_file
from tests.provisioned import FOLDER, parsed, provisioned

ROOT = Path(__file__).parents[1]


# data sources


def test_data_sources_name_the_token_and_never_have_it():
    sources = parsed("datasources/sisock.yaml", tuple(DOORS))["datasources"]
    assert [source["type"] for source in sources] == [
        "prometheus",
        "simpod-json-datasource",
        "grafana-simple-json-datasource",
        "yesoreyeram-infinity-datasource",
    ]
    assert [source["isDefault"] for source in sources] == [True, False, False, False]
    for source in sources:
        assert source["url"] == "http://bridge:5000"
        assert source["jsonData"]["httpHeaderName1"] == "Authorization"
        assert source["secureJsonData"] == {"httpHeaderValue1": "Bearer $__file{/secrets/bridge.token}"}
    assert sources[3]["jsonData"]["allowedHosts"] == ["http://bridge:5000"]


def test_without_a_token_no_header_is_sent():
    text = files([], [DOORS["prometheus"]], Bridge("http://127.0.0.1:5000"), FOLDER)["datasources/sisock.yaml"]
    (source,) = yaml.safe_load(text)["datasources"]
    assert "secureJsonData" not in source


@pytest.mark.parametrize("path", ["relative", "/a}b", "/a$b", "/a\nb", ""])
def test_a_path_that_grafana_would_read_otherwise_is_refused(path: str):
    with pytest.raises(ValueError, match="no path that Grafana can be told"):
        token_in_file(path)


def test_a_token_may_be_in_grafanas_environment():
    assert token_in_environment("SISOCK_SECRET") == "$__env{SISOCK_SECRET}"
    with pytest.raises(ValueError, match="cannot name an environment variable"):
        token_in_environment("A B")


def test_grafana_is_told_where_the_dashboards_are_and_that_they_are_not_its_own_to_change():
    (provider,) = parsed("dashboards/sisock.yaml")["providers"]
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards"
    assert provider["allowUiUpdates"] is False


def test_compose_mounts_what_is_written_where_grafana_looks_and_where_it_was_written():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    writer, grafana = services["provision"], services["grafana"]
    assert writer["entrypoint"][-1] == FOLDER
    assert f"provisioning:{FOLDER}" in writer["volumes"]
    assert f"provisioning:{FOLDER}:ro" in grafana["volumes"]
    made = {f"{FOLDER}/{name}" for name in provisioned()}
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] in made
    assert writer["healthcheck"]["test"][-1] == f"{FOLDER}/{list(provisioned())[-1]}"  # which is written last


# alert rules


def test_alert_rules_are_paused_examples_on_the_prometheus_door():
    (group,) = parsed("alerting/sisock.yaml")["groups"]
    rules = {rule["uid"]: rule for rule in group["rules"]}
    assert len(rules) == len(group["rules"])
    assert all(rule["isPaused"] is True and len(rule["uid"]) <= 40 for rule in rules.values())
    assert all(rule["title"].startswith("Example: ") for rule in rules.values())
    for rule in rules.values():
        query, threshold = rule["data"]
        assert query["datasourceUid"] == "sisock-prometheus"
        assert (threshold["datasourceUid"], rule["condition"]) == ("__expr__", threshold["refId"])
        assert threshold["model"]["expression"] == query["refId"]
    assert rules["sisock-node-away"]["data"][0]["model"]["expr"] == "up"
    silent = rules["sisock-silent-host"]
    assert silent["noDataState"] == "Alerting"
    assert silent["data"][0]["model"]["expr"] == 'count_over_time(sisock{node="host",field="health.took"}[600s])'
    assert "sisock-silent-weather" not in rules  # an archive
    assert rules["sisock-above-limit"]["data"][1]["model"]["conditions"][0]["evaluator"]["type"] == "gt"


def test_an_alerts_text_has_no_variable_of_the_environment():
    node = Seen("n", "", {"$HOME": Field()}, healthy=False)
    (group,) = parsed("alerting/sisock.yaml", nodes=[node])["groups"]
    assert "$$HOME" in group["rules"][-1]["title"]
    assert group["rules"][-1]["data"][0]["model"]["expr"] == 'max_over_time(sisock{node="n",field="\\x24HOME"}[5m])'


def test_without_the_prometheus_door_there_are_no_alert_rules():
    assert "alerting/sisock.yaml" not in provisioned(("simpod",))
