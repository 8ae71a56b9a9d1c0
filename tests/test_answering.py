"""Answers to calls: who is to blame for an error is told, the caller or the node."""

import asyncio
import logging
from types import SimpleNamespace

import numpy as np
import pytest

from data_nodes.recorder.offering import Past
from sisock.answering import Answering
from sisock.frames import Field, Query, column
from sisock.frames import Frame as Samples
from sisock.nodes import ArchivedNode, CommandNode, LiveNode
from sisock.past import Kept
from sisock.settings import Settings
from sisock.store.archive import Archive
from sisock.times import NS
from sisock.wamp import Call, WampError

NOW = 1_763_000_000 * NS
LINK = SimpleNamespace(limit=2**20)
T = NOW + np.arange(10) * NS


class Live(LiveNode):
    """Ten seconds at once, once."""

    name, interval = "sig", 3600.0

    def sample(self):
        return Samples("samples", T, {"x": column(list(range(10)))})


class Command(CommandNode):
    """The same, printed."""

    name, interval, argv = "sig", 3600.0, ("true",)

    def parse(self, output):
        return Live().sample()


class Archived(ArchivedNode):
    """The same from an archive."""

    name, fields = "sig", {"x": Field()}

    def read(self, field, start, end):
        return T, np.arange(10)


async def refusal(source, *args, **options):
    """The error that a call of `get_data` is answered with."""
    with pytest.raises(WampError) as told:
        await Answering("sig", source, LINK).get_data(Call(args, options, None, None, None))
    return told.value.kind, str(told.value)


@pytest.mark.parametrize("made", [Live, Command, Archived])
async def test_bins_that_are_too_narrow_are_the_caller_s_error_and_nothing_for_the_log(made, caplog):
    service, come = made().service(), asyncio.Event()
    running = asyncio.ensure_future(service.run(lambda frame: come.set() if frame.timeline == "samples" else None))
    if made is not Archived:
        await asyncio.wait_for(come.wait(), 10)
    caplog.clear()
    told = await refusal(service, ["x"], 1, 0, bin=1, columns="typed")
    assert told == ("bad_request", "bin=1 makes 9000000003 bins, 1000000 at the most: ask for wider ones")
    assert caplog.records == []
    running.cancel()
    await asyncio.wait({running})


class Keeping:
    """An archive without threads."""

    def __init__(self, archive):
        self.keeper = SimpleNamespace(archive=archive)

    async def answer(self, node, query):
        return self.keeper.archive.answer(node, query)


async def test_what_is_kept_of_a_node_refuses_such_bins_with_the_same_sentence(tmp_path):
    with Archive(tmp_path) as archive:
        archive.put("sig", Samples("samples", T, {"x": column(list(range(10)))}, "e", 10), {"x": Field()})
        kind, sentence = await refusal(Past("sig", Keeping(archive)), ["x"], 1, 0, bin=1, columns="typed")
    assert kind == "bad_request"
    assert sentence.endswith("bins, 1000000 at the most: ask for wider ones")


async def test_an_error_of_the_author_s_code_stays_a_program_error(caplog):
    class Wrong:
        async def get_data(self, query):
            return int("no number")

    kind, sentence = await refusal(Wrong(), ["x"], 1, 0)
    assert kind == "failed"
    assert sentence.startswith("sig has a program error: ValueError(")
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_what_the_past_of_a_node_refuses_is_told_to_who_asked_and_the_next_is_answered(caplog):
    caplog.set_level(logging.DEBUG)
    asked = []

    async def call(uri, *args, **options):
        asked.append(uri)
        raise WampError("bad_request", "too many bins: ask for wider ones")

    joined = asyncio.Event()
    joined.set()
    kept = Kept(SimpleNamespace(joined=joined, call=call, settings=Settings()), "sig")
    for _ in range(2):
        with pytest.raises(WampError, match="too many bins: ask for wider ones"):
            await kept.get_data(Query(("x",), 0, NOW, bin=1))
    assert len(asked) == 2
    assert caplog.records == []
