"""The page with texts that are missing, that end, and that are rare among others; and what it tells as a value."""

import itertools
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet import Fleet, running_fleet
from tests.system.browser import Opener, Sight

START = 1_500_000_000
PLANT = '''
import numpy as np
from sisock.frames import Column, Field
from sisock.nodes import ArchivedNode

START = 1_500_000_000
TEXTS = np.dtypes.StringDType()

class Plant(ArchivedNode):
    """A hundred thousand seconds."""

    fields = {
        "pump": Field("on for a moment, missing else", "seconds", "string"),
        "state": Field("ok but once", "seconds", "string"),
        "level": Field("rises, with a wave", "seconds", "number", "m"),
        "valve": Field("one thing after the other", "seconds", "string"),
    }
    t = (START + np.arange(100_000)) * 10**9

    def read(self, field, start, end):
        first, last = np.searchsorted(self.t, (start, end))
        n = np.arange(first, last)
        if field == "level":
            return self.t[n], n + 1000 * np.sin(n / 5)
        if field == "pump":
            on = (n >= 45_000) & (n < 50_000)
            return self.t[n], Column(np.where(on, "on", "").astype(TEXTS), ~on)
        if field == "valve":
            names = ("closed", "false", "off", "idle", "ok", "true", "open", "running", "failed", "alarm", "error")
            return self.t[n], np.array(names)[n // 10_000].astype(TEXTS)
        return self.t[n], np.where(n == 70_000, "ALARM", "ok").astype(TEXTS)
'''
EXTENT = """([name, lane]) => {
    const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
    probe.fillRect(0, 0, 1, 1);
    const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
    const canvas = document.querySelector(".panel canvas");
    const over = document.querySelector(".panel .u-over").getBoundingClientRect();
    const scale = canvas.width / canvas.getBoundingClientRect().width;
    const y = over.top - canvas.getBoundingClientRect().top + lane * 42 + 36;
    const { data } = canvas.getContext("2d").getImageData(0, Math.round(y * scale), canvas.width, 1);
    const at = [];
    for (let x = 0; x < canvas.width; x++) if (data[4 * x] === r && data[4 * x + 1] === g && data[4 * x + 2] === b) at.push(x);
    const left = (over.left - canvas.getBoundingClientRect().left) * scale;
    const part = (x) => (x - left) / (over.width * scale);
    return at.length ? [part(at[0]), part(at.at(-1) + 1), at.length] : null;
}"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("states")) as fleet:
        fleet.node("plant", PLANT)
        yield fleet


def band(sight: Sight, colour: str, lane: int = 0) -> tuple[float, float, int]:
    """Where a colour begins and ends in a lane, in parts of its width, and how many pixels have it; waits for it."""
    found = sight.page.wait_for_function(f"(of) => ({EXTENT})(of)", arg=[colour, lane])
    begin, end, pixels = found.json_value()
    return begin, end, pixels


def settled(sight: Sight) -> None:
    """Wait until all is answered and drawn."""
    sight.see(".label", "samples")
    sight.until("() => !document.querySelector('.busy')")


def test_a_state_is_drawn_only_where_there_are_samples_of_it(look: Opener) -> None:
    sight = look()
    sight.open("plant::pump", "plant::state", span=200_000_000, end=(START + 150_000) * 1000)
    settled(sight)
    sight.see("[data-target='plant::state'] .value", "ok")
    sight.see("[data-target='plant::pump'] .value", "–")
    begin, end, _ = band(sight, "--state-good-4")
    assert (begin, end) == pytest.approx((95 / 200, 100 / 200), abs=0.005)
    begin, end, _ = band(sight, "--state-good", 1)
    assert (begin, end) == pytest.approx((50 / 200, 150 / 200), abs=0.005)
    sight.clean()


def test_one_alarm_among_a_hundred_thousand_samples_is_seen(look: Opener) -> None:
    sight = look()
    sight.open("plant::state", span=200_000_000, end=(START + 150_000) * 1000)
    settled(sight)
    begin, _, pixels = band(sight, "--state-bad-2")
    assert begin == pytest.approx(120 / 200, abs=0.005)
    assert pixels >= 2
    sight.clean()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_two_states_look_the_same(look: Opener, scheme: str) -> None:
    sight = look(color_scheme=scheme)
    sight.open("plant::valve", span=200_000_000, end=(START + 150_000) * 1000)
    settled(sight)
    sight.until("() => document.querySelectorAll('.key .swatch').length === 10")
    colours = sight.page.evaluate(
        "[...document.querySelectorAll('.key .swatch')].map((each) => getComputedStyle(each).backgroundColor)"
    )
    shades = [[int(part) for part in re.findall(r"\d+", each)] for each in colours]
    for one, other in itertools.combinations(shades, 2):
        assert math.dist(one, other) > 25, (one, other)
    sight.clean()


def test_the_value_of_a_line_in_bins_is_its_newest_sample(look: Opener) -> None:
    sight = look()
    sight.open("plant::level", span=90_000_000, end=(START + 95_000) * 1000 + 500)
    sight.see(".label", re.compile("^minmax"))
    sight.see("[data-target='plant::level'] .value", "94.65\u202fkm")
    sight.clean()
