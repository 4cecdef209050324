"""What a run leaves to the next one of a limit: a help, never more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.rules.learned import Learned, begins_at, read_learned
from runner.rules.learning import Learner

DAY = 86_400.0
rates = st.floats(1e-3, 1e5)


@given(rates, st.floats(0, 4e9))
def test_it_is_read_as_it_was_written(rate: float, at: float) -> None:
    assert read_learned(Learned(rate, at).text()) == Learned(rate, at)


@given(st.one_of(st.none(), st.text(), st.sampled_from(["nan 1", "1 inf", "-1 2", "0 1", "1", "1 2 3"])))
def test_whatever_else_is_there_is_no_limit(text: str | None) -> None:
    learned = read_learned(text)
    assert learned is None or learned.rate > 0


@pytest.mark.parametrize(
    ("age_s", "rate"), [(0.0, 5.0), (DAY, 5.0), (DAY + 1, 10.0), (-60.0, 10.0), (30 * DAY, 10.0), (31 * DAY, None)]
)
def test_after_a_day_it_is_a_hint_and_after_a_month_nothing(age_s: float, rate: float | None) -> None:
    assert begins_at(Learned(5.0, 1e9), 50.0, 1e9 + age_s) == rate


@given(rates, rates)
def test_it_is_never_above_what_is_asked_for(rate: float, asked: float) -> None:
    begins = begins_at(Learned(rate, 0.0), asked, 0.0)
    assert begins is None or begins < asked
    assert Learner(asked, begins_at=begins).rate <= asked
