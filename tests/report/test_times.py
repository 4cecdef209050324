"""Times in reports are those that the standard library would write."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from runner.report.times import rfc3339


@given(at=st.floats(0, 253_402_300_799))
@example(at=0.9999996)
@example(at=1755005748.2015)
@example(at=0.0)
def test_a_time_is_as_the_standard_library_writes_it(at: float) -> None:
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    assert rfc3339(at) == text.replace("+00:00", "Z")


def test_no_time_is_none() -> None:
    assert rfc3339(None) is None
