"""Programs in environments of their own, each as its lock says: what they need does not agree with Crossbar.

Packages of npm that tests look through lie beside them, each in a folder of its own.
"""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROGRAMS = ("schemathesis", "pip-audit", "ocs-agent-cli")
PACKAGES = {  # where package.json and package-lock.json of each lie
    "grafana-data": ROOT / "tests" / "grafana",
    "grafana-schema": ROOT / "tests" / "grafana_schema",
    "kafka": ROOT / "tests" / "kafka",
}
_NPM = (
    "ci",
    "--loglevel=error",
    "--ignore-scripts",
    "--legacy-peer-deps",
    "--no-audit",
    "--no-fund",
)  # no peers of peers


def program(name: str) -> Path:
    """Where the program is, or will be; of packages of npm the folder that holds their node_modules."""
    return _home(name) if name in PACKAGES else _home(name) / "bin" / name


def is_installed(name: str) -> bool:
    """Whether it is there as its lock says."""
    done = _home(name) / "done"
    return done.is_file() and done.read_bytes() == _lock(name).read_bytes()


def install(name: str) -> bool:
    """Make its environment, where it is not there; False, after a sentence, where that fails."""
    if is_installed(name):
        return True
    home = _home(name)
    home.mkdir(exist_ok=True)
    print(f"installing {name} into {home.relative_to(ROOT)}", flush=True)
    for command in _with_npm(name) if name in PACKAGES else _with_pip(name):
        done = subprocess.run(command, cwd=home, stdin=-3, stdout=-1, stderr=-2, text=True, timeout=900, check=False)
        if done.returncode:
            print(f"{done.stdout[-2000:]}\n{name} could not be installed: {' '.join(command)}")
            return False
    shutil.copy(_lock(name), home / "done")
    return True


def find_node() -> tuple[str, str]:
    """Paths of node and of npm's program, found as the build of the page finds them."""
    spec = importlib.util.spec_from_file_location("build_page", ROOT / "js" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    node, npm = build.find_node()
    return str(node), str(npm)


def _with_pip(name: str) -> list[list[str]]:
    pip = [str(_home(name) / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return [
        [sys.executable, "-m", "venv", "--clear", str(_home(name))],
        [*pip, "--no-deps", "--require-hashes", "-r", str(_lock(name))],
    ]


def _with_npm(name: str) -> list[list[str]]:
    for file in ("package.json", "package-lock.json"):
        shutil.copy(PACKAGES[name] / file, _home(name))
    return [[*find_node(), *_NPM]]


def _home(name: str) -> Path:
    return ROOT / ".venv" / name


def _lock(name: str) -> Path:
    return PACKAGES[name] / "package-lock.json" if name in PACKAGES else ROOT / "requirements" / f"{name}.txt"
