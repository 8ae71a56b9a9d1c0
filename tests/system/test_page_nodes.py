"""The page with the nodes that come with sisock, at several sizes."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet import Fleet, running_fleet
from tests.peers import need
from tests.system.browser import Opener

PICTURES = os.environ.get("PICTURES")  # PICTURES=docs/images keeps the pictures of the docs
TOLD = re.compile(r"raw|minmax")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Fleet]:
    """The nodes that come with sisock, as `sisock up` runs them."""
    with running_fleet(
        tmp_path_factory.mktemp("laboratory"), {"page": {"role": "consumer", "sensitive": True}}
    ) as fleet:
        for name in ("host", "lsof", "sensors", "weather"):
            fleet.run(name, "-m", "sisock", "node", name)
        yield fleet


def test_records_are_rows(look: Opener) -> None:
    need("lsof")
    sight = look()
    sight.open("lsof::command", "lsof::user", "lsof::name")
    sight.page.locator("#rows[open]").wait_for()
    sight.page.fill("#rows input", "crossbar")
    sight.see("#rows td", "crossbar")
    sight.see("#rows .note", re.compile(r"\d rows"))
    sight.clean()


def test_the_page_opens_with_something_that_moves(look: Opener) -> None:
    sight = look()
    sight.open()
    sight.see("li[data-node=host][data-state=up] .row", "cpu")
    sight.see("[data-target^='host::'] .value", re.compile(r"\d"))
    sight.drawn(least=20)
    sight.clean()


@pytest.mark.parametrize(
    ("width", "height", "scheme"),
    [(1440, 900, "light"), (768, 1024, "dark"), (360, 740, "light"), (1920, 1080, "dark")],
)
def test_it_fits_every_screen(look: Opener, tmp_path: Path, width: int, height: int, scheme: str) -> None:
    sight = look(viewport={"width": width, "height": height}, color_scheme=scheme)
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
    sight.until("() => !document.querySelector('.busy')")
    sight.page.screenshot(path=Path(PICTURES or tmp_path) / f"page-{width}x{height}.png")
    sight.clean()
