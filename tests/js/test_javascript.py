"""The browser's pure pieces under node, and the bundle: made once, complete, closed to the outside."""

import importlib.util
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
JS = HERE.parents[1] / "js"


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    """js/build.py, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("build_page", JS / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def dist(builder: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("page") / "dist"
    assert builder.build(target)
    return target


def test_the_tests_in_node_pass(builder: ModuleType) -> None:
    node, _ = builder.find_node()
    files = sorted(str(path) for path in HERE.glob("*.test.mjs"))
    run = subprocess.run([node, "--test", *files], capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stdout


def test_the_bundle_is_complete_and_made_only_once(builder: ModuleType, dist: Path) -> None:
    names = {path.name for path in dist.iterdir()}
    assert {"index.html", "app.js", "app.css", "sisock.js", "sisock.d.ts", "favicon.svg", "LICENSES.txt"} <= names
    assert not builder.build(dist)
    (dist / builder.STAMP).write_text("of something else")
    assert builder.build(dist)


def test_a_build_that_fails_says_why_and_leaves_the_page_of_before(
    builder: ModuleType, dist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (dist / builder.STAMP).write_text("of something else")
    monkeypatch.setattr(builder, "find_node", lambda: ("/nowhere/node", "/nowhere/npm"))
    with pytest.raises(builder.BuildError, match=r"building the page: node failed .*: see the lines above"):
        builder.build(dist)
    assert (dist / "index.html").is_file()


def test_the_page_allows_itself_nothing_from_outside(dist: Path) -> None:
    page = (dist / "index.html").read_text()
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in page
    assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son[a-z]+=", page)
    for path in dist.glob("*.css"):
        assert "url(" not in path.read_text()


def test_the_lock_file_names_no_registry() -> None:
    assert "resolved" not in (JS / "package-lock.json").read_text()
