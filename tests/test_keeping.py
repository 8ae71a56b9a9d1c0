"""Nodes that keep what they receive, where much happens at once: order, waits, and what some spoil for others."""

import asyncio
import sqlite3
import threading

import numpy as np
import pytest

from sisock.frames import Frame, column
from sisock.nodes import NotKept
from sisock.nodes.keeping import Keeper
from sisock.store.journal import Journal, JournalError
from sisock.store.journal.disk import Disk
from sisock.store.journal.writing import Writer
from tests.nodes import working
from tests.test_receiving import at_work, node, on_disk

T = 1_763_000_000 * 10**9


def one(timeline, field, value):
    return Frame(timeline, column([T]).values, {field: column([value])})


def held(monkeypatch):
    """A disk that stops within the first commit of something kept; what says that it has, and what lets it go on."""
    commit, begun, go = Journal.commit, threading.Event(), threading.Event()

    def slow(self, notes=None, frames=()):
        frames = list(frames)
        if frames and not begun.is_set():
            begun.set()
            assert go.wait(30)
        commit(self, notes, frames)

    monkeypatch.setattr(Journal, "commit", slow)
    return begun, go


def values(folder, field):
    batch, _ = on_disk(folder)
    return [n for f in batch.frames if field in f.columns for n in f.columns[field].values.tolist()]


async def through(receive, folder):
    """Let a node receive until that is over, and raise what it raises."""
    over = asyncio.get_running_loop().create_future()

    async def once(intake):
        try:
            await receive(intake)
        except Exception as error:
            over.set_exception(error)
            raise
        over.set_result(None)
        await asyncio.Event().wait()

    async with at_work(once, folder) as published:
        await asyncio.wait_for(over, 50)
    return published


@pytest.mark.parametrize("notes", [None, {"place": "1"}])
async def test_what_waits_beside_a_timeline_that_is_written_is_not_overtaken(tmp_path, monkeypatch, notes):
    begun, go = held(monkeypatch)

    async def receive(intake):
        keeping = asyncio.ensure_future(intake.keep(one("a", "x", 1)))
        await asyncio.to_thread(begun.wait, 30)
        intake.take([one("a", "x", 2), one("b", "y", 1)])
        intake.take(one("b", "y", 2), notes=notes)
        intake.take(one("c", "z", 1), notes=notes)
        intake.take(one("c", "z", 2))
        go.set()
        await keeping

    published = await through(receive, tmp_path)
    for field in "xyz":
        assert values(tmp_path, field) == [1, 2]
        frames = [frame for frame in published.frames if field in frame.columns]
        assert [frame.columns[field].values.tolist() for frame in frames] == [[1], [2]]
        assert [frame.seq for frame in frames] == [1, 2]


async def test_as_much_may_wait_for_a_timeline_that_is_written_as_for_the_disk(tmp_path, monkeypatch):
    begun, go = held(monkeypatch)

    async def receive(intake):
        keeping = asyncio.ensure_future(intake.keep(one("a", "x", 0.0)))
        await asyncio.to_thread(begun.wait, 30)
        intake.take(Frame("a", T + np.arange(1_200_000), {"x": column(np.ones(1_200_000))}))  # 19 MB: a scan of lsof
        go.set()
        await keeping
        await intake.keep([])
        assert intake.lost == 0

    await through(receive, tmp_path)


class Odd:
    """What no note can be."""


@pytest.mark.parametrize("note", [b"1", 1, None, Odd(), "\ud800"])
async def test_notes_that_are_no_texts_are_refused_and_spoil_nothing_for_others(tmp_path, note):
    async def receive(intake):
        kept = asyncio.ensure_future(intake.keep({"n": 1}, notes={"place": "1"}))
        for notes in ({"odd": note}, lambda: {"other": "1", "odd": note}):
            with pytest.raises((TypeError, ValueError), match="note"):
                await intake.keep({"n": 2}, notes=notes)
        with pytest.raises((TypeError, ValueError), match="note"):
            intake.take({"n": 3}, notes={"odd": note})
        await kept
        assert intake.notes == {"place": "1"}
        await intake.keep({"n": 4})

    await through(receive, tmp_path)
    assert values(tmp_path, "n") == [1, 4]
    assert on_disk(tmp_path)[1] == {"place": "1"}


@pytest.mark.parametrize("error", [StopIteration, KeyError, SystemExit, asyncio.CancelledError])
async def test_whatever_a_function_of_notes_raises_the_others_are_kept(tmp_path, error):
    def failing():
        raise error("odd")

    async def receive(intake):
        odd = asyncio.ensure_future(intake.keep({"n": 1}, notes=failing))
        await asyncio.wait_for(intake.keep({"n": 2}), 20)
        assert isinstance((await asyncio.gather(odd, return_exceptions=True))[0], (KeyError, RuntimeError))
        await asyncio.wait_for(intake.keep({"n": 3}), 20)

    await through(receive, tmp_path)
    assert values(tmp_path, "n") == [2, 3]


async def test_what_is_being_written_is_in_no_answer_before_it_is_on_disk(tmp_path, monkeypatch):
    whole, begun, go = Disk.write, threading.Event(), threading.Event()

    def failing(self, batch, lost, notes):
        if "a" in batch:
            begun.set()
            assert go.wait(30)
            raise JournalError("the disk is full")
        whole(self, batch, lost, notes)

    monkeypatch.setattr(Disk, "write", failing)
    answers = asyncio.get_running_loop().create_future()

    async def receive(intake):
        keeping = asyncio.ensure_future(intake.keep(one("a", "x", 1.0)))
        await asyncio.to_thread(begun.wait, 30)
        answers.set_result(await service.get_sample(["x"], T + 1, "at"))
        go.set()
        with pytest.raises(NotKept):
            await keeping
        await asyncio.Event().wait()

    service = node(receive, tmp_path).service(journal=lambda: Journal(tmp_path / "made.sqlite"))
    async with working(service):
        answer = await asyncio.wait_for(answers, 30)
        assert answer.samples == 0


async def test_who_gave_up_waiting_for_a_disk_that_hangs_takes_no_memory(tmp_path, monkeypatch):
    begun, go = held(monkeypatch)
    keepers = []
    init = Keeper.__init__
    monkeypatch.setattr(Keeper, "__init__", lambda self, *given: (keepers.append(self), init(self, *given))[1])

    async def receive(intake):
        keeping = asyncio.ensure_future(intake.keep({"n": 1}))
        await asyncio.to_thread(begun.wait, 30)
        for _ in range(100):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(intake.keep({"n": 2}), 0.001)
        assert not keepers[0]._asked
        go.set()
        await keeping

    await through(receive, tmp_path)
    assert values(tmp_path, "n") == [1]


async def test_what_was_noted_is_known_also_where_the_file_was_moved_aside_since(tmp_path):
    async def receive(intake):
        await intake.keep({"n": 1}, notes={"one": "1", "other": "1"})
        journals[0].begin_anew()  # as where a reader finds it damaged
        await intake.keep({"n": 2}, notes={"other": "2"})

    journals, over = [], asyncio.get_running_loop().create_future()

    async def once(intake):
        over.set_result(await asyncio.gather(receive(intake), return_exceptions=True))
        await asyncio.Event().wait()

    def opened():
        journals.append(Journal(tmp_path / "made.sqlite"))
        return journals[0]

    async with working(node(once, tmp_path).service(journal=opened)):
        assert await asyncio.wait_for(over, 50) == [None]
    assert on_disk(tmp_path)[1] == {"one": "1", "other": "2"}


async def test_what_is_on_disk_is_not_refused_where_only_looking_for_old_files_failed(tmp_path, monkeypatch):
    def failing(self):
        raise sqlite3.OperationalError("disk I/O error")

    numbers = np.arange(100_000)

    async def receive(intake):
        for place in range(10):
            x = column(place * 100_000 + numbers)
            await intake.keep(Frame("a", T + numbers, {"x": x}), notes={"place": str(place)})

    def small():
        return Journal(tmp_path / "made.sqlite", most_bytes=2**22)

    over = asyncio.get_running_loop().create_future()

    async def once(intake):
        monkeypatch.setattr(Writer, "_remove_files", failing)
        over.set_result(await asyncio.gather(receive(intake), return_exceptions=True))
        await asyncio.Event().wait()

    async with working(node(once, tmp_path).service(journal=small)):
        assert await asyncio.wait_for(over, 50) == [None]
    monkeypatch.undo()
    assert on_disk(tmp_path)[1] == {"place": "9"}
