"""The page over ten years of a node that is away: every zoom at once, from stored bins, and what was recorded."""

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sisock.frames import Answer, Column, Field, Frame, Query
from sisock.store.archive import Archive
from tests.fleet import COUNTER, Fleet, running_fleet
from tests.recorder import Recorded, recording_meanwhile
from tests.system.browser import Opener, Sight

NS = 10**9
YEAR = 31_557_600
START = 1_420_070_400  # 2015
BURST = START + 4 * YEAR
FIELDS = {"level": Field("how high", "tide", units="m")}


class OnDisk(Recorded):
    """A recorder whose samples lie in an archive."""

    def __init__(self, archive: Archive, frame: Frame) -> None:
        super().__init__(FIELDS, [frame])
        self.archive = archive
        archive.put("tide", frame, FIELDS)
        archive.flush()

    async def get_data(self, query: Query) -> Answer:
        return await asyncio.to_thread(self.archive.answer, "tide", query)


def ten_years() -> Frame:
    """A sample every five minutes, and for a minute in the middle a thousand a second; one of them is a spike."""
    slow = (START + np.arange(0, 10 * YEAR, 300)) * NS
    fast = BURST * NS + np.arange(60_000) * 10**6
    t = np.union1d(slow, fast)
    level = np.sin(t / NS / 1e6) + 0.1 * np.sin(t / NS * 50)
    level[np.searchsorted(t, BURST * NS + 30 * NS + 7 * 10**6)] = 9
    return Frame("tide", t, {"level": Column(level)}, "an epoch", len(t))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("zoom")
    principals = {"recorder": "recorder", "second": "recorder", "tide": "data_node"}
    with running_fleet(folder, principals) as fleet, Archive(folder / "archive") as archive:
        fleet.node("counter", COUNTER)
        with recording_meanwhile(fleet.settings, {"tide": OnDisk(archive, ten_years())}):
            yield fleet


def painted(sight: Sight) -> int:
    """Pixels of the line in the very next picture."""
    sight.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return sight.ink()


def test_a_node_that_is_away_can_be_chosen_where_its_past_is_kept(look: Opener) -> None:
    sight = look()
    sight.open("counter::count")
    sight.see("li[data-node=tide][data-state=away] .note", "recorded")
    sight.page.click("li[data-node=tide] summary")
    sight.see("li[data-node=tide] .row", "level").click()
    tide = ".panel[aria-label='tide::level']"
    sight.see(tide)  # of which All is to show all
    sight.page.click(".ranges button:has-text('All')")
    sight.drawn(tide, "--series-2")
    sight.see(f"{tide} .notice", re.compile(r"tide is away.*; this is what was recorded"))
    assert sight.page.locator(f"{tide} .notice").count() == 1
    sight.page.reload()
    sight.drawn(tide, "--series-2")
    sight.clean()


def test_a_node_that_goes_away_shows_what_was_recorded_and_its_own_again_when_it_is_back(
    look: Opener, fleet: Fleet
) -> None:
    t = time.time_ns() + np.arange(-600, 0) * NS // 10
    frame = Frame("samples", t, {"count": Column(np.arange(600))}, "an epoch", 600)
    recorded = Recorded({"count": Field("of before")}, [frame])
    notice = ".panel .notice:has-text('counter is away since'):has-text('this is what was recorded')"
    sight = look()
    sight.open("counter::count", span=60_000)
    sight.beyond("counter::count", 5)
    with recording_meanwhile(fleet.settings, {"counter": recorded}, "second"):
        sight.see("li[data-node=counter][data-state=up]")
        fleet.kill("counter")
        try:
            sight.see(notice)
            sight.page.reload()  # forget what was seen live
            sight.see(notice)
            sight.until("() => document.querySelector(`[data-target='counter::count'] .value`).textContent === '599'")
        finally:
            fleet.node("counter")
        sight.page.locator(notice).wait_for(state="detached")
        sight.beyond("counter::count", 5)
    sight.clean()


def test_ten_years_come_from_stored_bins_and_the_label_says_so(look: Opener) -> None:
    sight = look()
    sight.open("tide::level", span=10 * YEAR * 1000 + 2000, end=(START + 10 * YEAR) * 1000 + 1000)
    sight.see(".label", "from stored bins of")
    label = sight.text(".label")
    assert re.match(
        r"minmax · (about )?1 1[01]\d \d{3} samples in [\d ]+ points · bins of [\d.]+ d · from stored bins", label
    )
    sight.clean()


def test_zooming_from_ten_years_to_milliseconds_draws_something_at_every_step(look: Opener) -> None:
    sight = look()
    sight.open("tide::level", span=10 * YEAR * 1000, end=(BURST + 5 * YEAR) * 1000 + 30_020)
    sight.see(".label", "from stored bins of")
    sight.page.focus("#board")
    for step in range(33):
        sight.page.keyboard.press("+")
        assert painted(sight) > 50, f"nothing is drawn at step {step}"
    sight.see(".label", re.compile(r"^raw · all \d\d samples · no gaps"))
    for step in range(33):
        sight.page.keyboard.press("-")
        assert painted(sight) > 50, f"nothing is drawn at step {step} outwards"
    sight.see(".label", re.compile("bins of [^f]*d · from stored bins"))
    assert sight.most == 1
    sight.clean()


def test_the_spike_of_a_millisecond_is_seen_over_ten_years(look: Opener) -> None:
    sight = look()
    sight.open("tide::level", span=10 * YEAR * 1000, end=(BURST + 5 * YEAR) * 1000)
    sight.see(".label", "from stored bins of")
    box = sight.page.locator(".chart .u-over").bounding_box()
    assert box is not None
    sight.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    sight.see("[data-target='tide::level'] .value", re.compile("9\u202fm"))
    sight.clean()


def test_a_pan_asks_for_what_is_new_and_a_way_back_for_nothing(look: Opener) -> None:
    sight = look()
    sight.open("tide::level", span=YEAR * 1000 // 12, end=(BURST - YEAR) * 1000)
    sight.see(".label", "minmax")
    sight.until("() => !document.querySelector('.busy')")
    sight.page.focus("#board")
    asked = sight.asked
    for _ in range(5):
        sight.page.keyboard.press("ArrowLeft")
        assert painted(sight) > 100
    sight.see(".label", re.compile("bins of (?!.*for now)"))
    sight.until("() => !document.querySelector('.busy')")
    there = sight.asked
    assert there > asked
    for _ in range(5):
        sight.page.keyboard.press("ArrowRight")
        assert painted(sight) > 100
    sight.page.keyboard.press("ArrowLeft")
    sight.see(".shown", "–")
    painted(sight)
    assert sight.asked == there
    assert sight.most == 1
    sight.clean()


def test_times_below_a_plot_are_those_of_their_ticks_wherever_in_a_millisecond_it_begins(look: Opener) -> None:
    for span in (20_000, 600_000, 20 * 3_600_000, 20 * 86_400_000):  # ticks of seconds, minutes, hours, days
        labels = []
        for more in (0, 0.7):
            sight = look()
            sight.page.add_init_script("""
                window.written = new Set();
                const write = CanvasRenderingContext2D.prototype.fillText;
                CanvasRenderingContext2D.prototype.fillText = function (text, ...where) {
                    window.written.add(text);
                    return write.call(this, text, ...where);
                };
            """)
            sight.open("tide::level", span=span, end=BURST * 1000 + more)
            sight.see(".label", "samples")
            sight.until("() => [...window.written].some((text) => /[:A-Z]/.test(text))")
            labels.append(set(sight.page.evaluate("[...window.written].filter((text) => /[:A-Z]/.test(text))")))
            sight.clean()
        assert labels[0] == labels[1]
