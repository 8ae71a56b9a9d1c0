"""What consumers ask, given up at any moment."""

import asyncio
import contextlib
import gc
import warnings

import pytest

from sisock.calls import Absent
from sisock.consumer import Consumer, Request
from sisock.frames import Answer
from sisock.lists import Asked
from sisock.reading import Reading
from sisock.settings import Settings
from sisock.wire import encode_answer


class Archived:
    """Calls to a node that is away, its archive and the hub, which take a moment."""

    async def node(self, node, what, *args, **options):
        raise Absent

    async def archive(self, node, what, *args, **options):
        await asyncio.sleep(0)
        return encode_answer(Answer())

    async def nodes(self):
        await asyncio.sleep(0)
        return []


async def given_up(asking, after):
    """Cancel what was asked after so many turns of the loop; the warnings of that."""
    gc.collect()  # what other tests left
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        running = asyncio.ensure_future(asking())
        for _ in range(after):
            await asyncio.sleep(0)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        del running
        gc.collect()
    return [str(each.message) for each in caught]


@pytest.mark.parametrize("after", range(12))
async def test_what_is_asked_of_an_archive_is_given_up_without_a_rest(after):
    assert await given_up(lambda: Reading(Archived()).data("n", Asked(["x"], 1, 0), None), after) == []


@pytest.mark.parametrize("after", range(4))
async def test_several_requests_are_given_up_without_a_rest(after, state):
    consumer, requests = Consumer(Settings(state=state)), [Request(node, ("x",), 1, 0) for node in ("n", "m")]
    assert await given_up(lambda: consumer.ask(requests, 1.0), after) == []
