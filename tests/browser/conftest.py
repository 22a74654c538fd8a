"""A real browser for tests of pages: Chromium, headless, and a page that keeps a record.

The browser lives as long as the tests of this folder: while Playwright's loop runs, no other
test could call `asyncio.run`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class WatchedPage:
    """A page, with what it asked for and what went wrong in it.

    Attributes:
        page: Playwright's page.
        requests: Address of every request, `data:` and `blob:` left out, in order.
        problems: Messages of console errors and warnings (refusals of the content security
            policy are among them), uncaught exceptions, and requests that failed.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self._requested(request.url))
        self.page.on("console", lambda message: self._said(message.type, message.text))
        self.page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        self.page.on("requestfailed", lambda r: self.problems.append(f"failed: {r.url[:200]}"))

    def _requested(self, url: str) -> None:
        if not url.startswith(("data:", "blob:")):
            self.requests.append(url)

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.problems.append(f"{kind}: {text}")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, or a skip that says what is missing."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="the Python package playwright is not installed"
    )
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser on PATH: none of {', '.join(_NAMES)}")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(
            executable_path=found, headless=True, args=list(_ARGUMENTS)
        )
        yield chromium
        chromium.close()


@pytest.fixture
def watched(browser: Browser) -> Iterator[WatchedPage]:
    """A fresh page of 1280 x 800 pixels that keeps a record."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(10_000)
    yield WatchedPage(context.new_page())
    context.close()
