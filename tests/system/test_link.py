"""The link to the router: what ends it, and what does not."""

import asyncio
import json
import logging
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sisock.blocking import BlockingConsumer
from sisock.consumer import Consumer
from sisock.errors import ConsumerError, NoHub
from sisock.keys import Ticket, ensure_key
from sisock.serving import NameTaken
from sisock.settings import read
from sisock.wamp import Link, WampError
from tests.fleet import COUNTER, Fleet, running_fleet

WITHIN = 20.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("link")) as fleet:
        fleet.node("counter", COUNTER)
        with BlockingConsumer(fleet.settings) as consumer:
            live = consumer.live("counter", ["count"])
            while True:
                try:
                    next(live)
                    break
                except ConsumerError:  # not there yet
                    live = consumer.live("counter", ["count"])
        yield fleet


@pytest.mark.parametrize("kind", ["late", "canceled", "lost", "no_such_procedure", "not_authorized"])
async def test_what_fails_while_joining_is_tried_again(fleet: Fleet, kind: str) -> None:
    attempts = []

    async def offer(link: Link) -> None:
        attempts.append(link.session_id)
        if len(attempts) == 1:
            raise WampError(kind, "the router was stopped just now")

    link = Link(fleet.settings, "cli", ensure_key(fleet.settings.state, "cli"), offer)
    running = asyncio.ensure_future(link.run())
    await asyncio.wait_for(link.joined.wait(), WITHIN)
    assert len(set(attempts)) == 2
    await link.leave()
    await asyncio.wait_for(running, WITHIN)


async def test_what_fails_again_and_again_while_joining_is_told_once(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sisock.wamp")
    attempts = []

    async def offer(link: Link) -> None:
        attempts.append(link.session_id)
        if len(attempts) < 4:
            raise WampError("not_authorized", "it may not hear that")

    link = Link(fleet.settings, "cli", ensure_key(fleet.settings.state, "cli"), offer)
    running = asyncio.ensure_future(link.run())
    await asyncio.wait_for(link.joined.wait(), WITHIN)
    await link.leave()
    await asyncio.wait_for(running, WITHIN)
    joined = f"cli: joined {fleet.settings.url}"
    told = f"cli: cannot join the router at {fleet.settings.url}: it may not hear that"
    assert caplog.messages == [joined, told, joined]


async def test_what_is_no_error_of_the_link_ends_it(fleet: Fleet) -> None:
    async def offer(link: Link) -> None:
        raise NameTaken("somebody else has it")

    with pytest.raises(NameTaken):
        await asyncio.wait_for(
            Link(fleet.settings, "cli", ensure_key(fleet.settings.state, "cli"), offer).run(), WITHIN
        )


async def test_a_closed_consumer_says_so_and_its_live_frames_end(fleet: Fleet) -> None:
    async with Consumer(fleet.settings) as consumer:
        await consumer.nodes()
    with pytest.raises(ConsumerError, match="closed"):
        await consumer.nodes()
    with pytest.raises(ConsumerError, match="closed"):
        await anext(consumer.live("counter"))


def test_an_interrupt_in_a_notebook_leaves_the_consumer_usable(fleet: Fleet) -> None:
    with BlockingConsumer(fleet.settings) as consumer:
        live = consumer.live("counter", ["count"], last=1)
        next(live)
        fleet.stop("counter")
        timer = threading.Timer(1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
        timer.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                list(live)  # for ever
        finally:
            fleet.resume("counter")
            timer.join()
        assert "counter" in {node.name for node in consumer.nodes()}


def test_a_changed_principal_and_a_full_disk_do_not_trouble_the_hub(fleet: Fleet) -> None:
    state = fleet.settings.state
    table = state / "hub" / "nodes.json"
    table.unlink(missing_ok=True)
    table.mkdir(parents=True)  # nothing can be written in its place
    principal = state / "principals" / "bridge.json"
    entry = json.loads(principal.read_text())
    principal.write_text(json.dumps({**entry, "nodes": ["nothing"]}))  # in place: the folder's time stays
    try:
        with BlockingConsumer(fleet.settings, "bridge") as bridge:
            seen = ["counter"]
            while seen:
                try:
                    seen = [node.name for node in bridge.nodes()]
                except ConsumerError:
                    continue
        assert fleet.processes["hub"].poll() is None
    finally:
        table.rmdir()
        principal.write_text(json.dumps(entry))


@pytest.mark.parametrize(
    "noted", ["", "http://127.0.0.1/ws", "ws://", "ws://127.0.0.1:99999/ws", "ws://[::1/ws", "\x00"]
)
async def test_an_address_that_is_none_is_told(state: Path, noted: str) -> None:
    state.mkdir()
    (state / "router.url").write_text(noted)
    async with Consumer(read(state=state, deadline=0.5)) as consumer:
        with pytest.raises(NoHub, match="not a router's address"):
            await consumer.nodes()


async def test_whoever_makes_tokens_up_fills_no_log(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    """The bridge tries each token that it is sent."""
    caplog.set_level(logging.INFO, "sisock.wamp")
    link = Link(fleet.settings, "stranger", Ticket("made up"))
    running = asyncio.ensure_future(link.run())
    try:
        async with asyncio.timeout(WITHIN):
            await link.heard.wait()
    finally:
        await link.leave()
        running.cancel()
    assert (link.refused, "not authorized" in link.trouble, caplog.messages) == (True, True, [])


async def test_who_is_new_waits_to_be_admitted_before_it_is_told_to_be_refused(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sisock.wamp")
    link = Link(fleet.settings, "stranger", ensure_key(fleet.settings.state, "stranger"))
    running = asyncio.ensure_future(link.run())
    try:
        async with asyncio.timeout(WITHIN):
            while len(caplog.messages) < 2:
                await asyncio.sleep(0.05)
    finally:
        await link.leave()
        running.cancel()
    first, second = caplog.messages[:2]
    assert first == f"stranger: waiting to be admitted by the router at {fleet.settings.url}"
    assert second.startswith(
        f"stranger: cannot join the router at {fleet.settings.url}: not authorized: check the name"
    )
    assert [record.levelname for record in caplog.records[:2]] == ["INFO", "WARNING"]
    assert "not authorized" in link.trouble  # what a consumer that cannot wait tells
