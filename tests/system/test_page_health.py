"""A node that fails is seen to fail: in the hub's listing, by `sisock ls`, and on the page."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sisock.testing import Refused
from tests.demo import sisock, wait_for
from tests.fleet import COUNTER, Fleet, running_fleet
from tests.system.browser import Opener

FRAIL = '''
from pathlib import Path
from sisock.nodes import LiveNode, NoData

class Frail(LiveNode):
    """Fails while there is a file that says so."""

    interval = 0.1

    def sample(self):
        if Path("broken").exists():
            raise OSError("the sensor does not answer")
        return {"level": 1.0}

class Empty(LiveNode):
    """Has nothing to measure."""

    def sample(self):
        raise NoData("no sensor is plugged in")
'''
DOT = "(name) => getComputedStyle(document.querySelector(`li[data-node=${name}] .dot`)).backgroundColor"
COLOUR = """(name) => {
    const probe = document.createElement("i");
    probe.style.background = `var(--${name})`;
    document.body.append(probe);
    return getComputedStyle(probe).backgroundColor;
}"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("health")) as fleet:
        fleet.node("counter", COUNTER)
        fleet.node("frail", FRAIL)
        wait_for(lambda: said(fleet).get("empty") == "no data" and {"counter", "frail"} <= set(said(fleet)), 30)
        yield fleet


def said(fleet: Fleet) -> dict[str, str]:
    """What the hub lists of the health of each node."""
    with fleet.router.client("cli") as client:
        try:
            listed = client.call(fleet.settings.uris.hub_nodes)
        except Refused:  # no hub yet
            return {}
    return {each["name"]: each["info"].get("health", "") for each in listed if each["state"] == "up"}


def breaks(fleet: Fleet) -> None:
    """Have the node fail, and wait until the hub knows."""
    (fleet.folder / "broken").touch()
    wait_for(lambda: said(fleet).get("frail") == "failed", 30)


def test_ls_tells_of_nodes_that_are_not_well(fleet: Fleet) -> None:
    breaks(fleet)
    listed = sisock(fleet.settings.state, "ls", SISOCK_ROUTER=fleet.settings.url).stdout
    assert re.search(r"^frail +up, failed .*\n  OSError: the sensor does not answer", listed, re.MULTILINE)
    assert re.search(r"^empty +up, no data .*\n  no sensor is plugged in$", listed, re.MULTILINE)
    assert re.search(r"^counter +up +\d", listed, re.MULTILINE)
    known = sisock(fleet.settings.state, "ls", "--json", SISOCK_ROUTER=fleet.settings.url).stdout
    why = {each["name"]: each["why"] for each in json.loads(known)}
    assert (why["empty"], why["counter"]) == ("no sensor is plugged in", None)


def test_the_filter_finds_fields_of_health_only_where_it_names_them(look: Opener) -> None:
    sight = look()
    sight.open("counter::count")
    sight.page.click("li[data-node=counter] summary")
    sight.see("li[data-node=counter] .row", "health.took")
    for text, shown in {"temp": 0, "coun": 6, "cou nt": 0, "health": 3, "health.t": 1, "parit": 1, "": 6}.items():
        sight.page.fill("#filter", text)
        assert sight.page.locator("li[data-node=counter] .row:visible").count() == shown, text
    sight.clean()


def test_an_arrow_shows_that_nodes_open(look: Opener) -> None:
    sight = look()
    sight.open("counter::count", span=60_000)
    sight.see("li[data-node=empty]")
    arrow = """() => {
        const { content, borderLeftWidth, transform } = getComputedStyle(document.querySelector("li[data-node=empty] summary"), "::before");
        return [content !== "none" && parseFloat(borderLeftWidth) > 0, transform];
    }"""
    there, closed = sight.page.evaluate(arrow)
    assert there
    sight.page.click("li[data-node=empty] summary")
    there, opened = sight.page.evaluate(arrow)
    assert there
    assert opened != closed
    sight.clean()


def test_a_failing_node_does_not_look_well_on_the_page(look: Opener, fleet: Fleet) -> None:
    breaks(fleet)
    sight = look()
    sight.open("counter::count")
    sight.see("li[data-node=frail][data-state=up] summary .note", "failed")
    sight.see("li[data-node=empty][data-state=up] summary .note", "no data")
    sight.see("li[data-node=counter][data-state=up] summary .note", "up")
    colours = {name: sight.page.evaluate(COLOUR, name) for name in ("good", "warn", "bad")}
    shown = {name: sight.page.evaluate(DOT, name) for name in ("counter", "empty", "frail")}
    assert shown == {"counter": colours["good"], "empty": colours["warn"], "frail": colours["bad"]}
    sight.page.click("li[data-node=frail] summary")
    sight.see("li[data-node=frail] .health", "failed: OSError: the sensor does not answer")
    (fleet.folder / "broken").unlink()
    sight.see("li[data-node=frail] summary .note", "up")
    assert sight.page.evaluate(DOT, "frail") == colours["good"]
    wait_for(lambda: said(fleet)["frail"] == "", 30)
    sight.clean()
