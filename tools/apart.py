"""Programs in environments of their own, each as its lock says: what they need does not agree with Crossbar."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROGRAMS = ("schemathesis", "pip-audit")


def program(name: str) -> Path:
    """Where the program is, or will be."""
    return _home(name) / "bin" / name


def is_installed(name: str) -> bool:
    """Whether it is there as its lock says."""
    done = _home(name) / "done"
    return done.is_file() and done.read_bytes() == _lock(name).read_bytes()


def install(name: str) -> bool:
    """Make its environment, where it is not there; False, after a sentence, where that fails."""
    if is_installed(name):
        return True
    home = _home(name)
    print(f"installing {name} into {home.relative_to(ROOT)}", flush=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(home)],
        [*pip, "--no-deps", "--require-hashes", "-r", str(_lock(name))],
    ):
        done = subprocess.run(command, stdin=-3, stdout=-1, stderr=-2, text=True, timeout=900, check=False)
        if done.returncode:
            print(f"{done.stdout[-2000:]}\npip could not install {name}")
            return False
    shutil.copy(_lock(name), home / "done")
    return True


def _home(name: str) -> Path:
    return ROOT / ".venv" / name


def _lock(name: str) -> Path:
    return ROOT / "requirements" / f"{name}.txt"
