"""A real Chromium on the real page: what it shows, what it asked, what it complained of."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import cbor2
from playwright.sync_api import Browser, Locator, Page, WebSocket, sync_playwright

from sisock.keys import new_page_token
from sisock.settings import Settings

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
PATIENCE = 30_000  # ms
_COLOURED = """([place, name]) => {
    const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
    probe.fillRect(0, 0, 1, 1);
    const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
    const canvas = document.querySelector(`${place} canvas`);
    if (!canvas) return 0;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let n = 0;
    for (let i = 0; i < data.length; i += 4) n += Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 90;
    return n;
}"""


class Sight:
    """One page in a browser of its own, signed in or not."""

    def __init__(self, browser: Browser, settings: Settings, **context: Any) -> None:
        """Open nothing yet. `context` is what playwright's contexts take: viewport, color_scheme."""
        self.settings = settings
        self.origin = f"http://127.0.0.1:{settings.router_port}"
        self.page: Page = browser.new_context(**context).new_page()
        self.page.set_default_timeout(PATIENCE)
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        self.asked = 0  # questions for data
        self.live: set[str] = set()  # topics of live frames that it listens to
        self.most = 0  # questions for data to one node at once
        self._open: dict[int, str] = {}  # request -> URI
        self._topics: dict[int, str] = {}  # request or subscription -> topic
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("websocket", self._watch)

    def _watch(self, socket: WebSocket) -> None:
        self.hosts.add(urlsplit(socket.url).netloc)
        socket.on("framesent", lambda payload: self._sent(_message(payload)))
        socket.on("framereceived", lambda payload: self._received(_message(payload)))

    def _sent(self, message: list[Any]) -> None:
        """Note what it asks for and listens to."""
        match message:
            case [48, request, _, uri, *_] if uri.endswith(".get_data"):
                self.asked += 1
                self._open[request] = uri
                self.most = max(self.most, list(self._open.values()).count(uri))
            case [32, request, _, topic] if topic.endswith(".live"):
                self._topics[request] = topic
                self.live.add(topic)
            case [34, _, subscription]:
                self.live.discard(self._topics.get(subscription, ""))

    def _received(self, message: list[Any]) -> None:
        match message:
            case [50, request, details, *_] if not details.get("progress"):
                self._open.pop(request, None)
            case [8, 48, request, *_]:
                self._open.pop(request, None)
            case [33, request, subscription] if request in self._topics:
                self._topics[subscription] = self._topics[request]

    def open(self, *targets: str, token: str | None = None, **more: object) -> None:
        """Open the page with a fresh token (or this one), showing these fields."""
        shown = "".join(f"&f={quote(target, safe='')}" for target in targets)
        said = "".join(f"&{name}={value}" for name, value in more.items())
        self.page.goto(f"{self.origin}/#token={token or self.token()}{shown}{said}")

    def token(self) -> str:
        """A new one-time token."""
        return new_page_token(self.settings.state)

    def see(self, selector: str, text: str | re.Pattern[str] = "") -> Locator:
        """Wait until something is to be seen, and has this text."""
        found = self.page.locator(selector).filter(has_text=text).first
        found.wait_for()
        return found

    def connection(self, state: str) -> None:
        """Wait until the connection is in this state."""
        self.page.locator(f"#connection[data-state={state}]").wait_for(timeout=30_000)

    def text(self, selector: str) -> str:
        """The text of the first such element, with plain spaces."""
        return self.page.locator(selector).first.inner_text().replace("\u202f", " ")

    def until(self, condition: str, argument: object = None) -> None:
        """Wait until a condition holds in the page."""
        self.page.wait_for_function(condition, arg=argument, timeout=PATIENCE)

    def ink(self, place: str = ".panel", colour: str = "--series-1") -> int:
        """Pixels of a chart in about this colour: lines are smoothed."""
        return int(self.page.evaluate(_COLOURED, [place, colour]))

    def drawn(self, place: str = ".panel", colour: str = "--series-1", least: int = 100) -> None:
        """Wait until at least so many pixels of a chart have this colour."""
        self.until(f"([place, name, least]) => ({_COLOURED})([place, name]) >= least", [place, colour, least])

    def last(self, target: str) -> float:
        """The last value of a field of numbers that is drawn; waits until there is one."""
        text = "document.querySelector(`[data-target='${target}'] .value`)?.textContent.replace(/\\s/g, '')"
        found = self.page.wait_for_function(
            f"(target) => {{ const text = {text}; return text ? [Number(text)] : null; }}", arg=target, timeout=PATIENCE
        )
        return float(found.json_value()[0])

    def beyond(self, target: str, least: float) -> None:
        """Wait until the last value of a field is greater."""
        value = "document.querySelector(`[data-target='${target}'] .value`)?.textContent.replace(/\\s/g, '')"
        self.until(f"([target, least]) => Number({value}) > least", [target, least])

    def clean(self) -> None:
        """Fail if anything came from elsewhere, or the console has an error."""
        assert self.hosts == {urlsplit(self.origin).netloc}
        assert self.complaints == []


def _message(payload: str | bytes) -> list[Any]:
    """A WAMP message."""
    return list(cbor2.loads(payload if isinstance(payload, bytes) else payload.encode()))


Opener = Callable[..., Sight]  # opens a page; takes what playwright's contexts take


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """The browser, for as long as the block lasts."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
