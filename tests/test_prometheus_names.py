"""How nodes and fields are called where the bridge is asked as a Prometheus, and what of them are series."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grafana_json.prometheus.naming import metric_name, series_of
from sisock.frames import Column, Field, Frame
from sisock.listing import Node
from sisock.times import NS
from tests.memory import MONDAY, Memory
from tests.promql import ask, client_of, numbers, over


@pytest.mark.parametrize(
    ("field", "metric"),
    [
        ("cpu", "cpu"),
        ("cpu (core 0)", "cpu_core_0"),
        ("mem.free", "mem_free"),
        ("network/eth0/received", "network_eth0_received"),
        ("4K stage", "_4K_stage"),
        ("温度", "_"),
        ("a__b_", "a__b_"),
        ("a:b", "a:b"),
        ("up", "up_"),
        ("sisock", "sisock_"),
    ],
)
def test_a_metric_is_called_as_the_field_as_far_as_it_may(field, metric):
    assert metric_name(field) == metric


@given(st.text(min_size=1, max_size=30))
def test_every_field_has_a_legal_name(field):
    name = metric_name(field)
    assert name.isascii()
    assert name.replace(":", "_").isidentifier()
    assert name not in ("up", "sisock")


def test_labels_are_node_field_unit_and_tags():
    node = Node("n", "", info={"tags": ["lab", "cold"]})
    up, field = series_of(node, {"a b": Field(units="K"), "word": Field(type="string")})
    assert field.labels == {"__name__": "a_b", "field": "a b", "node": "n", "unit": "K", "tags": ",cold,lab,"}
    assert up.labels == {"__name__": "up", "node": "n", "tags": ",cold,lab,"}


def test_fields_whose_names_become_the_same_stay_apart(client):
    fields = {"a.b": Field(), "a b": Field()}
    t = np.array([MONDAY * NS])
    columns = {"a.b": Column(np.array([1.0])), "a b": Column(np.array([2.0]))}
    client = client_of(Memory({"n": (fields, Frame("samples", t, columns))}))
    found = {each["metric"]["field"]: each["value"][1] for each in ask(client, "a_b")["data"]["result"]}
    assert found == {"a.b": "1", "a b": "2"}
    assert numbers(ask(client, 'a_b{field="a b"}')) == {MONDAY: 2}


def test_every_field_can_be_asked_for_by_its_labels_alone(client):
    assert numbers(ask(client, 'sisock{node="host",field="mem.free"}', MONDAY + 1)) == numbers(
        ask(client, "mem_free", MONDAY + 1)
    )
    everything = ask(client, "count(sisock)", MONDAY)
    assert numbers(everything) == {MONDAY: 6}
    assert numbers(ask(client, 'count({__name__=~".+",field!=""})', MONDAY)) == {MONDAY: 6}


def test_texts_are_no_series_and_booleans_are_numbers(client):
    assert ask(client, "sky")["data"]["result"] == []
    assert numbers(over(client, "rain", MONDAY, MONDAY + 300, 300)) == {MONDAY: 0, MONDAY + 300: 0}
    assert numbers(ask(client, "max_over_time(rain[10m])", MONDAY + 300)) == {MONDAY + 300: 1}


def test_nan_is_no_sample_and_infinity_is(client):
    values = numbers(over(client, "temperature", MONDAY, MONDAY + 120, 60))
    assert values == {MONDAY: 1.5, MONDAY + 60: 1.5, MONDAY + 120: -math.inf}
    assert numbers(ask(client, "temperature / 0", MONDAY + 300)) == {MONDAY + 300: math.inf}
