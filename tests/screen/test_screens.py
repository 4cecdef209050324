"""What stands on the screen of a run at its stations, as text."""

from __future__ import annotations

import pytest

from tests.screen.screens import FOLDER, screens

NOW = dict(screens())


@pytest.mark.parametrize("name", sorted(NOW))
def test_a_screen_is_as_it_was(name: str) -> None:
    """Looked at, and right? `python -m tests.screen.screens` writes them anew."""
    assert NOW[name] == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_there_is_no_screen_that_nobody_makes() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(NOW)
