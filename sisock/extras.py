"""How optional packages are installed."""

import shlex
import sys
from pathlib import Path


def command(extra: str) -> str:
    """The command that installs what an extra needs beside this sisock.

    It names the Python that runs, as another one would not help; as sisock is there, no index is asked for it.
    """
    python = Path(sys.executable)
    shown = python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python
    return f"{shlex.quote(str(shown))} -m pip install 'sisock[{extra}]'"
