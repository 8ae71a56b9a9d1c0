"""Wheel and sdist hold all that a checkout does; the locks are whole and name no index."""

import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import sisock
from sisock import shipped
from tools import apart

ROOT = Path(__file__).parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the wheel, made from the sdist, and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder


def test_the_wheel_holds_every_module_the_page_and_the_configuration(built):
    (wheel,) = built.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    modules = {
        str(path.relative_to(ROOT))
        for package in ("sisock", "data_nodes", "grafana_json")
        for path in (ROOT / package).rglob("*.py")
    }
    assert modules | {"hub.py", "sisock/py.typed", "sisock/_shipped/config.json"} <= inside
    page = {f"sisock/_shipped/page/{path.name}" for path in shipped.path("page").glob("*.*s")}
    assert page
    assert page <= inside
    assert not [name for name in inside if name.startswith(("tests/", "tools/", "benchmarks/"))]


def test_the_sdist_brings_the_page_so_that_it_needs_no_npm(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {"js/dist/index.html", "js/build.py", "LICENSE", "Makefile", "tests/conftest.py"} <= names


def test_a_wheel_that_is_unpacked_anywhere_finds_what_it_ships(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    asked = "from sisock import shipped; print(shipped.path('config.json'), shipped.path('page') / 'index.html')"
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True
    )
    for each in map(Path, done.stdout.split()):
        assert each.is_relative_to(tmp_path)
        assert each.is_file()


def test_a_plain_data_node_needs_three_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [re.split(r"[\[>]", each)[0] for each in project["dependencies"]] == ["autobahn", "numpy", "click"]
    assert "crossbar" not in dict(PIN.findall((ROOT / "requirements" / "node.txt").read_text()))


def test_the_version_is_said_in_one_place():
    assert re.fullmatch(r"\d+\.\d+\.\d+", sisock.__version__)
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_lock_is_hashed_names_no_index_and_agrees_with_the_others(lock):
    text = lock.read_text()
    pins = dict(PIN.findall(text))
    assert pins
    assert len(pins) == len(re.findall(r"^\S+==.* \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE))
    assert not re.search(r"https?:|file:/|index-url|find-links|trusted-host", text)
    run = {} if lock.stem in apart.PROGRAMS else dict(PIN.findall((ROOT / "requirements" / "run.txt").read_text()))
    assert {name: version for name, version in pins.items() if run.get(name, version) != version} == {}


@pytest.mark.parametrize("folder", apart.PACKAGES.values(), ids=apart.PACKAGES)
def test_a_lock_of_npm_is_hashed_and_names_no_registry(folder):
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert all(each["integrity"].startswith("sha512-") for name, each in packages.items() if name)
    assert not any("resolved" in each for each in packages.values())
