"""The page in a browser: over ``zero up`` with a day of logs, and over an api in memory for what only an ill platform shows."""

import asyncio
import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from bench.sample_logs import sample_logs
from tests.e2e.test_up import Platform
from tests.patience import READY_SECONDS_MAX
from tests.unit.interfaces.api.conftest import NOW_S, Api
from zero.infrastructure.memory import ManualClock
from zero.interfaces.api.options import ApiOptions
from zero.interfaces.api.server import serve

PATIENCE_MS = READY_SECONDS_MAX * 1000
LINES = 3000
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLACES = ("/Applications/Chromium.app/Contents/MacOS/Chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
REFUSED = "Failed to load resource"
"""What the browser itself writes for an answer that is no success: the page shows those in its own words."""


def chromium() -> str:
    """Return the browser of this machine. ``make test`` installs one where the package manager has one that runs."""
    found = next(filter(None, map(shutil.which, NAMES)), None) or next(filter(os.path.exists, PLACES), None)
    if found is None:
        pytest.skip("no Chromium or Chrome here: sh deploy/machine.sh test-packages")
    return found


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = chromium()
    options = ["--disable-dev-shm-usage", "--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


class Shop(Platform):
    """``zero up`` with a day of the sample logs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment["ZERO_INGEST_WORKERS"] = "1"

    def send(self, logs: list[dict[str, Any]]) -> None:
        status, receipt = self.post(logs)
        assert (status, receipt["rejected"]) == (202, 0), receipt

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        request = Request(f"{self.api}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def stored(self) -> int:
        return int(self.get("/api/stats")["stored"])


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Shop]:
    platform = Shop(tmp_path_factory.mktemp("shop"))
    try:
        platform.up()
        platform.send(list(sample_logs(LINES)))
        platform.until(lambda: platform.stored() == LINES, READY_SECONDS_MAX)
        platform.until(lambda: len(platform.get("/api/patterns?limit=100&from=-2d")["patterns"]) > 10, READY_SECONDS_MAX)
        yield platform
    finally:
        if platform.process is not None:
            platform.process.terminate()
            platform.process.wait(60)
            platform.log.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 860}, timezone_id="UTC", locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab; whatever the page throws or the browser complains about fails the test."""
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    yield page
    assert [text for text in complaints if not text.startswith(REFUSED)] == []


@pytest.fixture
def visit(page: Page, shop: Shop) -> Callable[[str], Page]:
    """Return what opens the page at a place, ready to be used."""

    def visit(place: str = "") -> Page:
        page.goto(f"{shop.api}/{place}")
        page.wait_for_selector("html[data-started]")
        return page

    return visit


class PacedClock(ManualClock):
    """Stands still, but waits: who polls shall not spin."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.1))


class ServedApi(Api):
    """An api over memory, on a socket."""

    def __init__(self) -> None:
        super().__init__(PacedClock(NOW_S * 10**9))
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.sock.getsockname()[1]}"
        self.loop = asyncio.new_event_loop()
        self.stop = asyncio.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        self.loop.run_until_complete(self.serve())
        self.loop.close()

    async def serve(self) -> None:
        await self.keys.refresh()
        await serve(self.services, ApiOptions(), [self.sock], self.stop)
        await self.client.aclose()

    def do(self, work: Any) -> Any:
        """Run a coroutine where the api runs."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(READY_SECONDS_MAX)


@pytest.fixture
def served() -> Iterator[ServedApi]:
    api = ServedApi()
    api.thread.start()
    yield api
    api.loop.call_soon_threadsafe(api.stop.set)
    api.thread.join(READY_SECONDS_MAX)


def shown(page: Page) -> dict[str, str]:
    """Return the parameters in the address."""
    text = page.evaluate("JSON.stringify(Object.fromEntries(new URLSearchParams(location.hash.split('?')[1] ?? '')))")
    return dict(json.loads(text))
