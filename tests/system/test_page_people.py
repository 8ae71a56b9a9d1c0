"""People at the page: they sign in by name and password, see what they may, and sign out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sisock.keys.passwords import hashed
from sisock.keys.principals import load_principal, save_principal
from sisock.keys.revoking import revoke
from sisock.keys.tokens import sessions
from tests.demo import wait_for
from tests.fleet import COUNTER, Fleet, running_fleet
from tests.system.browser import Opener, Sight

WORDS = "three small words"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Fleet]:
    ann = {"role": "viewer", "nodes": ["counter"], "password": hashed(WORDS)}
    principals: dict[str, Any] = {"ann": ann, "oven": "data_node"}
    with running_fleet(tmp_path_factory.mktemp("people"), principals) as fleet:
        fleet.node("counter", COUNTER)
        fleet.node("oven", COUNTER.replace("Counter", "Oven"))
        yield fleet


def sign_in(sight: Sight, name: str, password: str) -> None:
    sight.page.fill("#name", name)
    sight.page.fill("#password", password)
    sight.page.keyboard.press("Enter")


def test_ann_signs_in_sees_her_nodes_stays_over_a_reload_and_signs_out(look: Opener, fleet: Fleet) -> None:
    sight = look()
    sight.page.goto(sight.origin)
    sight.connection("refused")
    sign_in(sight, "ann", WORDS)
    sight.connection("connected")
    assert not sight.page.locator("dialog[open]").count()
    sight.see("#who", "ann")
    sight.see("li[data-node=counter][data-state=up]", "counter")
    assert not sight.page.locator("li[data-node=oven]").count()
    sight.page.reload()
    sight.connection("connected")
    sight.see("#who", "ann")
    kept = sight.page.evaluate("JSON.stringify({...sessionStorage, ...localStorage})")
    assert WORDS not in kept
    ticket = next(json.loads(each)["ticket"] for key, each in json.loads(kept).items() if "test_realm" in key)
    sight.page.click("#sign-out")
    sight.connection("refused")
    assert "Nobody is signed in" in sight.text("dialog")
    assert not sight.page.locator("#who").is_visible()
    assert not sight.page.locator("li[data-node=counter]").count()
    assert sessions(fleet.settings.state).find(ticket) is None
    sight.clean()


def test_a_wrong_password_is_told_and_the_right_one_is_let_in(look: Opener) -> None:
    sight = look()
    sight.page.goto(sight.origin)
    sight.connection("refused")
    sign_in(sight, "ann", "a wrong password")
    sight.see("dialog", "This name and password are not right")
    assert sight.page.input_value("#name") == "ann"
    assert sight.page.input_value("#password") == ""
    sign_in(sight, "ann", WORDS)
    sight.connection("connected")
    sight.clean()


def admit(fleet: Fleet, name: str, *nodes: str) -> None:
    """Let a person in, or change the nodes that they may see."""
    entry = {"role": "viewer", "nodes": list(nodes), "keys": [], "password": hashed(WORDS)}
    save_principal(
        fleet.settings.state, name, {**(load_principal(fleet.settings.state, name) or entry), "nodes": list(nodes)}
    )


def known(fleet: Fleet, name: str) -> bool:
    return name in json.loads((fleet.settings.state / "router" / "policy.json").read_text())["principals"]


def test_who_is_revoked_is_told_so_and_nothing_that_was_shown_stays(look: Opener, fleet: Fleet) -> None:
    admit(fleet, "bea", "counter")
    sight = look()
    sight.page.goto(f"{sight.origin}/#f=counter%3A%3Acount")
    sight.connection("refused")
    wait_for(lambda: known(fleet, "bea"), 5)
    sign_in(sight, "bea", WORDS)
    sight.beyond("counter::count", 5)
    sight.page.click("#rows summary")
    sight.see("#rows td.number")
    revoke(fleet.settings.state, "bea")
    sight.connection("refused")
    assert sight.text("dialog .sentence").startswith("This sign-in has ended: it has run out, or was taken back.")
    for shown in (".panel", "canvas", "#nodes li", "#rows td"):
        assert not sight.page.locator(shown).count(), shown
    admit(fleet, "bea", "counter")
    wait_for(lambda: known(fleet, "bea"), 5)
    sign_in(sight, "bea", WORDS)
    sight.connection("connected")
    sight.beyond("counter::count", 5)
    assert all("WebSocket" in each for each in sight.complaints)


def test_what_may_not_be_seen_any_more_is_gone_and_told_and_comes_back_with_the_right(
    look: Opener, fleet: Fleet
) -> None:
    admit(fleet, "kim", "counter", "oven")
    sight = look()
    sight.page.goto(f"{sight.origin}/#f=counter%3A%3Acount&f=oven%3A%3Aparity")
    sight.connection("refused")
    wait_for(lambda: known(fleet, "kim"), 5)
    sign_in(sight, "kim", WORDS)
    parity = ".panel[aria-label='oven::parity']"
    sight.see(f"{parity} .key", "odd")
    admit(fleet, "kim", "counter")
    sight.see(f"{parity} .notice", "oven is not listed for you any more")
    sight.page.locator(f"{parity} .key").filter(has_text="odd").wait_for(state="detached")
    assert sight.text(f"{parity} .value") == "–"
    assert "goes on by itself" not in sight.text(parity)
    sight.beyond("counter::count", sight.last("counter::count") + 5)
    admit(fleet, "kim", "counter", "oven")
    sight.see(f"{parity} .key", "odd")
    sight.page.locator(f"{parity} .notice").wait_for(state="detached")
    assert all("WebSocket" in each for each in sight.complaints)


def test_who_came_by_a_link_has_no_name(look: Opener) -> None:
    sight = look()
    sight.open()
    sight.connection("connected")
    sight.see("li[data-node=oven]", "oven")
    assert not sight.page.locator("#who").is_visible()
    sight.clean()
