"""The archive of a recorder at work: whatever goes wrong is told, tried again, and overcome."""

import asyncio
import logging
import sqlite3

import pytest

from data_nodes.recorder.keeping import Keeping
from sisock.store.keeper import Keeper, Taking
from tests.keeping import FIELDS, frames

SOON = 0.02  # seconds before what failed is tried again
TAKING = Taking("n", frames(0, 10), FIELDS)


class Failing(Keeper):
    """A keeper that does what `take`, `tend` or `archive` were replaced by, and notes how often it was to write."""

    def __init__(self, folder, error=None):
        super().__init__(folder)
        self.error, self.tended = error, 0

    def tend(self):
        self.tended += 1
        return super().tend()


class NotTaking(Failing):
    def take(self, takings):
        if self.error is not None:
            raise self.error
        return super().take(takings)


class NotTending(Failing):
    def tend(self):
        self.tended += 1
        if self.error is not None:
            raise self.error
        return super().tend()


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("error", [OSError("disk full"), sqlite3.OperationalError("full"), ValueError("a bug")])
async def test_what_cannot_be_taken_is_tried_again_whatever_the_error(tmp_path, error, caplog):
    keeping = Keeping(NotTaking(tmp_path, error), retry=SOON)
    async with keeping.at_work():
        waiting = asyncio.ensure_future(keeping.take(TAKING))
        await until(lambda: keeping.trouble)
        assert keeping.trouble.startswith("nothing more can be recorded: ")
        assert str(error) in keeping.trouble
        keeping.keeper.error = None
        assert await asyncio.wait_for(waiting, 10) == 30
        assert keeping.trouble is None
    (told,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert bool(told.exc_info) == (not isinstance(error, OSError))


@pytest.mark.parametrize("error", [OSError("disk full"), sqlite3.OperationalError("full"), ValueError("a bug")])
async def test_what_cannot_be_written_is_tried_again_whatever_the_error(tmp_path, error):
    keeping = Keeping(NotTending(tmp_path, error), retry=SOON)
    async with keeping.at_work():
        await until(lambda: keeping.keeper.tended > 2)
        assert keeping.trouble.startswith("what was recorded waits to be written: ")
        keeping.keeper.error = None
        await until(lambda: keeping.trouble is None)


async def test_a_trouble_is_over_when_that_which_failed_is_done_and_not_before(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("data_nodes.recorder.keeping._TEND", SOON)
    caplog.set_level(logging.INFO)
    keeping = Keeping(NotTaking(tmp_path, OSError("disk full")), retry=SOON)
    async with keeping.at_work():
        waiting = asyncio.ensure_future(keeping.take(TAKING))
        await until(lambda: keeping.trouble)
        before = keeping.keeper.tended
        await until(lambda: keeping.keeper.tended > before + 3)
        assert keeping.trouble == "nothing more can be recorded: disk full"
        assert "everything is written again" not in caplog.text
        keeping.keeper.error = None
        await waiting
    assert caplog.text.count("disk full") == 1
    assert caplog.text.count("everything is written again") == 1


async def test_samples_are_written_between_the_steps_that_make_tiers_anew(tmp_path):
    keeper = Failing(tmp_path)
    keeping, tended = Keeping(keeper, retry=SOON), []

    class Stale:
        """The archive, of which tiers are stale; it notes how often was written before each step."""

        stale = True

        def rebuild(self):
            for number in range(5):
                tended.append(keeper.tended)
                yield "n fast", number / 5
            self.stale = False

        def __getattr__(self, name):
            return getattr(whole, name)

    whole, keeper.archive = keeper.archive, Stale()
    async with keeping.at_work():
        await until(lambda: not keeper.archive.stale and not keeping.progress)
    assert tended == sorted(set(tended))
    assert len(tended) == 5
