"""Which nodes a recorder chooses, and that its README says what it is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from data_nodes.recorder.choice import Choice
from data_nodes.recorder.node import FIELDS, Recorder
from sisock import extras
from sisock.listing import Node
from sisock.nodes.base import description_of

ROOT = Path(__file__).parents[1]
HOME = ROOT / "data_nodes" / "recorder"
NODES = [
    Node("host", "", info={"kind": "live", "journal": True, "tags": ["room", "hall2", 7]}),
    Node("weather", "", info={"kind": "archive"}),
    Node("lsof", "", sensitive=True, info={"kind": "command"}),
    Node("old", ""),
    Node("recorder", "", info={"kind": "recorder"}),
]


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        (Choice(), ["host", "old"]),
        (Choice(but=("o*",)), ["host"]),
        (Choice(only=("host", "w*")), ["host", "weather"]),
        (Choice(only=("#hall*", "old")), ["host", "old"]),
        (Choice(but=("#room",)), ["old"]),
        (Choice(only=("hall2", "room")), []),
        (Choice(only=("*",)), ["host", "weather", "lsof", "old"]),
        (Choice(only=("*",), but=("lsof",)), ["host", "weather", "old"]),
    ],
)
def test_all_but_sensitive_nodes_archives_and_recorders_are_recorded_unless_named(choice, chosen):
    assert [node.name for node in NODES if choice(node)] == chosen


def test_the_readme_has_the_parts_the_settings_and_the_fields_of_the_node():
    readme = (HOME / "README.md").read_text()
    prose = re.sub(r"```.*?```", "", readme, flags=re.DOTALL)
    assert re.findall(r"^#+ .*", prose, re.MULTILINE) == [
        "# recorder", "## Configuration", "## Fields", "## Example output",
    ]  # fmt: skip
    assert description_of(Recorder()) in readme
    sample = (HOME / "sample.toml").read_text()
    assert f"```toml\n{sample}```" in readme
    assert set(re.findall(r"^# (\w+) =", sample, re.MULTILINE)) == set(Recorder.__init__.__kwdefaults__)
    rows = [f"| `{name}` | {field.type} | {field.units} | {field.description} |" for name, field in FIELDS.items()]
    assert "\n".join(rows) in readme


def test_who_only_asks_for_its_role_needs_no_pyarrow_and_who_runs_it_is_told():
    program = (
        "import sys; sys.modules['pyarrow'] = None; from data_nodes.recorder.node import Recorder; "
        "print(Recorder.role); Recorder().service()"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.stdout == "recorder\n"
    assert ended.stderr.splitlines()[-1] == (
        f"ImportError: the node 'recorder' needs pyarrow: {extras.command('archive')}"
    )
