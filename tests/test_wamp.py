"""A client's session whose connection is gone: what autobahn still wants to say then does no harm."""

import asyncio
import contextlib
import gc
import ssl

import pytest
from autobahn.wamp.exception import TransportLost

from sisock.keys import ensure_key
from sisock.settings import read
from sisock.wamp import Link
from sisock.wamp.failing import why
from sisock.wamp.session import Session, WampError, _proof


async def test_what_is_said_after_the_end_goes_nowhere(state):
    session = Session("realm", "cli", ensure_key(state, "cli"))
    session.onClose(wasClean=False)
    await asyncio.sleep(0)
    assert not session.is_attached()
    session._transport.send("an answer that came too late")
    session.onConnect()  # which autobahn may call only now
    with pytest.raises(TransportLost):
        session.publish("some.topic")


async def test_a_sign_in_that_nobody_waits_for_any_more_fails_in_silence(state):
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    session = Session("realm", "cli", ensure_key(state, "cli"))
    session.joining.set_exception(WampError("lost", "the router closed the connection"))
    await asyncio.sleep(0)
    del session
    gc.collect()  # when asyncio tells of an error that nobody looked at
    assert told == []


@pytest.mark.parametrize(
    ("router", "told"),
    [
        ("ws://127.0.0.1:1/ws", "nobody listens there: start it, or correct the address"),
        ("ws://localhost:1/ws", "nobody listens there: start it, or correct the address"),
        ("ws://no-such-machine.invalid/ws", "there is no machine of this name: correct the address"),
    ],
)
async def test_a_router_that_is_away_is_told_in_a_sentence(state, router, told):
    link = Link(read(state=state, router=router), "cli", ensure_key(state, "cli"))
    running = asyncio.ensure_future(link.run())
    async with asyncio.timeout(30):
        while link.trouble == "not connected yet":
            await asyncio.sleep(0.01)
    assert link.trouble == f"cannot join the router at {router}: {told}"
    running.cancel()
    await asyncio.wait({running})


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1), [Errno 101] Connect call failed"), "nobody listens"),
        (OSError(113, "Connect call failed ('192.0.2.1', 80)"), "No route to host: see whether its machine"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1000)"), "TLS was not agreed on"),
        (OSError("odd"), "odd"), (WampError("lost", "it did not answer"), "it did not answer"),
    ],
)  # fmt: skip
def test_why_no_connection_was_made_is_a_sentence(error, told):
    assert why(error).startswith(told)


async def test_a_connection_that_ends_before_it_is_open_is_tried_again_at_once(state):
    """As one that a router took which was killed just then."""
    came = asyncio.Queue()

    async def close(_, writer):
        came.put_nowait(None)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    link = Link(read(state=state, router=f"ws://127.0.0.1:{port}/ws"), "cli", ensure_key(state, "cli"))
    running = asyncio.ensure_future(link.run())
    async with asyncio.timeout(10):  # a single attempt may take 15 s where nobody closes
        for _ in range(3):
            await came.get()
    assert "closed the connection" in link.trouble
    server.close()
    running.cancel()
    await asyncio.wait({running})
    while len(asyncio.all_tasks()) > 1:  # those whom the server took last are still being closed
        await asyncio.sleep(0.01)


SALTED = {"challenge": '{"session": 1}', "salt": "salt123", "iterations": 100, "keylen": 16}


def test_a_secret_is_proved_as_wamp_cra_has_it_salted_or_not():
    assert _proof("secret123", {"challenge": SALTED["challenge"]}) == "En8HW3Mk6hdKfddVqUnx4WEG7JWfypjktCq2MeUHNxg="
    assert _proof("secret123", SALTED) == "xLa8W+8qZa3ZA50fcb6luPcItJWuUKb5PY8xUw8tOLU="


@pytest.mark.parametrize("asked", [{"iterations": 10**9}, {"iterations": 0}, {"keylen": 10**9}, {"keylen": 0}])
def test_a_router_that_asks_for_very_much_work_gets_none(asked):
    with pytest.raises(WampError, match="that is no sign-in"):
        _proof("secret123", {**SALTED, **asked})
