"""Sets up .venv from a hashed lock file: `python3 tools/setup.py run|dev`; does nothing while that lock is unchanged."""

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = VENV / "setup.log"
DOING = re.compile(r"(?:Collecting|Processing|Requirement already satisfied:) (\S+)")


def main(lock: str) -> None:
    """Make the environment hold what the lock says, and the project itself."""
    if sys.version_info < (3, 11):
        sys.exit(f"sisock needs Python 3.11 or newer, and python3 is {sys.version.split()[0]}: install a newer one")
    locks = [lock] if shutil.which("npm") else [lock, "nodejs"]  # npm fetches what the page is bundled of
    if _is_done(lock, locks) or (lock == "run" and _is_done("dev", ["dev", *locks[1:]])):  # dev holds all of run
        return
    _make_venv()
    started = time.monotonic()
    for each in locks:
        _install(each)
    _pip("installing sisock itself", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    _say("compiling", end="")
    subprocess.run([PYTHON, "-m", "compileall", "-q", "-j", "0", VENV / "lib"], check=False, capture_output=True)
    _done(lock).write_text(_digest(locks))
    _say(f"installed into {VENV.name} in {time.monotonic() - started:.0f} s")


def _done(lock: str) -> Path:
    return VENV / f"done-{lock}"


def _is_done(lock: str, locks: list[str]) -> bool:
    return _done(lock).is_file() and _done(lock).read_text() == _digest(locks)


def _digest(locks: list[str]) -> str:
    """What the environment depends on: this Python, this place, the locks and the project's entry points."""
    digest = hashlib.sha256(f"{sys.version} {ROOT}".encode())
    for path in (ROOT / "pyproject.toml", *(ROOT / "requirements" / f"{each}.txt" for each in locks)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _make_venv() -> None:
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit("Python cannot make a virtual environment here: sudo apt-get install python3-venv, then try again")
    if not PYTHON.is_file() or _version(PYTHON) != _version(Path(sys.executable)):
        _say(f"making {VENV.name} with Python {sys.version.split()[0]}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)


def _version(python: Path) -> str:
    shown = subprocess.run([python, "--version"], capture_output=True, text=True, check=False)
    return shown.stdout.strip()


def _install(lock: str) -> None:
    path = ROOT / "requirements" / f"{lock}.txt"
    packages = len(re.findall(r"^\S+==", path.read_text(), re.MULTILINE))
    what = f"installing {packages} {'package' if packages == 1 else 'packages'} of {path.relative_to(ROOT)}"
    _pip(what, "--no-deps", "--no-compile", "--require-hashes", "-r", str(path), of=packages)


def _pip(what: str, *arguments: str, of: int = 0) -> None:
    """Run pip with one line of progress; what it says goes to the log, and is shown if it fails."""
    command: list[str | Path] = [
        PYTHON,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--progress-bar",
        "off",
        *arguments,
    ]
    counted = bool(of) and sys.stdout.isatty()
    _say(what, end="" if counted else "\n")
    seen: list[str] = []
    count = 0
    with LOG.open("a") as log, subprocess.Popen(command, stdout=-1, stderr=-2, text=True, cwd=ROOT) as pip:
        for line in pip.stdout or ():
            log.write(line)
            seen.append(line)
            if of and (found := DOING.match(line)):
                count += 1
                _say(f"{what}: {count}/{of} {found[1].rsplit('/', 1)[-1].split('==')[0]:.40}", end="")
    if counted:
        _say(what)
    if pip.returncode:
        sys.exit("".join(seen[-20:]) + f"pip could not install this (all it said is in {LOG}): is there a network?")


def _say(text: str, end: str = "\n") -> None:
    """Print a line; one that is not finished is overwritten by the next on a terminal, and left out elsewhere."""
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end=end, flush=True)
    elif end:
        print(text, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
