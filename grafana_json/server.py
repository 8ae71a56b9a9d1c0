"""The bridge as a process: waitress serves it, signals end it, and whoever started it hears when it is ready."""

import dataclasses
import http.client
import logging
import os
import signal
import socket
import sys

from grafana_json.app import create_app
from grafana_json.exchange import LARGEST_REQUEST
from grafana_json.gate import make_gate
from grafana_json.watch import Watch
from sisock import interfaces, lasting, notify, program
from sisock import settings as configuration
from sisock.blocking import BlockingConsumer
from sisock.exits import Exit
from sisock.keys.api_tokens import ApiToken
from sisock.settings import Settings
from sisock.web.connections import Limits, make_server

_USAGE = """usage: python -m grafana_json [--check]

Serve data nodes to Grafana on SISOCK_INTERFACE, SISOCK_BRIDGE_PORT; `sisock settings` lists all settings.
With --check: ask the bridge that runs with these settings how it is; exit code 0 if it is well.
"""
_BACKLOG = 128  # connections that wait to be accepted
_PATIENCE = 5  # seconds for a check


def main(arguments: list[str]) -> int:
    """Serve until a signal ends it; the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write(_USAGE)
        return Exit.OK if arguments in (["-h"], ["--help"]) else Exit.USAGE
    try:
        settings = configuration.read()
        return check(settings) if arguments else serve(settings)
    except ValueError as error:
        return _end(str(error), Exit.USAGE)


def serve(settings: Settings) -> int:
    """Serve until a signal ends it; the exit code. Raises ValueError where the settings are not safe."""
    logging.basicConfig(
        stream=sys.stderr, level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s"
    )
    sys.setswitchinterval(program.TURN)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # that requests wait a moment is no news
    make_gate(settings)
    signal.signal(signal.SIGTERM, _stop)
    try:
        listening = listen(settings)
    except OSError as error:
        return _end(
            f"the bridge cannot listen on {settings.interface} port {settings.bridge_port}: "
            f"{str(error.strerror).partition(' (')[0]}: stop what is there, or set SISOCK_BRIDGE_PORT",
            Exit.ERROR,
        )
    asking = dataclasses.replace(settings, deadline=min(settings.deadline, settings.bridge_deadline))
    with listening, BlockingConsumer(asking, name="bridge") as consumer:

        def visit(token: ApiToken) -> BlockingConsumer:
            """A consumer of its own for who came with a token: the router knows what it may see."""
            return BlockingConsumer(asking, token.name, token.ticket)

        app = create_app(consumer, settings, visit)
        server = make_server(app, listening, settings.bridge_workers, Limits(LARGEST_REQUEST))
        app.extensions["measures"].waiting = lambda: len(server.task_dispatcher.queue)
        watch = Watch(consumer, lambda: os.kill(os.getpid(), signal.SIGTERM))
        lasting.settle()
        notify.ready(f"http://{interfaces.host_and_port(settings.interface, settings.bridge_port)}")
        server.run()
        watch.stop()
        app.extensions["own"].directory.close()
        app.extensions["visitors"].close()
        server.close()
    return Exit.ERROR if watch.lost else Exit.OK


def listen(settings: Settings) -> socket.socket:
    """A socket that listens where the settings say. Raises OSError where the port is taken."""
    family = interfaces.family(settings.interface)
    return socket.create_server((settings.interface, settings.bridge_port), family=family, backlog=_BACKLOG)


def check(settings: Settings) -> int:
    """Ask the running bridge how it is: Exit.OK, or Exit.NO_ANSWER after a sentence on stderr."""
    gate = make_gate(settings)
    host = interfaces.reachable(settings.interface)
    connection = http.client.HTTPConnection(host, settings.bridge_port, timeout=_PATIENCE)
    headers = {"Host": "localhost"} | ({"Authorization": f"Bearer {gate.token}"} if gate.token else {})
    try:
        connection.request("GET", "/", headers=headers)
        answer = connection.getresponse()
        told = answer.read().decode("utf-8", "replace")
    except OSError as error:
        return _end(f"no bridge answers on {host} port {settings.bridge_port}: {error}", Exit.NO_ANSWER)
    finally:
        connection.close()
    return Exit.OK if answer.status == 200 else _end(told, Exit.NO_ANSWER)


def _stop(*_: object) -> None:
    raise SystemExit(Exit.OK)


def _end(sentence: str, code: Exit) -> int:
    sys.stderr.write(f"grafana_json: {sentence}\n")
    return code
