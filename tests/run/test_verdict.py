"""How a run ends, in its state, its reason and its exit code."""

from __future__ import annotations

from runner.errors import ExitCode
from runner.model import RunState
from runner.run import events as e
from runner.run.unsure import unsure_requests
from runner.run.verdict import verdict
from tests.conftest import small_plan
from tests.run.by_hand import BROKEN, ByHand


def two(*, watched: bool = True) -> ByHand:
    """Two requests of two servers each."""
    return ByHand(small_plan((4,), (2,)), watched=watched)


def ended(run: ByHand) -> tuple[RunState, ExitCode]:
    state, _, code = verdict(run.facts)
    return state, code


def test_all_that_succeeded_is_well_but_for_a_job_too_many() -> None:
    run = two()
    run.do(0, "ss")
    run.do(1, "ss")
    assert ended(run) == (RunState.FINISHED, ExitCode.OK)
    run.record(e.Doubled(run.now, 1, ("job-1", "another")))
    assert ended(run) == (RunState.FINISHED, ExitCode.ABNORMAL)
    assert "more may have been done than was asked for" in verdict(run.facts).reason


def test_an_abort_is_over_once_nothing_is_at_work_nor_in_doubt() -> None:
    run = two()
    run.send(0)
    run.record(e.Intended(run.now, 1), e.InDoubt(run.now, 1, BROKEN))
    run.ask("abort")
    run.settle(0, "ss")
    run.stop_lane(0)
    assert ended(run) == (RunState.UNUSABLE, ExitCode.UNUSABLE)  # what is in doubt is looked up by a resume
    run.record(e.NotFound(run.now, 1))
    assert ended(run) == (RunState.ABORTED, ExitCode.ABORTED)


def test_an_end_of_intake_that_kept_nothing_from_being_done_is_none() -> None:
    run = two()
    run.do(0, "ss")
    run.send(1)
    run.record(e.IntakeEnded(run.now, "enough"))
    run.settle(1, "ss")
    assert ended(run) == (RunState.FINISHED, ExitCode.OK)
    run = two()
    run.do(0, "ss")
    run.record(e.IntakeEnded(run.now, "enough"))
    assert ended(run) == (RunState.STOPPED, ExitCode.STOPPED)
    assert verdict(run.facts).reason == "enough: 1 of 2 requests were not sent"


def test_jobs_that_are_not_watched_are_submitted_and_well_if_nothing_is_wrong_so_far() -> None:
    run = two(watched=False)
    run.send(0, 1)
    assert ended(run) == (RunState.SUBMITTED, ExitCode.OK)
    run.record(e.Doubled(run.now, 1, ("job-1", "another")))
    assert ended(run) == (RunState.SUBMITTED, ExitCode.ABNORMAL)
    run = two(watched=False)
    run.send(0)
    run.refuse(1)
    assert ended(run) == (RunState.SUBMITTED, ExitCode.ABNORMAL)


def test_of_a_request_that_was_split_and_has_a_job_after_all_every_server_is_held() -> None:
    run = ByHand(small_plan((4,), (4,)))
    run.record(e.Intended(run.now, 0), e.InDoubt(run.now, 0, BROKEN), e.NotFound(run.now, 0), e.Split(run.now, 0, 2))
    for piece in run.facts.requests.pieces[0]:
        run.do(piece, "ss")
    assert list(unsure_requests(run.facts)) == []
    run.record(e.Doubled(run.now, 0, ("late",)))
    ((request, servers),) = unsure_requests(run.facts)
    assert (request, [server.id for server in servers]) == (0, ["g0-s0", "g0-s1", "g0-s2", "g0-s3"])
