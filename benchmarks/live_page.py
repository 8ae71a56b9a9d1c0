"""How old a sample is when it is drawn: from its taking to the browser's picture.

A router, a hub, a node with 100 fields ten times a second and a real Chromium whose page follows all of them, drawn as
100 lines, on one machine. The value of each field is the time of its taking, so that the page itself can tell the age:
at the animation frame after the one in which the value was drawn, which the screen has shown by then.

`python -m benchmarks.live_page [--seconds 30]`; exit code 1 if the 95th percentile is above 150 ms, or samples were
not drawn.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import machine, table
from tests.fleet import ROOT, running_fleet
from tests.peers import need
from tests.system.browser import Sight, chromium

MOST = 150.0  # ms, for 95 of 100 samples
LEAST = 0.8  # of the samples that have to be seen: two that come within one picture are one
FIELDS = 100
RATE = 10  # Hz
NODE = f"""
import time
from sisock.nodes import LiveNode

class Many(LiveNode):
    '''{FIELDS} fields, {RATE} times a second: each says when it was taken, ms of a span of 1000 s.'''

    interval = {1 / RATE}

    def sample(self):
        return {{f"f{{i:02}}": time.time_ns() // 10**6 % 10**6 for i in range({FIELDS})}}
"""
WATCH = """() => {
    window.ages = [];
    const shown = document.querySelector("[data-target='many::f99'] .value");
    const note = () => {
        const taken = Number(shown.textContent.replace(/\\s/g, ""));
        requestAnimationFrame(() => ages.push((Date.now() - taken + 1e6) % 1e6));
    };
    new MutationObserver(note).observe(shown, { childList: true, characterData: true, subtree: true });
}"""


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=30)
    seconds = parser.parse_args().seconds
    subprocess.run([sys.executable, str(ROOT / "js" / "build.py")], check=True, timeout=900)
    print(machine())
    with (
        tempfile.TemporaryDirectory() as folder,
        running_fleet(Path(folder)) as fleet,
        chromium(need("chromium")) as browser,
    ):
        fleet.node("many", NODE)
        sight = Sight(browser, fleet.settings, viewport={"width": 1440, "height": 900})
        ages = _ages(sight, seconds)
    return _report(ages, seconds)


def _ages(sight: Sight, seconds: int) -> NDArray[np.float64]:
    """Ages in ms of the samples that were drawn within so many seconds."""
    sight.open(*(f"many::f{i:02}" for i in range(FIELDS)), span=60_000)
    sight.last(f"many::f{FIELDS - 1:02}")
    sight.page.wait_for_timeout(3000)  # what is loaded at the beginning is not what is measured
    sight.page.evaluate(WATCH)
    sight.page.wait_for_timeout(seconds * 1000)
    ages = np.array(sight.page.evaluate("ages"), np.float64)
    sight.clean()
    return ages


def _report(ages: NDArray[np.float64], seconds: int) -> int:
    half, most, worst = (f"{age:.0f} ms" for age in np.percentile(ages, (50, 95, 100)))
    seen = len(ages) / (seconds * RATE)
    print(
        table(
            [
                ("taken to drawn", "p50", "p95", "worst", "drawn"),
                (f"{FIELDS} fields at {RATE} Hz", half, most, worst, f"{seen:.0%}"),
            ]
        )
    )
    missed = np.percentile(ages, 95) > MOST or seen < LEAST
    print(f"p95 at most {MOST:g} ms: {'missed' if missed else 'kept'}")
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
