"""What is said where an optional package is missing, and what the documents say of installing."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sisock.extras import command

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md"), *ROOT.glob("data_nodes/*/README.md")]


def test_the_command_installs_into_this_python_what_an_extra_needs():
    asked = [*shlex.split(command("hdf5")), "--dry-run", "--no-index", "--disable-pip-version-check"]
    ended = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr  # from no index: sisock itself is there
    assert "h5py" in ended.stdout


def test_the_command_is_short_where_python_lies_below(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "a b" / "python"))
    assert command("host") == f"'{tmp_path}/a b/python' -m pip install 'sisock[host]'"
    monkeypatch.chdir(tmp_path)
    assert command("host") == "'a b/python' -m pip install 'sisock[host]'"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_has_sisock_installed_from_an_index(page):
    for line in page.read_text().splitlines():
        for said in re.findall(r"([\w./-]*pip) install '?sisock(\S*)", line):
            assert said[0] == ".venv/bin/pip" and said[1].startswith("["), line  # noqa: PT018
