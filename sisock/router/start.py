"""`python -m sisock.router`: start Crossbar with the settings, or say in a sentence why not."""

import fcntl
import importlib
import json
import os
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from sisock import extras
from sisock import settings as configuration
from sisock.exits import Exit
from sisock.interfaces import bracketed, check_free, everywhere, loopback
from sisock.keys import compile_policy, parse_policy
from sisock.keys.files import private_folder, write
from sisock.keys.principals import policy_file, save_policy
from sisock.parsing import from_json
from sisock.program import keep_many_open
from sisock.router.certificate import certificate
from sisock.router.config import SHADOW, render
from sisock.router.doors import hosts, named
from sisock.settings import Settings

_LEVELS = {"debug": "info", "info": "warn", "warning": "warn", "error": "error"}  # ours: Crossbar's, which talks more


def main() -> NoReturn:
    """Become Crossbar's controller; its workers inherit the environment, the path and how many files may be open."""
    keep_many_open()
    try:
        settings = configuration.read()
        folder = prepare(settings)
        sys.path.insert(0, str(SHADOW))  # before anything of Crossbar's is imported
        crossbar = importlib.import_module("crossbar")
    except (ValueError, OSError) as error:
        _give_up(str(error))
    except ModuleNotFoundError as error:
        _give_up(f"{error.name} is not installed: {extras.command('router')}")
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

    Raises ValueError or OSError with the cure where something is in the way.
    """
    _encrypted(settings)
    folder = private_folder(settings.state / "router")
    _alone(folder)
    check_free(settings.interface, settings.router_port, "--router-port")
    settings = _certified(settings)
    for port, option in ((settings.tls_port, "--tls-port"), (settings.legacy_port, "SISOCK_LEGACY_PORT")):
        if port:
            check_free(settings.tls_interface, port, option)
    _policy(settings)
    _note_address(settings)
    write(folder / "config.json", json.dumps(render(settings), indent=1))
    return folder


def _encrypted(settings: Settings) -> None:
    """See that nothing leaves this machine in the clear unless that is wanted."""
    if not (settings.plaintext or loopback(settings.interface)):
        raise ValueError(
            f"whoever listens on the way could read what the router says on {settings.interface or 'every address'}: "
            "for other machines give --tls-port 8443 instead of --interface; behind a proxy that encrypts, or among "
            "containers, set SISOCK_PLAINTEXT=true"
        )
    if ":" in settings.tls_interface:
        raise ValueError(f"SISOCK_TLS_INTERFACE={settings.tls_interface}: Crossbar does TLS on addresses of IPv4 only")


def _certified(settings: Settings) -> Settings:
    """The settings, without TLS listeners where there is no certificate for them: what is on this machine needs none."""
    if settings.tls_port or settings.legacy_port:
        try:
            certificate(settings, hosts(settings))
        except (ValueError, OSError) as error:
            sys.stderr.write(f"router: nobody can join over TLS: {error}\n")
            return replace(settings, tls_port=0, legacy_port=0)
    return settings


def _note_address(settings: Settings) -> None:
    """Note where other machines reach the router, for `sisock invite` and `sisock link`."""
    noted = settings.state / "router.tls"
    if settings.tls_port:
        given = next(iter(named(settings)), "") or socket.gethostname()
        host = given if everywhere(settings.tls_interface) else settings.tls_interface
        write(noted, f"{bracketed(host)}:{settings.tls_port}\n")
    else:
        noted.unlink(missing_ok=True)


def _alone(folder: Path) -> None:
    """Hold the state directory as long as this process, and the Crossbar it becomes, lives."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(handle, True)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(f"another router already runs in {folder.parent}: stop it, or give another --state") from None
    (folder / "node.pid").unlink(missing_ok=True)  # of a router that was killed; its number may be another's by now


def _policy(settings: Settings) -> None:
    """Leave the policy that this router starts with; without a hub nothing would work."""
    snapshot = {"v": 1, "principals": _principals(settings.state)}
    if not any(each.role == "hub" for each in parse_policy(snapshot).values()):
        raise ValueError(
            f"no hub may sign in: `sisock up` makes its key, or put the hub's public key into "
            f"{settings.state / 'principals' / 'hub.json'}"
        )
    save_policy(settings.state, snapshot)


def _principals(state: Path) -> dict[str, Any]:
    """All principals: where they are at home those that lie here, elsewhere also those that the hub handed over.

    They are at home where beside the hub's own there is its private key, or another principal.
    """
    principals: dict[str, Any] = compile_policy(state)["principals"]
    here = {path.stem for path in (state / "principals").glob("*.json")}
    if "hub" in here and (len(here) > 1 or (state / "keys" / "hub.key").exists()):
        return principals
    return {**principals, **_kept(state), **{name: principals[name] for name in here}}


def _kept(state: Path) -> dict[str, Any]:
    """The principals as the hub last handed them to this router, none if it never did."""
    path = policy_file(state)
    try:
        snapshot = from_json(path.read_text(encoding="utf-8"))
        parse_policy(snapshot)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{path}: {error}: remove it, the hub hands over another") from error
    principals: dict[str, Any] = snapshot["principals"]
    return principals


def _give_up(sentence: str) -> NoReturn:
    sys.stderr.write(f"router: {sentence}\n")
    raise SystemExit(Exit.ERROR)
