"""People at the page: they sign in by name and password, see what they may, and sign out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sisock.keys.passwords import hashed
from sisock.keys.tokens import sessions
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


def test_who_came_by_a_link_has_no_name(look: Opener) -> None:
    sight = look()
    sight.open()
    sight.connection("connected")
    sight.see("li[data-node=oven]", "oven")
    assert not sight.page.locator("#who").is_visible()
    sight.clean()
