"""The README's and the tutorial's commands do what they say, against a running `sisock up`."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas
import pytest

from tests.demo import ROOT, Up, environment, sisock
from tests.test_docs import blocks

RUNNING = {"up", "node", "principal", "invite", "enroll", "grafana"}  # what they start or change has tests of its own


def commands() -> list[str]:
    """Every `sisock …` line of the shell blocks that ends by itself."""
    lines = [
        line
        for page in ("README.md", "docs/tutorial.md")
        for code in blocks(ROOT / page, "sh")
        for line in code.splitlines()
    ]
    return [
        line
        for line in dict.fromkeys(lines)
        if line.startswith("sisock ") and line.split()[1] not in RUNNING and "/tmp/other" not in line
    ]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("readme")
    running = Up(folder, nodes=f"{ROOT}/examples/thermometer.py,host,weather")
    yield running.until_ready()
    assert running.interrupt() == 0


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_documents_works(up: Up, line: str) -> None:
    arguments = shlex.split(line, comments=True)[1:]
    limit = ["--count", "2"] if arguments[0] == "tail" else []
    ended = sisock(up.state, *arguments, *limit)
    assert ended.returncode == 0, ended.stderr
    assert "sisock:" not in ended.stderr
    assert ended.stdout.strip()


def test_the_files_of_the_guide_to_exports_are_written_and_read(
    up: Up, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = ROOT / "docs" / "export.md"
    monkeypatch.chdir(tmp_path)
    for line in "".join(blocks(guide, "sh")).splitlines():
        ended = sisock(up.state, *shlex.split(line)[1:])
        assert (ended.returncode, ended.stderr) == (0, "")
    (code,) = blocks(guide, "python")
    tables: dict[str, pandas.DataFrame] = {}
    exec(code, tables)
    assert tables["seattle"]["weather::seattle/temp_max"].max() == 35.6
    assert str(tables["seattle"].index.dtype).endswith("UTC]")
    assert tables["host"]["host::cpu"].notna().any()


def test_the_python_of_the_readme_works(up: Up, tmp_path: Path) -> None:
    (code,) = [code for code in blocks(ROOT / "README.md", "python") if "connect()" in code]
    script = tmp_path / "readme.py"
    script.write_text(code)
    ended = subprocess.run(
        [sys.executable, str(script)],
        env=environment(up.state),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    nodes, label, extremes, *_ = ended.stdout.splitlines()
    assert nodes == "['host', 'thermometer', 'weather']"
    assert re.fullmatch(r"\d{4} samples, minmax", label)
    assert [float(each) for each in extremes.split()] == [-1.6, 35.6]
