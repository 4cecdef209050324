"""What stands on the screen while busy servers are waited for."""

from __future__ import annotations

from runner.cli.news import Newsroom
from runner.rules.answers import Cause
from runner.run import events as e
from tests.conftest import small_plan
from tests.run.by_hand import BROKEN, ByHand

ENDS = "next: the end of the run, when all servers are over"


def test_busy_servers_are_told_of_as_long_as_they_are_waited_for() -> None:
    run = ByHand(small_plan((4,), (2,)))
    room = Newsroom("run-1", run.facts, run.look)
    run.record(e.Intended(1000.0, 0), e.Refused(1000.0, 0, Cause.BUSY, BROKEN, 1005.0))
    assert room.standing() == [
        "up to 2 servers are in another operation (since 00:16:40 UTC, until 00:16:45 UTC)",
        ENDS,
    ]
    run.record(e.Split(1005.0, 0, 1), e.SetAside(1005.0, 3, Cause.BUSY, BROKEN, 1010.0))
    assert room.standing() == ["1 server is in another operation (since 00:16:45 UTC, until 00:16:50 UTC)", ENDS]
    item = room.item(run.events[-1])
    assert item is not None
    assert item.line == "left out of a request, tried again later: g0-s1: made up"
    run.send(3)
    assert room.standing() == [ENDS]
