"""sisock.js in a real browser: typed columns, large answers, live data joined over a killed router, its README."""

import math
import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from sisock.frames import Column, Field, Frame
from tests.fleet import ARCHIVE, COUNTER, ROOT, Fleet, running_fleet
from tests.recorder import Recorded, recording_meanwhile
from tests.system.browser import Opener, Sight


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
        """Keep the tests' output to the tests."""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[tuple[ThreadingHTTPServer, Path]]:
    """Another web server, with what was built, and its folder."""
    folder = tmp_path_factory.mktemp("elsewhere") / "web"
    shutil.copytree(built, folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server, folder
        server.shutdown()
        thread.join(10)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, elsewhere: tuple[ThreadingHTTPServer, Path]) -> Iterator[Fleet]:
    origin = f"http://127.0.0.1:{elsewhere[0].server_port}"
    principals = {"recorder": "recorder", "gone": "data_node"}
    with running_fleet(tmp_path_factory.mktemp("module"), principals, origins=origin) as fleet:
        fleet.node("counter", COUNTER)
        fleet.node("archive", ARCHIVE)
        yield fleet


def ready(sight: Sight) -> None:
    """Wait until the page lists the nodes as up."""
    sight.open()
    for name in ("archive", "counter"):
        sight.see(f"li[data-node={name}][data-state=up]")


def test_the_module_gives_typed_columns_and_answers_larger_than_a_message(look: Opener) -> None:
    sight = look()
    ready(sight)
    got = sight.page.evaluate(
        """async ([token, url]) => {
            const { connect } = await import("/sisock.js");
            const client = connect({ url, token, storage: null });
            const all = await client.data("archive", ["sine"]);
            const some = await client.data("archive", ["label"], 1.5e12, 1.5001e12);
            const { t, values } = all.series("sine");
            const refused = await client.data("nobody", ["x"]).catch((problem) => [problem.name, problem.message]);
            const out = [t.length, t[0], t.at(-1), values[7], some.series("label").values[42], all.samples, refused];
            client.close();
            return out;
        }""",
        [sight.token(), sight.origin.replace("http", "ws") + "/ws"],
    )
    assert got[:3] == [1_000_000, 1_500_000_000_000, 1_500_999_999_000]
    assert got[3] == pytest.approx(math.sin((1_500_000_007 * 10**9) / 1e11))
    assert got[4:6] == ["042", 1_000_000]
    assert got[6][0] == "SisockError"
    assert "nobody" in got[6][1]


def test_bins_of_a_width_are_exact_and_a_sample_can_be_asked_for(look: Opener) -> None:
    sight = look()
    ready(sight)
    got = sight.page.evaluate(
        """async ([token, url]) => {
            const { connect } = await import("/sisock.js");
            const client = connect({ url, token, storage: null });
            const bin = 2 ** 34 / 1e6;
            const all = await client.data("archive", ["sine"], null, null, { bin, reduce: "count" });
            const { t, values } = all.series("sine");
            const before = await client.sample("archive", ["sine"], 1.5e12 + 500, "before");
            const out = [all.label, values.reduce((sum, n) => sum + n, 0), t[9] / bin, before.series("sine").t[0]];
            client.close();
            return out;
        }""",
        [sight.token(), sight.origin.replace("http", "ws") + "/ws"],
    )
    assert got[0] == {"method": "count", "bin": 2**34 / 1e6, "tier": None, "notices": []}
    assert got[1:] == [1_000_000, pytest.approx(1_500_000_000 * 10**9 // 2**34 + 9), 1.5e12]


def test_what_was_recorded_of_a_node_that_is_away_comes_with_a_notice(look: Opener, fleet: Fleet) -> None:
    t = 1_700_000_000 * 10**9 + np.arange(1000) * 10**9
    frame = Frame("tide", t, {"level": Column(np.arange(1000) / 10)}, "an epoch", 1000)
    gone = Recorded({"level": Field("how high", "tide", units="m")}, [frame])
    sight = look()
    ready(sight)
    with recording_meanwhile(fleet.settings, {"gone": gone}):
        got = sight.page.evaluate(
            """async ([token, url]) => {
                const { connect } = await import("/sisock.js");
                const client = connect({ url, token, storage: null });
                const { fields } = await client.fields("gone");
                const answer = await client.data("gone", ["level"], null, null, { maxPoints: 10 });
                const out = [fields.level.units, answer.samples, answer.label.notices];
                client.close();
                return out;
            }""",
            [sight.token(), sight.origin.replace("http", "ws") + "/ws"],
        )
    assert got[:2] == ["m", 1000]
    assert re.fullmatch(r"gone is away( since .* UTC)?; this is what was recorded", *got[2])


def test_the_example_of_the_readme_runs(look: Opener, elsewhere: tuple[ThreadingHTTPServer, Path]) -> None:
    server, folder = elsewhere
    sight = look()
    example = (ROOT / "js" / "README.md").read_text().split("```html\n")[1].split("```")[0]
    for told, here in (("8080", str(sight.settings.router_port)), ('"host"', '"counter"'), ('"cpu"', '"count"')):
        example = example.replace(told, here)
    (folder / "mine.html").write_text(example)
    ready(look())
    sight.page.goto(f"http://127.0.0.1:{server.server_port}/mine.html#token={sight.token()}")
    for line in ("Connected.", "counter is up: Counts, ten times a second.", "points (raw)", re.compile(r"cpu \d+ %")):
        sight.see("#out", line)


def test_live_data_join_exactly_once_over_a_killed_router(look: Opener, fleet: Fleet) -> None:
    sight = look()
    ready(sight)
    sight.page.evaluate(
        """async ([token, url]) => {
            const { connect } = await import("/sisock.js");
            const client = connect({ url, token, storage: null });
            window.counts = [];
            client.live("counter", ["count"], { last: 60e3 }, (answer) => counts.push(...answer.series("count").values));
        }""",
        [sight.token(), sight.origin.replace("http", "ws") + "/ws"],
    )
    sight.until("() => counts.length > 20")
    fleet.router.kill()
    sight.connection("lost")
    before = int(sight.page.evaluate("counts.at(-1)"))
    fleet.router.start()
    sight.until("(before) => counts.at(-1) > before + 20", before)
    counts = sight.page.evaluate("[...counts]")
    assert counts == list(range(int(counts[0]), int(counts[0]) + len(counts)))
