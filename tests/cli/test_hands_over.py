"""A few rounds of `python -m tests.hands_over`."""

from __future__ import annotations

import pytest

from tests.hands_over import tell

pytestmark = pytest.mark.process


@pytest.mark.parametrize("seed", [3, 7])
def test_a_run_that_changes_hands_makes_each_job_once(seed: int) -> None:
    did = tell(seed, 1)
    assert did["tried"]
