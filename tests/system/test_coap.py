"""From a device's datagram to Grafana's curve: a CoAP gateway beside a real router, hub and bridge."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sisock import connect
from sisock.blocking import BlockingConsumer
from sisock.errors import ConsumerError
from sisock.testing.router import free_port
from tests.coap import ask, clients, libcoap
from tests.coap import free_port as free_udp_port
from tests.fleet import Fleet, running_fleet

PATIENCE = 60.0  # seconds until a test gives up
PACK = '[{"bn":"urn:dev:ow:10e2:","n":"t","u":"Cel","v":21.5},{"n":"rh","u":"%RH","v":40},{"n":"u","u":"V","v":3.3}]'
NAMES = ["t", "rh", "u"]
DEVICES = [f"device{number}" for number in range(5)]
EACH = 100  # messages of each of these


@pytest.fixture(scope="module")
def port() -> int:
    return free_udp_port()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("coap")
    config = folder / "sisock.toml"
    config.write_text(f'[coap]\nport = {port}\nunknown = "open"\nrate = 0\n[recorder]\ninterval = 0.2\n')
    with running_fleet(folder, {"recorder": "recorder"}, bridge_port=free_port(), config=config) as fleet:
        fleet.run("bridge", "-m", "grafana_json")
        fleet.run("recorder", "-m", "sisock", "node", "recorder")
        fleet.run("coap", "-m", "sisock", "node", "coap")
        yield fleet


@pytest.fixture
def bridge(fleet: Fleet) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{fleet.settings.bridge_port}", timeout=PATIENCE) as client:
        until(lambda: "coap::devices" in search(client))
        yield client


def until(reached: Callable[[], bool]) -> None:
    began, never = time.monotonic(), threading.Event()
    while time.monotonic() - began < PATIENCE:
        try:
            if reached():
                return
        except httpx.TransportError:
            pass  # nobody listens yet
        never.wait(0.05)
    raise AssertionError(f"not within {PATIENCE} s")


def search(client: httpx.Client) -> list[str]:
    answer = client.post("/search", json={"target": "coap::"})
    return list(answer.json()) if answer.status_code == 200 else []


def values(client: httpx.Client, targets: list[str]) -> list[list[Any]]:
    now = datetime.now(UTC)
    span = {"from": (now - timedelta(hours=1)).isoformat(), "to": (now + timedelta(hours=1)).isoformat()}
    asked = [{"target": each, "refId": str(number), "type": "timeserie"} for number, each in enumerate(targets)]
    answer = client.post("/query", json={"range": span, "maxDataPoints": 500, "targets": asked})
    assert answer.status_code == 200, answer.text
    return [[point[0] for point in series["datapoints"] if point[0] is not None] for series in answer.json()]


def test_a_packet_of_three_properties_is_three_curves_and_once_after_kill_9(fleet, bridge, port):
    targets = [f"coap::urn:dev:ow:10e2/{name}" for name in NAMES]
    uri = f"coap://127.0.0.1:{port}/ingest?seq=1&boot=a"
    sent = ("-m", "post", "-t", "110", "-e", PACK.replace("%", "%25"))  # libcoap's client decodes it
    assert asyncio.run(libcoap(uri, *sent)).code == "2.04"
    fleet.kill("coap")
    fleet.run("coap", "-m", "sisock", "node", "coap")
    until(lambda: set(targets) <= set(search(bridge)))
    assert asyncio.run(libcoap(uri, *sent)).code == "2.04"
    until(lambda: values(bridge, targets) == [[21.5], [40.0], [3.3]])


def test_what_comes_while_nobody_processes_it_waits_in_order_and_the_lag_is_told(fleet, bridge, port):
    with connect("cli", state=fleet.settings.state, router=fleet.settings.url) as lab:
        until(lambda: [] < told(lab, "lag")[-1:] < [1])
        fleet.stop("coap")
        until(lambda: max(told(lab, "lag"), default=0) > 2)
        fleet.resume("coap")
        fleet.stop("recorder")
        asyncio.run(sent(port, EACH))
        fleet.resume("recorder")
        until(lambda: told(lab, "samples")[-1:] >= [EACH * len(DEVICES)] and [] < told(lab, "lag")[-1:] < [1])
    fleet.kill("coap")
    fields = [f"coap::{device}/value" for device in DEVICES]
    until(lambda: [len(each) for each in values(bridge, fields)] == [EACH] * len(DEVICES))
    assert values(bridge, fields) == [list(range(EACH))] * len(DEVICES)


def told(lab: BlockingConsumer, field: str) -> list[float]:
    """What the recorder said of itself in the last minute; nothing while it does not answer."""
    with contextlib.suppress(ConsumerError):
        found: list[float] = lab.data("recorder", [field], -60, 0).series(field)[1].values.tolist()
        return found
    return []


async def sent(port: int, each: int) -> None:
    """So many numbered messages of each device, all acknowledged."""
    async with clients() as context:
        for number in range(each):
            said = await asyncio.gather(
                *(
                    ask(context, f"coap://127.0.0.1:{port}/ingest/{device}?seq={number}", str(number))
                    for device in DEVICES
                )
            )
            assert {one.code for one in said} == {"2.04"}
