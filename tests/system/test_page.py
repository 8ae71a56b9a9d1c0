"""The page in a real browser, against a real router, hub and nodes."""

import math
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.fleet import ARCHIVE, COUNTER, ROOT, Fleet, running_fleet
from tests.peers import need
from tests.system.browser import Sight, chromium

PICTURES = os.environ.get("PICTURES")  # PICTURES=docs/images keeps the pictures of the docs
TOLD = re.compile(r"raw|minmax")
Opener = Callable[..., Sight]


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
        """Keep the tests' output to the tests."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(need("chromium")) as browser:
        yield browser


@pytest.fixture(scope="module")
def built() -> Path:
    """The page, bundled."""
    subprocess.run([sys.executable, str(ROOT / "js" / "build.py")], check=True, timeout=300)
    return ROOT / "js" / "dist"


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
    with running_fleet(tmp_path_factory.mktemp("page"), origins=origin) as fleet:
        fleet.node("counter", COUNTER)
        fleet.node("archive", ARCHIVE)
        fleet.run("weather", "-m", "sisock", "node", "weather")
        yield fleet


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Fleet]:
    """The nodes that come with sisock, as `sisock up` runs them."""
    with running_fleet(
        tmp_path_factory.mktemp("laboratory"), {"page": {"role": "consumer", "sensitive": True}}
    ) as fleet:
        for name in ("host", "lsof", "sensors", "weather"):
            fleet.run(name, "-m", "sisock", "node", name)
        yield fleet


@pytest.fixture
def look(browser: Browser, fleet: Fleet) -> Iterator[Opener]:
    """Opens pages; afterwards none may have loaded anything from elsewhere."""
    sights: list[Sight] = []

    def opened(of: Fleet | None = None, **context: Any) -> Sight:
        context = {"viewport": {"width": 1440, "height": 900}, **context}
        sights.append(Sight(browser, (of or fleet).settings, **context))
        return sights[-1]

    yield opened
    for sight in sights:
        sight.page.context.close()


def test_a_token_signs_in_once_and_leaves_the_address_and_a_reload_stays_signed_in(look: Opener) -> None:
    sight = look()
    sight.open()
    sight.connection("connected")
    assert "token" not in sight.page.url
    sight.page.reload()
    sight.connection("connected")
    assert not sight.page.locator("dialog[open]").count()
    sight.clean()


def test_a_used_token_is_refused_with_the_cure_and_a_new_one_can_be_pasted(look: Opener) -> None:
    first, second = look(), look()
    token = first.token()
    first.open(token=token)
    first.connection("connected")
    second.open(token=token)
    second.connection("refused")
    assert "it was used before, or it has run out. Run sisock link" in second.text("dialog")
    second.page.fill("#token", f"{second.origin}/#token={second.token()}")
    second.page.keyboard.press("Enter")
    second.connection("connected")
    second.page.locator("dialog").wait_for(state="hidden")
    second.clean()


def test_without_a_token_the_page_says_how_to_get_one(look: Opener) -> None:
    sight = look()
    sight.page.goto(sight.origin)
    sight.connection("refused")
    assert "Nobody is signed in here yet. Run sisock link" in sight.text("dialog")
    sight.clean()


def test_nodes_are_listed_with_their_fields_by_timeline_and_what_they_say_now(look: Opener) -> None:
    sight = look()
    sight.open("archive::sine")
    for name in ("archive", "counter", "weather"):
        sight.see(f"li[data-node={name}][data-state=up]", name)
    sight.page.click("li[data-node=weather] summary")
    temperature = sight.see("li[data-node=weather] .row", re.compile(r"seattle/temp_max.*\d\s°C", re.DOTALL))
    assert "every 1 h" in sight.see("li[data-node=weather] .timeline", "hourly").inner_text().replace("\u202f", " ")
    sight.page.fill("#filter", "wind")
    sight.see("li[data-node=weather] .row", "seattle/wind")
    temperature.wait_for(state="hidden")
    sight.clean()


def test_a_chosen_field_is_drawn_and_goes_on_live(look: Opener) -> None:
    sight = look()
    sight.open("archive::sine")
    sight.page.click("li[data-node=counter] summary")
    sight.see("li[data-node=counter] .row", "count").click()
    sight.beyond("counter::count", 5)
    sight.beyond("counter::count", sight.last("counter::count") + 20)
    sight.drawn(".panel[aria-label='counter::count']", "--series-2", 20)
    assert re.match(r"raw · all [\d ]+ samples · ", sight.text(".panel[aria-label='counter::count'] .label"))
    sight.clean()


def test_fields_of_a_node_that_are_chosen_one_after_the_other_all_go_on_live(look: Opener) -> None:
    sight = look()
    sight.open("counter::count", "counter::parity", "counter::big")
    sight.see("[data-target='counter::big'] .value", "true")
    sight.beyond("counter::count", sight.last("counter::count") + 20)
    sight.page.click("[data-target='counter::big'] .remove")
    sight.page.locator("[data-target='counter::big']").wait_for(state="detached")
    sight.beyond("counter::count", sight.last("counter::count") + 20)
    sight.clean()


def test_texts_and_booleans_are_bands_of_states_and_rows_that_can_be_filtered(look: Opener) -> None:
    sight = look()
    sight.open("counter::parity", "counter::big")
    sight.drawn(".panel", "--state-good", 50)
    sight.see(".chip:has-text('parity') .value", re.compile("odd|even"))
    sight.page.click("#rows summary")
    sight.see("#rows td", "even")
    sight.page.fill("#rows input", "odd")
    rows = sight.page.locator("#rows tbody tr")
    rows.filter(has_text="even").first.wait_for(state="detached")
    rows.filter(has_text="odd").first.wait_for()
    sight.clean()


def test_zooming_and_moving_ask_the_node_for_what_the_screen_shows_and_redraw(look: Opener) -> None:
    sight = look()
    sight.open("archive::sine", span=1_000_000, end=1_500_500_000_000)
    sight.see(".label", "raw · all")
    raw, asked = sight.ink(), sight.asked
    chart = sight.page.locator(".chart").first
    chart.hover()
    for _ in range(8):
        sight.page.mouse.wheel(0, 400)
    sight.see(".label", "minmax")
    assert sight.asked > asked
    assert re.match(r"minmax · [\d ]+ samples in [\d ]+ points · bins of .* · no gaps", sight.text(".label"))
    sight.drawn(least=raw)
    asked, shown = sight.asked, sight.text(".shown")
    box = chart.bounding_box()
    assert box is not None
    sight.page.mouse.down()
    sight.page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 50, steps=4)
    sight.page.mouse.up()
    sight.until("(shown) => document.querySelector('.shown').textContent !== shown", shown)
    chart.dblclick()
    sight.page.locator(".live[aria-pressed=true]").wait_for()
    sight.see(".nothing", "No samples in this stretch of time").get_by_role("button").click()
    sight.see(".label", "minmax · 1 000 000 samples".replace(" 000", "\u202f000"))
    assert sight.asked > asked
    sight.clean()


def test_the_keyboard_does_all_that_the_pointer_does(look: Opener) -> None:
    sight = look()
    sight.open("counter::count")
    sight.see(".label", TOLD)
    sight.page.focus("#board")
    sight.page.keyboard.press("-")
    sight.see(".shown", "last 10\u202fmin")
    sight.page.keyboard.press("ArrowLeft")
    sight.page.locator(".live[aria-pressed=false]").wait_for()
    sight.page.keyboard.press("End")
    sight.page.locator(".live[aria-pressed=true]").wait_for()
    sight.page.keyboard.press("Home")
    sight.page.locator(".ranges [aria-pressed=true]").wait_for(state="detached")
    sight.clean()


def test_a_killed_node_is_shown_away_and_goes_on_when_it_is_back(look: Opener, fleet: Fleet) -> None:
    sight = look()
    sight.open("counter::count")
    sight.see(".label", TOLD)
    fleet.kill("counter")
    try:
        sight.see("li[data-node=counter][data-state=away]", "away")
        sight.see(".panel .notice", "counter is away since")
    finally:
        fleet.node("counter")
    sight.see("li[data-node=counter][data-state=up]")
    sight.page.locator(".panel .notice").wait_for(state="detached")
    sight.beyond("counter::count", 5)
    sight.clean()


def test_a_restarted_router_is_found_again_and_the_line_goes_on(look: Opener, fleet: Fleet) -> None:
    sight = look()
    sight.open("counter::count")
    sight.see(".label", TOLD)
    fleet.router.kill()
    sight.connection("lost")
    before = sight.last("counter::count")
    fleet.router.start()
    sight.connection("connected")
    sight.see("li[data-node=counter][data-state=up]")
    sight.beyond("counter::count", before + 10)
    assert all("WebSocket" in each for each in sight.complaints)


def test_the_module_gives_typed_columns_and_answers_larger_than_a_message(look: Opener) -> None:
    sight = look()
    sight.open()
    sight.connection("connected")
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


def test_the_example_of_the_readme_runs(look: Opener, elsewhere: tuple[ThreadingHTTPServer, Path]) -> None:
    server, folder = elsewhere
    sight = look()
    example = (ROOT / "js" / "README.md").read_text().split("```html\n")[1].split("```")[0]
    for told, here in (("8080", str(sight.settings.router_port)), ('"host"', '"counter"'), ('"cpu"', '"count"')):
        example = example.replace(told, here)
    (folder / "mine.html").write_text(example)
    sight.page.goto(f"http://127.0.0.1:{server.server_port}/mine.html#token={sight.token()}")
    for line in ("Connected.", "counter is up: Counts, ten times a second.", "points (raw)", re.compile(r"cpu \d+ %")):
        sight.see("#out", line)


def test_live_data_join_exactly_once_over_a_killed_router(look: Opener, fleet: Fleet) -> None:
    sight = look()
    sight.open()
    sight.connection("connected")
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


def test_records_are_rows(look: Opener, laboratory: Fleet) -> None:
    need("lsof")
    sight = look(laboratory)
    sight.open("lsof::command", "lsof::user", "lsof::name")
    sight.page.locator("#rows[open]").wait_for()
    sight.page.fill("#rows input", "crossbar")
    sight.see("#rows td", "crossbar")
    sight.see("#rows .note", re.compile(r"\d rows"))
    sight.clean()


def test_the_page_opens_with_something_that_moves(look: Opener, laboratory: Fleet) -> None:
    sight = look(laboratory)
    sight.open()
    sight.see("li[data-node=host][data-state=up] .row", "cpu")
    sight.see("[data-target^='host::'] .value", re.compile(r"\d"))
    sight.drawn(least=20)
    sight.clean()


@pytest.mark.parametrize(
    ("width", "height", "scheme"),
    [(1440, 900, "light"), (768, 1024, "dark"), (360, 740, "light"), (1920, 1080, "dark")],
)
def test_it_fits_every_screen(
    look: Opener, laboratory: Fleet, tmp_path: Path, width: int, height: int, scheme: str
) -> None:
    sight = look(laboratory, viewport={"width": width, "height": height}, color_scheme=scheme)
    fields = ("seattle/temp_max", "seattle/temp_min", "seattle/wind", "new_york/weather")
    sight.open(
        *(f"weather::{field}" for field in fields[: 2 if width < 500 else 4]), span=31536000000, end=1388534400000
    )
    sight.see(".label", TOLD)
    sight.drawn(colour="--series-2")
    if width > 860:
        sight.page.click("li[data-node=weather] summary")
        sight.see("li[data-node=weather] .row", "°C")
    assert sight.page.evaluate("document.documentElement.scrollWidth") <= width
    assert not sight.page.locator(".busy").count()
    sight.page.screenshot(path=Path(PICTURES or tmp_path) / f"page-{width}x{height}.png")
    sight.clean()
