"""How long jobs take, from those seen so far."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.rules.durations import Durations


@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=300), st.floats(0, 1))
def test_quantiles_lie_among_the_recent_samples(samples: list[float], share: float) -> None:
    durations = Durations()
    for sample in samples:
        durations.add(sample)
    assert durations.quantile(share) in samples[-200:]


def test_the_last_two_hundred_jobs_count() -> None:
    durations = Durations()
    durations.add(1.0)
    for _ in range(199):
        durations.add(5.0)
    assert durations.quantile(0.0) == 1.0
    durations.add(5.0)
    assert durations.quantile(0.0) == 5.0


def test_a_quantile_is_what_that_share_of_the_jobs_stay_within() -> None:
    durations = Durations()
    assert durations.quantile(0.5) is None
    for duration_s in (30.0, 10.0, 20.0, 40.0):
        durations.add(duration_s)
    assert [durations.quantile(share) for share in (0.0, 0.2, 0.5, 0.8, 1.0)] == [10.0, 10.0, 30.0, 40.0, 40.0]
