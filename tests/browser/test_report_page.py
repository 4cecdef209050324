"""The report as a page, in a real browser: what people do with it, and what the texts in it must not do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from runner.report.fold import RunReport, fold
from runner.report.format_names import ReportFormat
from runner.report.formats import Pieces
from tests.browser.conftest import axe
from tests.made_run import MadeRun, made_run
from tests.report.test_formats import HOSTILE, hostile_run

pytestmark = pytest.mark.process

MOST_S, MOST_BYTES = 2.0, 10_000_000
Open = Callable[[Page], Page]
ROWS = "#servers tbody tr:not(.pad)"


def written(folder: Path, run: MadeRun) -> Path:
    path = folder / "report.html"
    path.write_bytes(
        b"".join(Pieces(RunReport(fold(run.plan, run.events), "20260101-000000-abcdef"), ReportFormat.HTML))
    )
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("small"), made_run())


def opened(page: Page, path: Path) -> Page:
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")
    return page


def names(page: Page) -> list[str]:
    return page.locator(f"{ROWS} td:first-child").all_inner_texts()


def told(page: Page) -> str:
    return page.inner_text("#count")


def test_the_page_tells_how_it_ended_and_what_to_type(page: Page, small: Path) -> None:
    opened(page, small)
    assert page.title() == page.inner_text("h1") == "c: finished (20260101-000000-abcdef)"
    assert page.inner_text(".verdict .state") == "FINISHED, 21 abnormal"
    assert page.inner_text("pre") == "runner retry 20260101-000000-abcdef   # 16 failed, 5 timed out"
    assert page.locator("h2").all_inner_texts() == [
        "Next", "Servers over time", "Waves", "Why", "By rack", "Evidence against the change", "Limits", "Decisions", "Servers",
    ]  # fmt: skip
    assert page.get_by_role("img", name="Servers over time. At the end of 600: 579 succeeded").count() == 1
    assert page.locator(".racks li.bad3").all_inner_texts() == ["16\nr0003"]
    assert page.get_by_role("row").filter(has_text="mira").all_inner_texts() == [
        "3	2026-09-21 14:21:25 UTC	canary	approve		mira	looked at the dashboard"
    ]


def test_abnormal_servers_come_first_and_only_what_is_seen_is_drawn(page: Page, small: Path) -> None:
    opened(page, small)
    assert told(page) == "600 of 600 servers"
    outcomes = page.locator(f"{ROWS} td:nth-child(3)").all_inner_texts()
    assert 10 < len(outcomes) < 60
    assert set(outcomes[:21]) == {"failed", "timed out"}


def test_words_filter_and_a_label_is_asked_for_exactly(page: Page, small: Path) -> None:
    opened(page, small)
    page.fill("#filter", "rack=r0003 failed")
    assert told(page) == "16 of 600 servers"
    assert page.locator(ROWS).count() == 16
    page.fill("#filter", "rack=r000")
    assert told(page) == "0 of 600 servers"
    page.fill("#filter", "FIRMWARE 10.0.3.")
    assert told(page) == "16 of 600 servers"
    page.fill("#filter", "")
    page.select_option("#outcome", "timed out")
    assert told(page) == "5 of 600 servers"


def test_columns_sort_numbers_by_their_value_and_say_so(page: Page, small: Path) -> None:
    opened(page, small)
    head = page.locator("#servers th", has_text="server")
    head.get_by_role("button").click()
    assert (names(page)[:3], head.get_attribute("aria-sort")) == (
        ["npu-000000", "npu-000001", "npu-000002"],
        "ascending",
    )
    head.get_by_role("button").click()
    assert (names(page)[0], head.get_attribute("aria-sort")) == ("npu-000599", "descending")
    page.locator("#servers th", has_text="wave").get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "none"


def test_everything_is_done_by_the_keyboard_alone(page: Page, small: Path) -> None:
    opened(page, small)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the servers"
    page.keyboard.press("Enter")
    page.focus("#filter")
    page.keyboard.type("ramp-3")
    page.keyboard.press("Tab")
    page.keyboard.press("f")
    assert told(page) == "8 of 600 servers"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "servers"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("#servers th").first.get_attribute("aria-sort") == "ascending"


def test_the_end_of_the_list_is_reached_by_scrolling(page: Page, small: Path) -> None:
    opened(page, small)
    page.locator("#servers th").first.get_by_role("button").click()
    page.focus("#servers")
    page.keyboard.press("End")
    page.get_by_role("cell", name="npu-000599").wait_for()
    assert page.locator(ROWS).last.get_attribute("aria-rowindex") == "601"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_serious(page: Page, small: Path, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, small)
    assert axe(page) == []
    page.fill("#filter", "nothing like it")
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_paper_has_all_that_was_chosen_in_dark_ink(page: Page, small: Path) -> None:
    page.emulate_media(color_scheme="dark")
    opened(page, small)
    page.fill("#filter", "ramp-3")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(ROWS).count() == 313
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert not page.is_visible("#filter")
    page.emulate_media(media="null")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(ROWS).count() < 60
    assert page.pdf().count(b"/Type /Page\n") > 5


def test_without_scripts_the_first_abnormal_servers_are_there(browser: Browser, small: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(small.as_uri())
    assert page.locator("#servers tbody tr").count() == 21
    assert "Without JavaScript only the first 21" in page.inner_text("noscript")
    assert not page.is_visible("#filter")
    context.close()


def test_nothing_is_asked_of_anywhere(context: BrowserContext, page: Page, small: Path) -> None:
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    opened(page, small)
    page.fill("#filter", "r0003")
    assert asked == [small.as_uri()]


def test_hostile_text_is_text(page: Page, tmp_path: Path) -> None:
    opened(page, written(tmp_path, hostile_run()))
    page.fill("#filter", "alert(1)")
    assert "</script><script>alert(1)</script>" in names(page)
    assert page.locator("script").count() == 2
    assert page.locator("a").count() == 1
    assert HOSTILE[0] in page.title()
    shown = page.inner_text("body")
    assert not any(character in shown for character in "\x00\x07\x1b\u202e")
    assert axe(page) == []


def test_the_policy_stops_what_was_not_written_here(browser: Browser, tmp_path: Path, small: Path) -> None:
    changed = tmp_path / "changed.html"
    changed.write_text(small.read_text().replace("</main>", "<script>document.title = 'mine'</script></main>"))
    page = browser.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    opened(page, changed)
    assert page.title() == "c: finished (20260101-000000-abcdef)"
    assert any("Content Security Policy" in text for text in refused)
    with pytest.raises(Exception, match="TrustedHTML"):
        page.evaluate("document.body.innerHTML = '<b>x</b>'")
    page.close()


def test_a_page_of_a_hundred_thousand_servers_opens_and_filters_in_time(page: Page, tmp_path: Path) -> None:
    path = written(tmp_path, made_run(100_000))
    assert path.stat().st_size < MOST_BYTES
    began = time.monotonic()
    opened(page, path)
    opening, began = time.monotonic() - began, time.monotonic()
    page.fill("#filter", "rack=r0003 failed")
    page.wait_for_function("document.getElementById('count').textContent === '14 of 100,000 servers'")
    filtering = time.monotonic() - began
    assert (opening < MOST_S, filtering < MOST_S) == (True, True), (opening, filtering)
    page.locator("#servers th", has_text="id").get_by_role("button").click()
    assert page.locator(ROWS).count() == 14
