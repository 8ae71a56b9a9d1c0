"""The page with a node that is faster than any screen: bins at the screen's own rate, frames where they fit."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet import COUNTER, Fleet, running_fleet
from tests.system.browser import Opener, Sight

FAST = '''
import time
import numpy as np
from sisock.frames import Column, Field, Frame
from sisock.nodes import LiveNode

class Fast(LiveNode):
    """A thousand samples a second: their numbers, and whether these are even."""

    interval = 0.01
    fields = {"n": Field("number of the sample"), "even": Field(type="bool")}
    n, due = 0, time.time_ns()

    def sample(self):
        t = np.arange(self.due, time.time_ns(), 10**6)
        if not len(t):
            return None
        n = np.arange(self.n, self.n + len(t))
        self.n, self.due = self.n + len(t), int(t[-1]) + 10**6
        return Frame("samples", t, {"n": Column(n), "even": Column(n % 2 == 0)})
'''
BINS = re.compile(r"minmax · .* samples in .* points · bins of .*s · from the samples")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("live")) as fleet:
        fleet.node("fast", FAST)
        fleet.node("counter", COUNTER)
        yield fleet


def listens(sight: Sight) -> set[str]:
    """Names of the nodes whose live frames it takes."""
    return {topic.split(".")[-2] for topic in sight.live}


def test_more_than_the_screen_can_show_is_followed_in_bins_without_live_frames(look: Opener) -> None:
    sight = look()
    sight.open("fast::n", "fast::even", span=60_000)
    sight.see(".label", BINS)
    sight.drawn(least=50)
    first = sight.last("fast::n")
    sight.beyond("fast::n", first + 2000)
    sight.drawn(".panel[aria-label='fast::even']", "--state-good-2", 20)
    assert listens(sight) == set()
    assert sight.most == 1
    assert sight.asked > 4
    sight.clean()


def test_frames_come_where_they_fit_and_bins_again_where_they_do_not(look: Opener) -> None:
    sight = look()
    sight.open("counter::count", "fast::n", span=500)
    sight.see(".label", re.compile("raw · all"))
    sight.beyond("fast::n", sight.last("fast::n") + 500)
    assert listens(sight) == {"counter", "fast"}
    sight.page.click(".ranges button:has-text('30 min')")
    sight.see(".label", BINS)
    sight.beyond("fast::n", sight.last("fast::n") + 1000)
    assert listens(sight) == set()
    assert sight.most == 1
    sight.clean()


def test_a_slow_page_draws_fewer_bins_but_those_of_now(look: Opener) -> None:
    sight = look()
    sight.open("fast::n", "fast::even", span=60_000)
    sight.see(".label", BINS)
    quick = sight.page.context.new_cdp_session(sight.page)
    quick.send("Emulation.setCPUThrottlingRate", {"rate": 20})
    asked, first = sight.asked, sight.last("fast::n")
    sight.beyond("fast::n", first + 5000)
    sight.beyond("fast::n", first + 8000)
    passed = (sight.last("fast::n") - first) / 1000  # seconds, by the node's own count
    assert sight.asked - asked <= 4 * passed + 4
    assert sight.most == 1
    quick.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    sight.beyond("fast::n", sight.last("fast::n") + 2000)
    sight.clean()
