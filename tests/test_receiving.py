"""Nodes that receive, without a router: what is taken, what is on disk when it is said to be, what is refused."""

import asyncio
import signal
import subprocess
import sys
import threading

import pytest

from sisock.cli.trying import tried
from sisock.frames import Field, Frame, column
from sisock.nodes import NoData, NotKept, ReceivingNode
from sisock.store import quarantine
from sisock.store.journal import Journal, JournalError
from tests.nodes import data, working

NOW = 1_763_000_000 * 10**9


def node(receive, folder=None, **attributes):
    """A node whose `receive` is this coroutine function."""
    kind = type("Made", (ReceivingNode,), {"interval": 0.01, "receive": staticmethod(receive), **attributes})
    made = kind()
    made.home = folder
    return made


def at_work(receive, folder, **attributes):
    journal = lambda: Journal(folder / "made.sqlite")  # noqa: E731
    return working(node(receive, folder, **attributes).service(journal=journal))


def on_disk(folder):
    journal = Journal(folder / "made.sqlite")
    try:
        return journal.read_from(None, 0), journal.notes()
    finally:
        journal.close()


async def test_what_is_taken_is_published_and_remembered(tmp_path):
    async def receive(intake):
        assert intake.take({"temperature": 4.5, "door": "open"}) == 1
        intake.take(Frame("sweep", column([NOW, NOW + 1]).values, {"power": column([1.0, 2.0])}))
        await asyncio.Event().wait()

    service = node(receive, tmp_path).service()
    async with working(service) as published:
        first, second = await published.samples(2)
        assert (first.timeline, second.timeline, len(second)) == ("samples", "sweep", 2)
        assert await data(service, "temperature", "power") == {"temperature": [4.5], "power": [1.0, 2.0]}
        assert (await published.health("ok")) == {"state": "ok", "took": pytest.approx(0, abs=5)}


async def test_what_is_kept_is_on_disk_with_its_notes_when_keep_returns(tmp_path):
    done = asyncio.Event()

    async def receive(intake):
        for number in range(3):
            await intake.keep({"n": number}, notes={"place": str(number)})
        done.set()
        await asyncio.Event().wait()

    async with at_work(receive, tmp_path):
        await asyncio.wait_for(done.wait(), 30)
    batch, notes = on_disk(tmp_path)
    (frame,) = [each for each in batch.frames if "n" in each.columns]
    assert (frame.columns["n"].values.tolist(), notes) == ([0, 1, 2], {"place": "2"})


KILLED = """
import asyncio, sys
from pathlib import Path
from sisock.nodes import ReceivingNode
from sisock.store.journal import Journal

class Made(ReceivingNode):
    async def receive(self, intake):
        begin = int(intake.notes.get("n", 0))
        for number in range(begin, 10**9):
            await intake.keep({"n": number}, notes={"n": str(number + 1)})
            print(number, flush=True)

service = Made().service(journal=lambda: Journal(Path(sys.argv[1]) / "made.sqlite", patient=True))
asyncio.run(service.run(lambda frame: None))
"""


def test_what_was_acknowledged_survives_kill_9_once_each(tmp_path):
    said = []
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as child:
            said += [int(child.stdout.readline()) for _ in range(20)]
            child.send_signal(signal.SIGKILL)
            said += [int(line) for line in child.stdout.read().split("\n")[:-1]]
    batch, notes = on_disk(tmp_path)
    kept = [n for frame in batch.frames if "n" in frame.columns for n in frame.columns["n"].values.tolist()]
    assert kept == list(range(len(kept)))
    assert int(notes["n"]) == len(kept)
    assert set(said) <= set(kept)


async def test_what_was_noted_is_waited_for_where_a_process_of_before_still_has_the_journal(tmp_path, monkeypatch):
    monkeypatch.setattr("sisock.nodes.receiving._AGAIN_FIRST", 0.01)
    before = Journal(tmp_path / "made.sqlite")
    seen = asyncio.get_running_loop().create_future()

    async def receive(intake):
        seen.set_result(dict(intake.notes))
        await asyncio.Event().wait()

    service = node(receive, tmp_path).service(journal=lambda: Journal(tmp_path / "made.sqlite", patient=True))
    async with working(service):
        before.append_all([], {"place": "17"})
        await asyncio.to_thread(before.close)
        assert await asyncio.wait_for(seen, 30) == {"place": "17"}


async def test_many_that_are_kept_at_once_share_their_writes(tmp_path, monkeypatch):
    commits, commit = [], Journal.commit
    monkeypatch.setattr(Journal, "commit", lambda self, *given: (commits.append(1), commit(self, *given))[1])
    done = asyncio.Event()

    async def receive(intake):
        await asyncio.gather(*(intake.keep({"n": number}) for number in range(500)))
        done.set()
        await asyncio.Event().wait()

    async with at_work(receive, tmp_path):
        await asyncio.wait_for(done.wait(), 60)
        assert len(commits) < 20


async def test_what_no_disk_takes_is_not_said_to_be_kept(tmp_path, monkeypatch):
    def commit(self, *given):
        raise JournalError("the disk is full")

    monkeypatch.setattr(Journal, "commit", commit)
    caught = asyncio.get_running_loop().create_future()

    async def receive(intake):
        with pytest.raises(NotKept, match="the disk is full") as error:
            await intake.keep({"n": 1})
        caught.set_result(error)
        await asyncio.Event().wait()

    async with at_work(receive, tmp_path):
        await asyncio.wait_for(caught, 30)


def full(monkeypatch):
    """A disk that takes nothing; returns what makes room on it."""
    commit, room = Journal.commit, []

    def failing(self, *given):
        if not room:
            raise JournalError("the disk is full")
        commit(self, *given)

    monkeypatch.setattr(Journal, "commit", failing)
    return lambda: room.append(True)


async def test_what_is_refused_is_not_kept_and_is_there_once_when_it_was_sent_again(tmp_path, monkeypatch):
    make_room, done = full(monkeypatch), asyncio.Event()

    async def receive(intake):
        for _ in range(2):
            with pytest.raises(NotKept, match="the disk is full"):
                await intake.keep([{"n": 1, "odd": [1]}, {"m": 2}], notes={"place": "1"})
        assert intake.notes == {}
        assert intake.lost == 0
        make_room()
        assert await intake.keep({"n": 1}, notes={"place": "2"}) == 1
        done.set()
        await asyncio.Event().wait()

    service = node(receive, tmp_path).service(journal=lambda: Journal(tmp_path / "made.sqlite"))
    async with working(service) as published:
        await asyncio.wait_for(done.wait(), 30)
        assert await data(service, "n", "m") == {"n": [1], "m": []}
        assert [f.columns["n"].values.tolist() for f in published.frames if "n" in f.columns] == [[1]]
        assert service.quarantine.count == 0
    batch, notes = on_disk(tmp_path)
    assert [f.columns["n"].values.tolist() for f in batch.frames if "n" in f.columns] == [[1]]
    assert notes == {"place": "2"}


@pytest.mark.parametrize("works", [True, False])
async def test_what_is_taken_while_something_is_written_comes_after_it(tmp_path, monkeypatch, works):
    commit, begun, go, done = Journal.commit, threading.Event(), threading.Event(), asyncio.Event()

    def slow(self, notes=None, frames=()):
        if frames and not begun.is_set():
            begun.set()
            assert go.wait(30)
            if not works:
                raise JournalError("the disk is full")
        commit(self, notes, frames)

    monkeypatch.setattr(Journal, "commit", slow)

    async def receive(intake):
        keeping = asyncio.ensure_future(intake.keep([{"n": 1}, {"n": 2}], notes={"place": "1"}))
        await asyncio.to_thread(begun.wait, 30)
        intake.take({"n": 3}, notes={"place": "3"})
        intake.take({"n": 4})
        go.set()
        await asyncio.wait({keeping})
        assert (keeping.exception() is None) is works
        await intake.keep({"n": 5})
        done.set()
        await asyncio.Event().wait()

    wanted = [1, 2, 3, 4, 5] if works else [3, 4, 5]
    service = node(receive, tmp_path).service(journal=lambda: Journal(tmp_path / "made.sqlite"))
    async with working(service) as published:
        await asyncio.wait_for(done.wait(), 30)
        assert (await data(service, "n"))["n"] == wanted
        frames = [f for f in published.frames if "n" in f.columns]
        assert [n for f in frames for n in f.columns["n"].values.tolist()] == wanted
        assert [f.seq for f in frames] == list(range(1, len(wanted) + 1))
    batch, notes = on_disk(tmp_path)
    assert [n for f in batch.frames if "n" in f.columns for n in f.columns["n"].values.tolist()] == wanted
    assert notes == {"place": "3"}


async def test_who_gave_up_waiting_for_the_disk_has_kept_nothing(tmp_path, monkeypatch):
    make_room, done = full(monkeypatch), asyncio.Event()

    async def receive(intake):
        with pytest.raises(NotKept):
            await intake.keep({"n": 1})  # the next look at the disk is a second away
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(intake.keep({"n": 2}), 0.01)
        make_room()
        await intake.keep({"n": 3})
        done.set()
        await asyncio.Event().wait()

    async with at_work(receive, tmp_path):
        await asyncio.wait_for(done.wait(), 30)
    batch, _ = on_disk(tmp_path)
    assert [f.columns["n"].values.tolist() for f in batch.frames if "n" in f.columns] == [[3]]


async def test_it_knows_how_many_samples_had_to_be_given_up(tmp_path, monkeypatch):
    def commit(self, *given):
        self.shed(0)
        raise JournalError("the disk is full")

    monkeypatch.setattr(Journal, "commit", commit)
    counted = asyncio.get_running_loop().create_future()

    async def receive(intake):
        before = intake.lost
        intake.take([{"n": 1}, {"n": 2}])
        with pytest.raises(NotKept):
            await intake.keep([])
        counted.set_result(intake.lost - before)
        await asyncio.Event().wait()

    async with at_work(receive, tmp_path):
        assert await asyncio.wait_for(counted, 30) >= 2


async def test_without_a_journal_nothing_can_be_kept():
    caught = asyncio.get_running_loop().create_future()

    async def receive(intake):
        try:
            await intake.keep({"n": 1})
        except NotKept as error:
            caught.set_result(str(error))

    async with working(node(receive).service()):
        assert await asyncio.wait_for(caught, 30) == (
            "made has no journal: SISOCK_JOURNAL=0 leaves its samples in memory only"
        )


async def test_a_trial_waits_says_so_and_shows_what_came_though_its_sender_hears_that_it_is_not_kept():
    waits, heard = asyncio.Event(), []

    async def receive(intake):
        await waits.wait()
        try:
            await intake.keep({"who": "ada"})
        except NotKept as error:
            heard.append(str(error))
        await asyncio.Event().wait()

    trial = await tried(node(receive), waits=waits.set)
    assert (trial.state, trial.error, trial.samples) == ("ok", None, 1)
    assert trial.last.series("who")[1].values.tolist() == ["ada"]
    assert len(heard) == 1


async def test_what_cannot_be_taken_goes_into_quarantine_and_the_rest_is_kept(tmp_path):
    async def receive(intake):
        intake.take({"good": 1, "bad": [1, 2]}, source="kitchen", payload=b"raw")
        intake.quarantine("cellar", "no CBOR", b"\xff")
        await asyncio.Event().wait()

    service = node(receive, tmp_path).service()
    async with working(service) as published:
        await published.samples(1)
        health = await published.health("ok")
    assert health["error"] == "2 refused, the last one from cellar: no CBOR"
    assert [(each.source, each.payload) for each in quarantine.latest(tmp_path, "made", 9)] == [
        ("kitchen", b"raw"), ("cellar", b"\xff"),
    ]  # fmt: skip
    assert (await data(service, "good", "received.quarantined"))["good"] == [1]


async def test_what_is_in_quarantine_is_on_disk_when_that_was_waited_for(tmp_path):
    found = asyncio.get_running_loop().create_future()

    async def receive(intake):
        intake.quarantine("cellar", "no CBOR", b"\xff")
        await intake.quarantined()
        found.set_result(quarantine.latest(tmp_path, "made", 9))
        await asyncio.Event().wait()

    async with working(node(receive, tmp_path, interval=1000.0).service()):
        (kept,) = await asyncio.wait_for(found, 30)
    assert (kept.source, kept.payload) == ("cellar", b"\xff")


async def test_figures_of_the_gateway_itself_come_after_the_fields_of_what_it_hears(tmp_path):
    figures = {"gate.messages": Field("heard", "gate", "number")}

    async def receive(intake):
        await intake.keep(Frame("kitchen", column([NOW]).values, {"kitchen/t": column([1.0])}))
        await asyncio.Event().wait()

    for _ in range(2):  # so also where they are known of before
        service = node(receive, tmp_path, fields=figures, sample=lambda self: {"gate.messages": 1}).service(
            journal=lambda: Journal(tmp_path / "made.sqlite")
        )
        async with working(service) as published:
            await published.samples(3)
            await published.health("ok")
            fields, _ = await service.get_fields(0, 0)
            assert list(fields) == [
                "kitchen/t", "gate.messages", "received.samples", "received.quarantined", "health.state", "health.took",
                "health.error",
            ]  # fmt: skip


async def test_a_receive_that_raises_or_ends_is_called_again(monkeypatch):
    monkeypatch.setattr("sisock.nodes.receiving._AGAIN_FIRST", 0.001)
    steps = asyncio.Queue()

    async def receive(intake):
        match await steps.get():
            case Exception() as error:
                raise error
            case "on":
                intake.tell("ok")
                await asyncio.Event().wait()

    async with working(node(receive).service()) as published:
        steps.put_nowait(NoData("there is no broker at localhost:9092"))
        await published.until(told("no data", "there is no broker at localhost:9092"))
        steps.put_nowait(ValueError("odd"))
        await published.until(told("failed", "ValueError: odd"))
        steps.put_nowait("end")
        await published.until(told("failed", "receive() has ended"))
        steps.put_nowait("on")
        await published.health("ok")


async def test_samples_that_come_after_a_failure_are_well_without_a_word_of_the_node(monkeypatch):
    monkeypatch.setattr("sisock.nodes.receiving._AGAIN_FIRST", 0.001)
    steps = asyncio.Queue()

    async def receive(intake):
        while (given := await steps.get()) is not ValueError:
            intake.take(given)
        raise ValueError("odd")

    service = node(receive).service()
    async with working(service) as published:
        steps.put_nowait(ValueError)
        await published.until(told("failed", "ValueError: odd"))
        steps.put_nowait({"a": 1})
        await published.health("ok")


def told(state, error):
    """Whether the node has told this."""

    def there(frames):
        columns = [frame.columns for frame in frames if frame.timeline == "health"]
        return any(
            (c["health.state"].values[0], c["health.error"].values[0].startswith(error)) == (state, True)
            for c in columns
        )

    return there


async def test_it_says_that_nothing_has_come_yet_and_counts_what_came(tmp_path):
    go = asyncio.Event()

    async def receive(intake):
        await go.wait()
        intake.take([{"a": 1}, {"a": 2}])
        await asyncio.Event().wait()

    service = node(receive).service()
    async with working(service) as published:
        assert (await published.health())["error"] == "nothing has come yet"
        go.set()
        await published.health("ok")
        received = await data(service, "received.samples")
    assert received["received.samples"][-1] in (0, 2)
    fields, _ = await service.get_fields(0, 0)
    assert {"a", "received.samples", "health.state"} <= set(fields)


def test_a_node_without_receive_says_what_to_write():
    with pytest.raises(TypeError, match=r"Empty has no receive\(\): write one"):
        type("Empty", (ReceivingNode,), {})().service()
