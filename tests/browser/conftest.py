"""A real browser for what people open in one: Debian's Chromium, driven by Playwright. Nothing of it goes to the network.

Without one these tests are left out, and say so; with CI=true that is a failure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip
_AXE_PACKAGE = "axe_playwright_python"
_SERIOUS = {"serious", "critical"}


# Of one module, for Playwright has an event loop that counts as running as long as it is there: no other could be started.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser whose profile is new, and gone afterwards."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        why = f"none of {', '.join(_NAMES)} is on PATH: `apt-get install chromium`"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, headless=True, args=_FLAGS)
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Pages of one person."""
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page of which nothing may go wrong that its console would show: no exception, and nothing that its policy refuses."""
    opened, said = context.new_page(), list[str]()

    def keep(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            said.append(message.text)

    opened.on("console", keep)
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    assert said == []


def axe(page: Page) -> list[str]:
    """What axe finds that is serious, one line a place. It looks at the page as it is shown now."""
    spec = find_spec(_AXE_PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    # By the debugger, which no policy of the page stops.
    page.evaluate(Path(spec.origin).with_name("axe.min.js").read_text())
    found: dict[str, Any] = page.evaluate("axe.run()")
    return [
        f"{one['id']}: {one['help']}: {node['html']}"
        for one in found["violations"]
        if one["impact"] in _SERIOUS
        for node in one["nodes"]
    ]
