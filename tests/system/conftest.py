"""What the tests of the page share: one browser, and pages in it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.fleet import ROOT, Fleet
from tests.peers import need
from tests.system.browser import Opener, Sight, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(need("chromium")) as browser:
        yield browser


@pytest.fixture(scope="module")
def built() -> Path:
    """The page, bundled."""
    subprocess.run([sys.executable, str(ROOT / "js" / "build.py")], check=True, timeout=300)
    return ROOT / "js" / "dist"


@pytest.fixture
def look(browser: Browser, fleet: Fleet) -> Iterator[Opener]:
    """Opens pages of the module's fleet."""
    sights: list[Sight] = []

    def opened(**context: Any) -> Sight:
        sights.append(Sight(browser, fleet.settings, **{"viewport": {"width": 1440, "height": 900}, **context}))
        return sights[-1]

    yield opened
    for sight in sights:
        sight.page.context.close()
