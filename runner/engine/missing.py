"""Looks in the job list for jobs that were accepted and that the service does not know when it is asked for them."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

from runner.rules.answers import ReadFailed
from runner.rules.names import ShownNames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.engine.lane import LaneContext
    from runner.engine.lookups import Lookups
    from runner.model import JobRow


class SeenInList(NamedTuple):
    """The rows that are about one request; `unproven` is why there may be others all the same."""

    rows: Sequence[JobRow]
    unproven: str | None


async def seen_in_list(lane: LaneContext, lookups: Lookups, requests: Sequence[int]) -> dict[int, SeenInList]:
    """What the list shows of the jobs of each of these requests, by their names."""
    seen: dict[int, SeenInList] = {}
    async with aclosing(lookups.of(requests)) as answers:
        async for answer in answers:
            if isinstance(answer.rows, ReadFailed):
                why = f"it could not be read: {answer.rows.error.message}"
                seen |= {request: SeenInList((), why) for request in answer.requests}
                continue
            shown = ShownNames(answer.rows)
            for request in answer.requests:
                name = lane.job_name_of(request)
                rows = shown.of(name)
                unproven = None
                if not rows:
                    unproven = answer.unproven or shown.cut(name, lane.known.manner, lane.known.is_known)
                seen[request] = SeenInList(rows, unproven)
    return seen
