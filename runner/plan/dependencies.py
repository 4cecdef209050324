"""Which requests must be over before another may be sent: a server goes on only after its step before."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.plan.plan import Plan


def prerequisites(plan: Plan) -> Iterator[Sequence[int]]:
    """For each request of the plan, in order, the requests of the step before that hold its servers.

    Requests of a group and step are consecutive slices of the group's servers, so these are consecutive, too;
    slices need not be of one size.
    """
    by_step: dict[tuple[int, int], list[int]] = {}
    for index, request in enumerate(plan.requests):
        by_step.setdefault((request.group, request.step), []).append(index)
    stops = {key: [plan.requests[index].stop for index in indices] for key, indices in by_step.items()}
    for request in plan.requests:
        key = (request.group, request.step - 1)
        # Steps that only the rollout asks for begin when it says so.
        earlier = by_step.get(key) if request.step < plan.main_steps else None
        if not earlier:
            yield ()
            continue
        first = bisect_right(stops[key], request.start)
        last = bisect_left(stops[key], request.stop)
        yield earlier[first : last + 1]
