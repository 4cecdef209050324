"""Names of jobs: never longer than the service allows, cut as little as that takes, and told by their keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.plan.keys import KEY_LENGTH, job_name, number_in, request_key, run_token
from runner.spec.rules import NAME

LONGEST = 64  # api-facts 1.1
KEY = request_key(run_token("run-1"), 7)
CHARACTERS = "-_.abzABZ059"
numbers = st.one_of(
    st.sampled_from([0, 1, 35, 36, 36**2 - 1, 36**2, 36**4 - 1, 36**4, 36**6 - 1]), st.integers(0, 36**6 - 1)
)
rendered = st.text(CHARACTERS, min_size=1, max_size=LONGEST)


@pytest.mark.parametrize("length", [1, 50, 51, 52, 53, 63, 64])
def test_a_name_is_cut_only_where_it_does_not_fit(length: int) -> None:
    """64 in all: 51 of the name that was rendered, a dash, and the 12 of the key."""
    name = ("abcdefgh" * 8)[:length]
    made = job_name(name, KEY)
    assert made == f"{name[:51]}-{KEY}"
    assert len(made) == min(length + 1 + KEY_LENGTH, LONGEST)
    assert NAME.accepts(made)


@given(rendered, st.text(), numbers)
def test_a_name_fits_and_tells_its_number(name: str, run_id: str, number: int) -> None:
    token = run_token(run_id)
    made = job_name(name, request_key(token, number))
    assert NAME.accepts(made)
    assert len(made) == min(len(name) + 1 + KEY_LENGTH, LONGEST)
    assert made.startswith(name[:51])
    assert number_in(made, token) == number


@given(rendered, numbers, numbers)
def test_names_of_one_run_are_different(name: str, one: int, other: int) -> None:
    token = run_token("run-1")
    same = job_name(name, request_key(token, one)) == job_name(name, request_key(token, other))
    assert same is (one == other)


@given(st.text(CHARACTERS, max_size=LONGEST))
def test_a_name_that_is_not_of_the_run_tells_no_number(name: str) -> None:
    token = run_token("run-1")
    assert number_in(name, token) is None
    assert number_in(f"{name}{KEY}", run_token("run-2")) is None


@pytest.mark.parametrize(
    "name", [KEY, f"x{KEY}", f"x_{KEY}", f"x-{KEY}x", f"x-{KEY[:-1]}", f"x-{KEY[:-1]}Z", f"x-{KEY[:6]}-00007"]
)
def test_what_is_not_quite_a_key_is_none(name: str) -> None:
    assert number_in(name, run_token("run-1")) is None
