"""Starts the containers of a whole fleet, keys handed out as compose does it, and says what joined the hub."""

import contextlib
import json
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tools.buildah import Buildah, BuildError, Container

PATIENCE = 90.0  # seconds in which every container shall have joined


def prove(buildah: Buildah, folder: Path, nodes: Sequence[str]) -> None:
    """Start everything below the folder; raise BuildError unless every node joins and every health check passes."""
    router_port, bridge_port = _free_ports(2)
    router = {"SISOCK_ROUTER": f"ws://127.0.0.1:{router_port}/ws"}
    _hand_out_keys(buildah, folder, nodes)
    parts = {
        "sisock": ("router", {"SISOCK_ROUTER_PORT": str(router_port)}),
        "sisock-hub": ("fleet", router),
        "sisock-grafana_json": (
            "bridge",
            router | {"SISOCK_BRIDGE_PORT": str(bridge_port), "SISOCK_BRIDGE_TOKEN": "/secrets/bridge.token"},
        ),
        **{f"sisock-{name}": (name, router) for name in nodes},
    }
    running: dict[str, Container] = {}
    with _stopped_at_the_end(buildah, running):
        for image, (part, env) in parts.items():
            volumes = {folder / part: "/state", folder / "secrets": "/secrets:ro"}
            running[image] = buildah.start(image, env, volumes, folder / f"{part}.log")
        hub = running["sisock-hub"]
        _until(lambda: _up(hub) >= set(nodes), f"the hub lists {', '.join(nodes)}", running)
        print(f"the hub lists {', '.join(sorted(_up(hub)))}", flush=True)
        for image, container in running.items():
            _until(container.healthy, f"{image} is healthy", running)
            print(f"{image:<24} joined, healthy, as user {_user(container)}", flush=True)
        _page(router_port)


def _hand_out_keys(buildah: Buildah, folder: Path, nodes: Sequence[str]) -> None:
    """Run the same script as compose's one-shot service."""
    parts = ["router", "bridge", "secrets", *nodes]
    for part in ("fleet", *parts):
        (folder / part).mkdir()
    volumes = {folder / "fleet": "/state"} | {folder / part: f"/share/{part}" for part in parts}
    script = ["sh", "/opt/sisock/docker/share_keys.sh", "bridge", *nodes]
    container = buildah.start("sisock-hub", {}, volumes, folder / "init.log", user="0", entrypoint=script)
    code = container.wait(60)
    buildah.remove(container)
    if code:
        raise BuildError(f"handing out keys failed:\n{container.log.read_text()}")


@contextlib.contextmanager
def _stopped_at_the_end(buildah: Buildah, running: dict[str, Container]) -> Iterator[None]:
    try:
        yield
    finally:
        codes = {image: container.stop() for image, container in reversed(running.items())}
        for container in running.values():
            buildah.remove(container)
    if any(codes.values()):
        raise BuildError(f"stopping ended with exit codes {codes}: each should be 0")
    print("all stopped with exit code 0", flush=True)


def _up(hub: Container) -> set[str]:
    """Names of the nodes that the hub lists as up, asked as `docker compose exec hub sisock ls` does."""
    code, listed = hub.execute("sisock", "ls", "--json")
    return set() if code else {each["name"] for each in json.loads(listed) if each["state"] == "up"}


def _user(container: Container) -> str:
    """The number of the user that it works as; raise BuildError where that may do everything."""
    _, user = container.execute("id", "-u")
    if not user.strip().isdecimal() or user.strip() == "0":
        raise BuildError(f"{container} works as the user {user.strip()!r}: images have a user of their own")
    return user.strip()


def _page(router_port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{router_port}/", timeout=10) as answer:
        if b"<html" not in answer.read().lower():
            raise BuildError("the router's image serves no page: was js/build.py run in its build?")
    print("the page is served", flush=True)


def _until(true: Callable[[], bool], what: str, running: dict[str, Container]) -> None:
    """Ask until it is true; raise BuildError with the logs if a container ended or it took too long."""
    end = time.monotonic() + PATIENCE
    while not true():
        ended = [image for image, container in running.items() if not container.running()]
        if ended or time.monotonic() > end:
            why = f"{', '.join(ended)} ended" if ended else f"{PATIENCE:.0f} s passed"
            logs = "\n".join(f"-- {image}\n{each.log.read_text()[-1500:]}" for image, each in running.items())
            raise BuildError(f"{logs}\nwaiting until {what}: {why}")
        time.sleep(0.3)


def _free_ports(count: int) -> list[int]:
    """Ports nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
