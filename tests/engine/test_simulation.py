"""Two hundred seeds of whole runs: fixed ones, and new ones each day."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from tests.engine.simulation import first_failure

TODAY = int(os.environ.get("RUNNER_SEED", f"{datetime.now(UTC):%Y%m%d}000"))
EACH = 25


@pytest.mark.parametrize("first", [*range(0, 50, EACH), *range(TODAY, TODAY + 150, EACH)])
def test_no_story_breaks_a_promise(first: int) -> None:
    said: list[str] = []
    assert first_failure(first, EACH, said.append) is None, said
