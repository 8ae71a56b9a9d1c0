"""The sensors node: what lm-sensors prints, JSON or not."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_nodes.sensors import parser
from data_nodes.sensors.node import Sensors
from sisock.nodes import NoData
from sisock.nodes.command import run_command

CASES = Path(parser.__file__).parent / "testcases"


async def test_the_real_command_is_understood(peer: Callable[[str], str]):
    peer("sensors")
    output = await run_command(Sensors.argv, exits=Sensors.exits)
    try:
        values = Sensors().parse(output)
    except NoData as none:
        assert output.split() in ([], ["{", "}"]), none
    else:
        assert any(value is not None for value in values.values())


async def test_a_machine_without_a_chip_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    command = tmp_path / "sensors"
    command.write_text("#!/bin/sh\nprintf '{\\n\\n}\\n'\necho 'No sensors found!' >&2\nexit 1\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(NoData, match="lm-sensors found no chip on this machine: sensors-detect looks for drivers"):
        await Sensors().sample()


async def test_a_missing_command_is_told_with_the_cure(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Exception, match="'sensors' is not installed .* apt-get install lm-sensors"):
        await Sensors().sample()


def test_the_fields_have_their_units_once_they_were_met():
    node = Sensors()
    assert dict(node.fields) == {}
    node.parse((CASES / "laptop" / "input").read_text())
    assert {field.units for field in node.fields.values()} == {"°C", "V", "A", "RPM"}
    assert node.fields["thinkpad-isa-0000/fan1"].description == "fan1 of thinkpad-isa-0000"


def test_a_sensor_that_falls_silent_is_missing_not_gone():
    whole = (CASES / "laptop" / "input").read_text()
    silent = re.sub(r'"fan1_input": [\d.]+\n', "", whole)
    assert Sensors().parse(silent) == Sensors().parse(whole) | {"thinkpad-isa-0000/fan1": None}


# every document that is JSON reads as JSON does

labels = st.text(st.characters(categories=["L", "Nd", "P", "Zs"], exclude_characters='"\\'), min_size=1, max_size=12)
kinds = st.sampled_from(["temp1_input", "fan2_input", "in0_input", "power1_average", "humidity1_input"])
features = st.dictionaries(labels, st.dictionaries(kinds, st.floats(-1e6, 1e6), min_size=1, max_size=1), max_size=4)
chips = st.dictionaries(labels, features, max_size=4)


@given(chips)
def test_what_is_json_reads_as_json_does(document):
    text = json.dumps({chip: {"Adapter": "any", **features} for chip, features in document.items()}, ensure_ascii=False)
    found = {(each.chip, each.feature): each.value for each in parser.readings(text)}
    assert found == {
        (chip, label): next(iter(measured.values()))
        for chip, features in document.items()
        for label, measured in features.items()
        if label != "Adapter"
    }


@given(st.text(max_size=300))
def test_no_text_at_all_raises(output):
    assert all(each.value is None or isinstance(each.value, float) for each in parser.readings(output))


def test_not_a_number_stays_not_a_number():
    (reading,) = parser.readings('{"a": {"b": {"temp1_input": nan}}}')
    assert reading.value is not None
    assert math.isnan(reading.value)
