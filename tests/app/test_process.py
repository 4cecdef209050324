"""What a run does to the process that carries it out, and how it leaves that."""

from __future__ import annotations

import signal

import pytest

from runner.app.process import first_error
from runner.app.signals import ENDING_SIGNALS, Signals
from runner.errors import RefusedToStart


def ignored(number: int, frame: object) -> None:
    """As the program has it before a run and after it: not the system's own way, which would end it without a word."""


async def test_after_a_run_signals_do_what_they_did_before_it() -> None:
    before = {number: signal.signal(number, ignored) for number in ENDING_SIGNALS}
    try:
        with Signals():
            assert signal.getsignal(signal.SIGHUP) is not ignored
        assert {signal.getsignal(number) for number in ENDING_SIGNALS} == {ignored}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ([KeyError("a bug"), RefusedToStart("as foreseen"), SystemExit(1)], RefusedToStart),
        ([KeyError("a bug"), SystemExit(1)], SystemExit),
        ([KeyError("a bug"), ExceptionGroup("inner", [ValueError("another")])], KeyError),
    ],
)
def test_of_several_errors_that_is_told_which_says_most(errors: list[BaseException], told: type[BaseException]) -> None:
    assert isinstance(first_error(BaseExceptionGroup("all", [BaseExceptionGroup("a lane", errors)])), told)
