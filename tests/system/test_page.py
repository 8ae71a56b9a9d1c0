"""The page in a real browser, against a real router, hub and nodes, which are killed and come back."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet import ARCHIVE, COUNTER, Fleet, running_fleet
from tests.system.browser import Opener

TOLD = re.compile(r"raw|minmax")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("page")) as fleet:
        fleet.node("counter", COUNTER)
        fleet.node("archive", ARCHIVE)
        fleet.run("weather", "-m", "sisock", "node", "weather")
        yield fleet


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
    assert "Nobody is signed in here yet. Give your name and password, or run sisock link" in sight.text("dialog")
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


def test_the_filter_finds_fields_of_nodes_that_were_never_opened(look: Opener) -> None:
    sight = look()
    sight.open("archive::sine")
    sight.see("li[data-node=weather][data-state=up]")
    sight.page.fill("#filter", "seattle/wind")
    sight.page.locator("li[data-node=counter]").wait_for(state="hidden")
    sight.see("li[data-node=weather]").locator("summary").click()
    sight.see("li[data-node=weather] .row", "seattle/wind")
    assert sight.page.locator("li[data-node=weather] .row:visible").count() == 1
    sight.page.fill("#filter", "")
    sight.see("li[data-node=counter]")
    sight.clean()


def test_a_chosen_field_is_drawn_and_goes_on_live(look: Opener) -> None:
    sight = look()
    sight.open("archive::sine", span=60_000)
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
    sight.drawn(".panel", "--state-good-2", 50)
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
    sight.see(
        ".label",
        re.compile(
            r"^minmax · (about )?[\d\u202f]+ samples in [\d\u202f]+ points · bins of .* · from the samples · no gaps longer than "
        ),
    )
    assert sight.asked > asked
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
