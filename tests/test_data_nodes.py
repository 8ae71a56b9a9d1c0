"""Golden cases of the data nodes (a folder with `input` and `expected.json` is a case), and their READMEs."""

import json
import math
import re
import shutil
import tempfile
import time
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from data_nodes import readings
from data_nodes.coap import asked
from data_nodes.coap.access import Access
from data_nodes.coap.gateway import Gateway
from data_nodes.coap.node import Coap
from data_nodes.files.indexing import Indexer
from data_nodes.files.node import Files
from data_nodes.host.node import Host
from data_nodes.kafka_replay.node import KafkaReplay
from data_nodes.lsof.node import Lsof
from data_nodes.ocs_feeds.decoding import Decoder
from data_nodes.ocs_feeds.node import OcsFeeds
from data_nodes.readings import Unreadable
from data_nodes.sensors.node import Sensors
from data_nodes.weather.node import Weather
from sisock.frames import Field, Frame, Query, concat
from sisock.nodes import CommandNode, LiveNode, NoData
from sisock.nodes.base import declared, description_of
from sisock.nodes.rows import Schema
from sisock.records import Received, frames
from sisock.records.mapping import mapping
from sisock.store import reading
from sisock.times import NS

HOME = Path(__file__).parents[1] / "data_nodes"
NOW = 1_500_000_000 * NS
Outcome = dict[str, Any]

# what each node makes of a case


def of_command(make: Callable[[], CommandNode]) -> Callable[[Path], Outcome]:
    def outcome(case: Path) -> Outcome:
        node = make()
        return _live(node, lambda: node.parse((case / "input").read_bytes().decode("utf-8", "replace")))

    return outcome


def of_host(case: Path) -> Outcome:
    """The last of several readings of a machine, as psutil gives them."""
    readings = json.loads((case / "input").read_text())
    machine = SimpleNamespace()
    seconds = iter([each["at"] for each in readings])
    vars(machine).update(_machine(readings[0]))
    node = Host(machine=machine, clock=lambda: next(seconds))
    for each in readings[:-1]:
        vars(machine).update(_machine(each))
        node.sample()
    vars(machine).update(_machine(readings[-1]))
    return _live(node, node.sample)


def of_weather(case: Path) -> Outcome:
    node = Weather(folder=case / "input")
    found: Outcome = {}
    for name, field in declared(node).items():
        t, column = node.read(name, -(2**63), 2**63 - 1)
        missing = np.zeros(len(t), bool) if column.missing is None else column.missing
        values = [None if gone else value for gone, value in zip(missing, column.values.tolist(), strict=True)]
        found[name] = {**field._asdict(), "t": t.tolist(), "values": [_plain(value) for value in values]}
    return found


def of_files(case: Path) -> Outcome:
    node = Files(folder=case / "input")
    with tempfile.TemporaryDirectory() as home:
        node.home = Path(home)
        catalog = node.catalog()
        Indexer(catalog, "**/*").round()
        fields = catalog.fields()
        answer = reading.answer(catalog.timelines.values(), Query(tuple(fields), -(2**62), 2**62))
        catalog.close()
    found: Outcome = {}
    for name, field in fields.items():
        t, column = answer.series(name)
        gone = np.zeros(len(t), bool) if column.missing is None else column.missing
        values = [None if none else _plain(value) for none, value in zip(gone, column.values.tolist(), strict=True)]
        found[name] = {**field._asdict(), "t": t.tolist(), "values": values}
    return found


def of_ocs_feeds(case: Path) -> Outcome:
    """The events of one agent, at a time that stands still."""
    decoder, schema, refused = Decoder(), Schema({}), []
    frames: dict[str, list[Frame]] = {}
    for feed, args in json.loads((case / "input").read_text()):
        made = decoder.decode(feed, tuple(args), NOW)
        taken, no_kind = schema.frames(made.frames, NOW)
        refused += [*made.refused, *filter(None, [no_kind])]
        for frame in taken:
            frames.setdefault(frame.timeline, []).append(frame)
    found: Outcome = {
        timeline: {name: {"units": schema.fields[name].units, "values": _values(whole, name)} for name in whole.columns}
        for timeline, whole in {timeline: concat(parts) for timeline, parts in frames.items()}.items()
    }
    return {**found, "refused": refused} if refused else found


def of_kafka_replay(case: Path) -> Outcome:
    """Messages as topic, timestamp in ms or null, and payload."""
    told = json.loads((case / "input").read_text())
    how = mapping(told["records"])
    received = [
        Received(_payload(payload), stamp and stamp * 10**6, topic) for topic, stamp, payload in told["messages"]
    ]
    made = frames(received, how, 1_700_000_000 * NS)
    found: Outcome = {
        frame.timeline: {
            name: {
                "units": how.units.get(name.partition("/")[2]),
                "t": frame.t.tolist(),
                "values": _values(frame, name),
            }
            for name in frame.columns
        }
        for frame in made.frames
    }
    return found | ({"refused": [[number, why] for number, why in made.refused]} if made.refused else {})


def _payload(told: Any) -> bytes:
    return bytes.fromhex(told["cbor"]) if isinstance(told, dict) else told.encode()


def of_coap(case: Path) -> Outcome:
    """What several messages become, or why they are refused; and what the gateway tells of itself afterwards."""
    found: Outcome = {}
    gateway = Gateway(Access(case, "open"), most=9, clock=lambda: NOW)
    for number, each in enumerate(json.loads((case / "input").read_text())):
        words = asked.words(each.get("query", []))
        post = asked.post(words, each["payload"].encode(), asked.form(each.get("format")), each.get("device"))
        try:
            sent = readings.read(post.payload, post.form, post.device, post.hints, NOW)
        except Unreadable as error:
            found[f"refused {number}"] = str(error)
            continue
        for device, given in sent.readings.items():
            gateway.devices.meet(device, NOW).take(post.number, post.boot)
            frame, _ = readings.frame(device, given)
            units = {f"{device}/{reading.name}": reading.units for reading in given}
            found[device] = {name: {"units": units[name], "values": _values(frame, name)} for name in frame.columns}
    told = gateway.figures()
    found["devices"] = {
        name: {"units": gateway.fields[name].units, "values": _values(told, name)} for name in told.columns
    }
    return found


NODES: dict[str, tuple[Callable[[], Any], Callable[[Path], Outcome]]] = {
    "weather": (Weather, of_weather),
    "sensors": (Sensors, of_command(Sensors)),
    "lsof": (Lsof, of_command(lambda: Lsof(largest=3, clock=lambda: NOW))),
    "host": (Host, of_host),
    "files": (Files, of_files),
    "ocs_feeds": (OcsFeeds, of_ocs_feeds),
    "kafka_replay": (KafkaReplay, of_kafka_replay),
    "coap": (Coap, of_coap),
}
CASES = [case for name in NODES for case in sorted((HOME / name / "testcases").iterdir())]


def _live(node: LiveNode, sample: Callable[[], Any]) -> Outcome:
    """The samples with their units, through the same checks as in a running node."""
    try:
        returned = sample()
    except NoData as why:
        return {"no data": str(why)}
    schema = Schema(declared(node), lambda: node.fields)
    frames, refused = schema.frames(returned, NOW)
    assert refused is None
    return {
        frame.timeline: {
            name: {"units": schema.fields[name].units, "values": _values(frame, name)} for name in frame.columns
        }
        for frame in frames
    }


def _values(frame: Frame, name: str) -> list[Any]:
    column = frame.columns[name]
    missing = np.zeros(len(frame), bool) if column.missing is None else column.missing
    return [None if gone else _plain(value) for gone, value in zip(missing, column.values.tolist(), strict=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return str(value) if not math.isfinite(value) else round(value, 6)
    return value


def _machine(reading: Mapping[str, Any]) -> dict[str, Any]:
    """Functions that answer as psutil's; what the reading has null for raises, as where there is no permission."""

    def answer(value: Any) -> Callable[..., Any]:
        def function(*_: Any, **__: Any) -> Any:
            if value is None:
                raise OSError(13, "Permission denied")
            return value

        return function

    answers = {name: answer(_named(value)) for name, value in reading.items() if name not in ("at", "uptime")}
    return answers | {"boot_time": lambda: time.time() - reading["uptime"]}


def _named(value: Any) -> Any:
    """Dicts as psutil's named tuples, except those by disk, interface or chip (their values are dicts or lists)."""
    if isinstance(value, list):
        return [_named(each) for each in value]
    if not isinstance(value, dict):
        return value
    if any(isinstance(each, (dict, list)) for each in value.values()):
        return {key: _named(each) for key, each in value.items()}
    return namedtuple("named", value)(**value)  # noqa: PYI024  # as psutil's


# the cases


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parents[1].name}-{case.name}")
def test_a_node_makes_of_its_input_what_the_case_expects(case: Path):
    found = NODES[case.parents[1].name][1](case)
    assert found == json.loads((case / "expected.json").read_text()), case


# the README of each node


@pytest.fixture(params=NODES)
def node_name(request: pytest.FixtureRequest) -> str:
    return request.param


def readme(name: str) -> str:
    return (HOME / name / "README.md").read_text()


def test_the_readme_has_the_same_parts_for_each_node(node_name: str):
    prose = re.sub(r"```.*?```", "", readme(node_name), flags=re.DOTALL)
    parts = re.findall(r"^#+ .*", prose, re.MULTILINE)
    assert parts == [f"# {node_name}", "## Configuration", "## Fields", "## Example output"]


def test_the_readme_says_what_the_node_says_of_itself(node_name: str):
    assert description_of(NODES[node_name][0]()) in readme(node_name)


def test_the_readme_has_the_sample_configuration_and_it_names_real_settings(node_name: str):
    sample = (HOME / node_name / "sample.toml").read_text()
    assert f"```toml\n{sample}```" in readme(node_name)
    kind = NODES[node_name][0] if isinstance(NODES[node_name][0], type) else Lsof
    for setting in re.findall(r"^# (\w+) =", sample, re.MULTILINE):
        assert setting in kind.__init__.__kwdefaults__, setting
    assert sample.startswith(f"[{node_name}]\n")


def test_the_table_of_fields_is_what_the_node_has(node_name: str):
    rows = list(_rows(readme(node_name)))
    used = set()
    for name, field in _fields(node_name).items():
        fitting = {row for row in rows if _fits(row, name, field)}
        assert fitting, f"{name}, {field}: not in the table"
        used |= fitting
    assert used == set(rows), "rows of fields that no case has"


def test_the_example_output_is_that_of_a_case(node_name: str):
    case = re.search(r"From `testcases/(\w+)`", readme(node_name))
    assert case
    expected = json.loads((HOME / node_name / "testcases" / case[1] / "expected.json").read_text())
    assert "```\n" + "\n".join(_example(expected)) + "\n```" in readme(node_name)


def _fields(name: str) -> dict[str, Field]:
    """All fields of the node in its cases, and as it is."""
    make, outcome = NODES[name]
    fields = {} if name == "host" else declared(make())
    for case in [case for case in CASES if case.parents[1].name == name]:
        for timeline, columns in outcome(case).items():
            if name in ("weather", "files"):
                fields[timeline] = Field(type=columns["type"], units=columns["units"])
            elif isinstance(columns, dict):
                for field, column in columns.items():
                    text = any(isinstance(value, str) and value not in ("nan", "inf") for value in column["values"])
                    fields.setdefault(field, Field(type="string" if text else "number", units=column["units"]))
    return fields


def _rows(text: str) -> Iterator[tuple[str, str, str]]:
    """Name, type and units of each row of the table."""
    for row in re.findall(r"^\| `.*\|$", text, re.MULTILINE):
        name, kind, units, _ = (cell.strip() for cell in row.strip("|").split("|"))
        yield name.strip("`"), kind, units


def _fits(row: tuple[str, str, str], name: str, field: Field) -> bool:
    pattern, kind, units = row
    in_units = re.fullmatch(r"as .+ (says|configured)|as configured", units) or (field.units or "") in units.split(", ")
    return bool(re.fullmatch(_regex(pattern), name)) and field.type in kind.split(" or ") and bool(in_units)


def _regex(pattern: str) -> str:
    """A name of the table, where `<chip>` stands for anything."""
    return "".join(".+" if part.startswith("<") else re.escape(part) for part in re.split(r"(<[^>]+>)", pattern))


def _example(expected: Outcome) -> Iterator[str]:
    """The first value of each field, for people."""
    for timeline, columns in expected.items():
        by_field = {timeline: columns} if "values" in columns else columns
        for field, column in by_field.items():
            value = next((each for each in column["values"] if each is not None), "-")
            yield f"{field:<34} {value} {column['units'] or ''}".rstrip()


def test_every_case_is_of_a_node_and_complete():
    for case in CASES:
        assert {each.name for each in case.iterdir()} >= {"input", "expected.json"}, case


def test_a_case_does_not_depend_on_where_it_lies(tmp_path: Path):
    case = HOME / "weather" / "testcases" / "odd_lines"
    shutil.copytree(case, tmp_path / "elsewhere")
    assert of_weather(tmp_path / "elsewhere") == of_weather(case)
