"""Which requests must be over before another may be sent: a server goes on only after its step before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.plan.plan import Plan


def prerequisites(plan: Plan) -> Iterator[Sequence[int]]:
    """For each request of the plan, in order, the requests of the step before that hold its servers.

    Requests of a group and step are consecutive slices of the group's servers, so these are consecutive, too.
    """
    by_step: dict[tuple[int, int], list[int]] = {}
    for index, request in enumerate(plan.requests):
        by_step.setdefault((request.group, request.step), []).append(index)
    for request in plan.requests:
        earlier = by_step.get((request.group, request.step - 1))
        if not earlier:
            yield ()
            continue
        size = plan.requests[earlier[0]].stop - plan.requests[earlier[0]].start
        yield earlier[request.start // size : (request.stop - 1) // size + 1]
