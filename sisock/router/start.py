"""`python -m sisock.router`: start Crossbar with the settings, or say in a sentence why not."""

import contextlib
import fcntl
import importlib
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

from sisock import settings as configuration
from sisock.exits import Exit
from sisock.keys import compile_policy, parse_policy
from sisock.keys.files import private_folder, write
from sisock.keys.principals import policy_file, save_policy
from sisock.router.config import SHADOW, render
from sisock.settings import Settings

_LEVELS = {"debug": "info", "info": "warn", "warning": "warn", "error": "error"}  # ours: Crossbar's, which talks more


def main() -> NoReturn:
    """Become Crossbar's controller; its workers inherit the environment and the path."""
    try:
        settings = configuration.read()
        folder = prepare(settings)
        sys.path.insert(0, str(SHADOW))  # before anything of Crossbar's is imported
        crossbar = importlib.import_module("crossbar")
    except (ValueError, OSError) as error:
        _give_up(str(error))
    except ModuleNotFoundError as error:
        _give_up(f"{error.name} is not installed: pip install 'sisock[router]'")
    sys.stdout.write(f"router: realm {settings.realm} on {settings.interface}:{settings.router_port}\n")
    sys.stdout.flush()
    level = _LEVELS.get(settings.log_level, "warn")
    sys.argv = ["crossbar", "start", "--cbdir", str(folder), "--loglevel", level, "--color", "false"]
    try:
        crossbar.run()
    except SystemExit:
        reactor = importlib.import_module("twisted.internet.reactor")
        if reactor._exitSignal not in (signal.SIGINT, signal.SIGTERM):  # noqa: SLF001  # told to end: that is no error
            raise
    raise SystemExit(Exit.OK)


def prepare(settings: Settings) -> Path:
    """Make everything ready in the state directory; return Crossbar's own folder there.

    Raises ValueError with the cure where something is in the way.
    """
    folder = private_folder(settings.state / "router")
    _alone(folder)
    _free(settings, settings.router_port, "--router-port")
    if settings.legacy_port:
        _free(settings, settings.legacy_port, "SISOCK_LEGACY_PORT")
    _policy(settings)
    write(folder / "config.json", json.dumps(render(settings), indent=1))
    return folder


def _alone(folder: Path) -> None:
    """Hold the state directory as long as this process, and the Crossbar it becomes, lives."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(handle, True)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(f"another router already runs in {folder.parent}: stop it, or give another --state") from None
    (folder / "node.pid").unlink(missing_ok=True)  # of a router that was killed; its number may be another's by now


def _free(settings: Settings, port: int, option: str) -> None:
    family = socket.AF_INET6 if ":" in settings.interface else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.interface, port))
        except OSError as error:
            why = error.strerror or str(error)
            raise ValueError(
                f"port {port} on {settings.interface} cannot be had ({why}): stop what uses it, or set another ({option})"
            ) from None


def _policy(settings: Settings) -> None:
    """Bring the kept policy up to date with the principals that are here; without a hub nothing would work."""
    kept: dict[str, object] = {}
    with contextlib.suppress(FileNotFoundError):
        snapshot = json.loads(policy_file(settings.state).read_text(encoding="utf-8"))
        parse_policy(snapshot)
        kept = snapshot["principals"]
    snapshot = {"v": 1, "principals": {**kept, **compile_policy(settings.state)["principals"]}}
    if not any(each.role == "hub" for each in parse_policy(snapshot).values()):
        raise ValueError(
            f"no hub may sign in: `sisock up` makes its key, or put the hub's public key into "
            f"{settings.state / 'principals' / 'hub.json'}"
        )
    save_policy(settings.state, snapshot)


def _give_up(sentence: str) -> NoReturn:
    sys.stderr.write(f"router: {sentence}\n")
    raise SystemExit(Exit.ERROR)
