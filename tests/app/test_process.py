"""What a run does to the process that carries it out, and how it leaves that."""

from __future__ import annotations

import signal

from runner.app.signals import ENDING_SIGNALS, Signals


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
