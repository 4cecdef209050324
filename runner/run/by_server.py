"""How each server came out of a run: what counts where several runs had the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.model import Outcome
from runner.plan.digests import LaneServer
from runner.run.by_request import by_request
from runner.run.unsure import UNSURE

if TYPE_CHECKING:
    from runner.run.facts import Facts

_NOT_SENT = frozenset({Outcome.NOT_STARTED, Outcome.EXCLUDED})


class ServerStanding(NamedTuple):
    """How a server came out of a run.

    `step` is the name of the step that it did not get through, or of the last. `touched`: a job of the run was, or may
    have been, at work on it; where none was, the run tells nothing of the server. `request` is that of this step, and
    `is_unsure` whether a job of it may be at work still.
    """

    outcome: Outcome
    step: str
    touched: bool
    request: int
    is_unsure: bool


def by_server(facts: Facts) -> dict[LaneServer, ServerStanding]:
    """The standing of every server of a run."""
    found: dict[LaneServer, ServerStanding] = {}
    for standing in by_request(facts):
        request = standing.request
        if not facts.is_main(request):
            continue
        lane = facts.plan.lanes[facts.lane_index(request)].label
        step, in_conflict = facts.plan.steps[facts.requests.entries[request].step], request in facts.conflict_jobs
        for server, outcome in zip(standing.servers, standing.outcomes, strict=True):
            key = LaneServer(lane, server.id)
            before = found.get(key)  # of an earlier step, which it got through
            touched = outcome not in _NOT_SENT or (before is not None and before.touched)
            found[key] = ServerStanding(outcome, step, touched, request, in_conflict or outcome in UNSURE)
    return found
