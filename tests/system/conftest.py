"""What these tests share: a router with principals of every kind; one browser, and pages in it."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from sisock.testing import Client, Router
from sisock.uris import Uris
from tests.fleet import ROOT, Fleet
from tests.laboratory import laboratory
from tests.peers import need
from tests.system.browser import Opener, Sight, chromium


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with laboratory(tmp_path_factory.mktemp("router")) as running:
        yield running


@pytest.fixture
def join(router: Router) -> Iterator[Callable[[str], Client]]:
    """Join as a principal; every connection of the test ends with it."""
    with contextlib.ExitStack() as stack:
        yield lambda name: stack.enter_context(router.client(name))


@pytest.fixture
def uris(router: Router) -> Uris:
    return router.settings.uris


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
