"""What the documents show is what happens."""

import asyncio
import inspect
import re
import sys
from pathlib import Path

import pytest

from sisock.nodes import DataNode

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("data_nodes/*/*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def blocks(page: Path, language: str) -> list[str]:
    return [code for found, code in BLOCK.findall(page.read_text()) if found == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path):
    missing = [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]
    assert not missing


def test_the_readme_shows_the_example_as_it_is():
    shown = [code for code in blocks(ROOT / "README.md", "python") if "class " in code]
    assert shown == [(ROOT / "examples" / "thermometer.py").read_text()]


@pytest.mark.parametrize("code", blocks(ROOT / "docs" / "write-a-node.md", "python")[:-1])
async def test_every_node_of_the_guide_works(code: str):
    names: dict[str, object] = {}
    exec(code, names)
    (kind,) = [
        each
        for each in names.values()
        if inspect.isclass(each) and issubclass(each, DataNode) and each.__module__ == "builtins"
    ]
    measured = asyncio.Event()
    service = kind().service()
    task = asyncio.ensure_future(service.run(lambda frame: measured.set()))
    await asyncio.wait_for(measured.wait(), 10)
    fields, timelines = await service.get_fields(-(2**63), 2**63 - 1)
    task.cancel()
    assert service.description
    assert len(fields) > 3
    assert any(axis.interval for axis in timelines.values()) or service.kind != "archive"


def test_the_guides_test_of_a_node_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    first, *_, last = blocks(ROOT / "docs" / "write-a-node.md", "python")
    (tmp_path / "freezer.py").write_text(first)
    monkeypatch.syspath_prepend(tmp_path)
    exec(last, {"__name__": "guide"})
    sys.modules.pop("freezer")
    assert re.match(r"[1-9]\d* \[-\d\d\.", capsys.readouterr().out)


@pytest.mark.parametrize("page", ["security.md", "router.md", "fleet.md"])
def test_the_tests_that_a_promise_is_said_to_have_are_there(page: str):
    text = (ROOT / "docs" / page).read_text()
    for path, function in re.findall(r"`([\w/]+\.py)::(test_\w+)`", text):
        assert re.search(rf"^(async )?def {function}\(", (ROOT / "tests" / path).read_text(), re.MULTILINE), function
    text = text.replace(".py::", ".py` `")
    files = {path: path.read_text() for path in ROOT.glob("tests/**/test_*.py")}
    named = {Path(name).name for name in re.findall(r"`([\w/.]*test_\w+\.py)`", text)}
    assert named - {path.name for path in files} == set()
    functions = set(re.findall(r"`(test_\w+)`", text))
    there = set(re.findall(r"def (test_\w+)", "\n".join(files.values())))
    assert functions - there == set()
    assert len(named) > 10


def test_all_that_the_router_has_to_withstand_is_listed():
    rows = re.findall(r"^\| (T\d+) \|", (ROOT / "docs" / "router.md").read_text(), re.MULTILINE)
    assert rows == [f"T{number}" for number in range(1, 29)]


def test_what_errors_mean_is_told_of_errors_that_there_are():
    page = (ROOT / "docs" / "grafana.md").read_text().partition("## When something is wrong")[2]
    source = "\n".join(path.read_text() for path in [*ROOT.glob("sisock/**/*.py"), *ROOT.glob("grafana_json/**/*.py")])
    said = [
        text for cell in re.findall(r"^\| ([^|]*) \|", page, re.MULTILINE) for text in re.findall(r"`([^`]*)`", cell)
    ]
    ours = [part.strip() for text in said for part in text.split("…") if text[0].islower() and " " in text]
    assert len(ours) > 10
    assert [text for text in ours if text not in source] == []
