"""The browser that other tests here use is a real one, and what looks at pages in it sees what is wrong."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import axe

pytestmark = pytest.mark.process


def test_scripts_are_carried_out(page: Page) -> None:
    page.set_content("<p id=a>before</p><script>document.getElementById('a').textContent = 'after'</script>")
    assert page.inner_text("#a") == "after"


def test_what_is_wrong_for_a_reader_of_screens_is_found(page: Page) -> None:
    page.set_content("<html lang=en><title>t</title><main><h1>t</h1><img src='data:,'><button></button></main></html>")
    assert {line.partition(":")[0] for line in axe(page)} == {"image-alt", "button-name"}
    page.set_content("<html lang=en><title>t</title><main><h1>t</h1><button>Go</button></main></html>")
    assert axe(page) == []
