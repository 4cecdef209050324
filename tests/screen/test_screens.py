"""What stands on the screen of a run at its stations, as text."""

from __future__ import annotations

import re

import pytest

from tests.cli.conftest import ROOT
from tests.screen.screens import FOLDER, screens

NOW = dict(screens())


@pytest.mark.parametrize("name", sorted(NOW))
def test_a_screen_is_as_it_was(name: str) -> None:
    """Looked at, and right? `python -m tests.screen.screens` writes them anew."""
    assert NOW[name] == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_there_is_no_screen_that_nobody_makes() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(NOW)


def test_the_document_shows_such_a_screen() -> None:
    assert f"```\n{NOW['at-work-80x24-utf-8']}```" in (ROOT / "docs" / "screen.md").read_text()


def test_the_document_names_every_key_and_every_line() -> None:
    text = (ROOT / "docs" / "screen.md").read_text()
    screen = NOW["at-work-80x24-utf-8"]
    keys = re.findall(r"\[(.)\]", screen)
    assert len(keys) == 7
    assert all(f"| `{key}` |" in text for key in keys)
    for name in ("waits", "next", "limits", "sent", "pace", "bad"):
        assert f"\n {name}" in screen
        assert f"| `{name}` |" in text
