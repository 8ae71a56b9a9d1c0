"""A real PostgreSQL for a test, on a socket of its own."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.peers import need

_USER = "postgres"  # PostgreSQL does not run as root


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A server with its files in the folder, open on a Unix socket there; its address as SQLAlchemy writes it."""
    need("pg_ctlcluster")
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))  # where Debian has them, one folder a version
    place = folder / "pg"
    place.mkdir()
    if os.geteuid() == 0:
        shutil.chown(place, _USER)
    data, socket = place / "data", place
    _run(programs, "initdb", "-D", data, "-A", "trust", "-U", "lab", "--no-sync")
    options = f"-k {socket} -c listen_addresses= -c fsync=off -c max_connections=10"
    _run(programs, "pg_ctl", "-D", data, "-l", place / "log", "-w", "-t", "60", "-o", options, "start")
    try:
        yield f"postgresql+psycopg://lab@/postgres?host={socket}"
    finally:
        _run(programs, "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


def _run(programs: Path, program: str, *arguments: str | Path) -> None:
    before: Sequence[str] = (
        ("setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups") if os.geteuid() == 0 else ()
    )
    command = [*before, str(programs / program), *map(str, arguments)]
    done = subprocess.run(command, stdin=-3, stdout=-3, stderr=-1, timeout=120, check=False, cwd="/")
    assert done.returncode == 0, done.stderr.decode()
