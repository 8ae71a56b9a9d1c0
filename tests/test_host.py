"""The host node: this very machine."""

from types import SimpleNamespace

import psutil
import pytest

from data_nodes.host.node import Host
from data_nodes.host.rates import Rates


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_this_machine_has_the_quantities_of_every_machine():
    node = Host(clock=Clock())
    node.sample()
    values = node.sample()
    assert {"cpu", "cpu/0", "load/1", "memory/used", "uptime", "processes", "disk/usage/"} <= set(values) | {
        "disk/usage/"
    }
    assert 0 <= values["cpu"] <= 100
    assert 0 < values["memory/used"] < values["memory/total"]
    assert values["processes"] == pytest.approx(len(psutil.pids()), abs=50)


def test_every_field_has_units_and_a_description_before_the_first_sample():
    node = Host()
    assert set(node.sample()) <= set(node.fields)
    for name, field in node.fields.items():
        assert field.units, name
        assert field.description, name


def test_the_fields_are_the_same_sample_after_sample():
    node = Host(clock=Clock())
    node.sample()
    before = set(node.fields)
    for _ in range(3):
        node.sample()
    assert set(node.fields) == before


def test_one_thing_that_cannot_be_read_costs_only_itself(caplog: pytest.LogCaptureFixture):
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    machine = SimpleNamespace(**{name: getattr(psutil, name) for name in psutil.__all__ if name.islower()})
    machine.disk_io_counters = refused
    node = Host(machine=machine, clock=Clock())
    node.sample()
    values = node.sample()
    assert "cpu" in values
    assert not any(name.startswith("io/") for name in values)
    assert [record.getMessage() for record in caplog.records] == [
        "host: disks cannot be read: [Errno 13] Permission denied"
    ]


def test_a_rate_is_growth_per_second_and_none_where_a_counter_was_set_back():
    rates = Rates()
    assert rates.update({"a": 10}, 100.0) == {}
    assert rates.update({"a": 30, "b": 5}, 104.0) == {"a": 5.0}
    assert rates.update({"a": 3, "b": 6}, 105.0) == {"b": 1.0}
    assert rates.update({"a": 4, "b": 6}, 105.0) == {}, "no time went by"
    assert rates.update({"b": 7}, 106.0) == {"b": 1.0}
    assert rates.update({"a": 9, "b": 7}, 107.0) == {"b": 0.0}, "it was gone meanwhile"
