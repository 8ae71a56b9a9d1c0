"""Writes the hashed lock files of requirements/ from pyproject.toml; arguments go to pip-compile."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEADER = "# Made by `make lock`: exact versions with their hashes. What is asked for stands in pyproject.toml.\n"
OPTIONS = [
    *("--quiet", "--generate-hashes", "--strip-extras", "--allow-unsafe"),
    *("--no-annotate", "--no-header", "--newline", "lf"),
    *("--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host", "--no-emit-options"),  # names no index
]
BUILD = ["--build-deps-for", "wheel"]  # so that sisock itself is installed without fetching anything more
RUN = ["--constraint", "requirements/run.txt"]  # the same versions everywhere


def _extras(*names: str) -> list[str]:
    """What sisock needs with these extras."""
    return [*(f"--extra={name}" for name in names), *BUILD, "pyproject.toml"]


LOCKS = {
    "run": _extras("router", "grafana", "host", "archive", "kafka", "ingest", "mqtt", "sources"),
    "node": [*RUN, *_extras("host", "kafka", "ingest", "mqtt", "sources")],
    "bridge": [*RUN, *_extras("grafana")],
    "recorder": [*RUN, *_extras("archive")],
    "coap": [*RUN, *_extras("coap")],
    "dev": [*RUN, *_extras("dev")],
    "nodejs": ["requirements/nodejs.in"],
    "schemathesis": ["requirements/schemathesis.in"],
    "pip-audit": ["requirements/pip-audit.in"],
    "ocs-agent-cli": ["requirements/ocs-agent-cli.in"],
}


def main() -> None:
    """Write them in this order: the others follow the versions of `run`."""
    for name, arguments in LOCKS.items():
        target = f"requirements/{name}.txt"
        print(f"locking {target}", flush=True)
        command = [sys.executable, "-m", "piptools", "compile", *OPTIONS, "-o", target, *arguments, *sys.argv[1:]]
        subprocess.run(command, cwd=ROOT, check=True, timeout=1800)
        path = ROOT / target
        path.write_text(HEADER + path.read_text().removeprefix(HEADER))


if __name__ == "__main__":
    main()
