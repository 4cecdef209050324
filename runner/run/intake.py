"""Whether a lane still sends, and whether it may still get jobs: two different ends.

Intake ends before the run does: what is on its way, in doubt or at work is followed to its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.run.facts import Facts, LaneFacts


def sends_no_more(facts: Facts, lane: LaneFacts) -> bool:
    """Whether nothing new is sent on the lane, whatever is left to send."""
    return facts.over or lane.stopped is not None


def nothing_left(facts: Facts, lane: LaneFacts) -> bool:
    """Whether no request of the lane may still be sent, nor come to be: a job that fails may ask for one more.

    Nor be taken in again, where a person excluded it.
    """
    # What was excluded before anybody could look may have been sent before that.
    is_hidden = lane.excluded and lane.unsurveyed_since is not None
    if lane.unsubmitted or is_hidden or (lane.excluded and _may_be_included(facts, lane)):
        return False
    rollout = facts.rollout
    follows = rollout is not None and rollout.rules.on_failure is not None
    return not (follows and (lane.in_flight or lane.doubts or lane.open))


def _may_be_included(facts: Facts, lane: LaneFacts) -> bool:
    if facts.plan.main_steps > 1 or facts.over:
        return False
    if facts.rollout is not None:
        return any(wave.excluded and wave.takes_in for wave in facts.rollout.waves)
    return bool(lane.in_flight or lane.doubts or lane.open)


def may_come_back(facts: Facts, request: int) -> bool:
    """Whether the servers of an excluded request may be taken in again, now or once the run was stopped and goes on."""
    wave = facts.rollout.waves[facts.requests.entries[request].wave] if facts.rollout else None
    return facts.plan.main_steps == 1 and (wave is None or wave.takes_in)


def jobs_may_come(facts: Facts, lane: LaneFacts) -> bool:
    """Whether a job that is not known yet may still be made, or be found, on a lane that is usable.

    After the end of intake, or an abort: by a request on its way or in doubt; by the survey of a resumed run; or by a
    request that the survey found sent already, which is in doubt as soon as the step before is over, or its server failed.
    """
    if nothing_left(facts, lane) or not facts.over:
        return not nothing_left(facts, lane)
    pending = lane.in_flight or lane.doubts or lane.unsurveyed_since is not None
    return bool(pending or ((facts.suspected or facts.foreseen) and lane.open))


def waits_for_survey(facts: Facts, lane: LaneFacts) -> bool:
    """Whether it is not known yet which requests of a resumed lane were sent. Where nothing is left, nobody looks."""
    return lane.unsurveyed_since is not None and not nothing_left(facts, lane)


def is_unsurveyed(facts: Facts) -> bool:
    """Whether that is so of a lane that can be used."""
    return any(waits_for_survey(facts, lane) and lane.stopped is None for lane in facts.lanes)


def listed_by(facts: Facts, lane: LaneFacts) -> float:
    """When every job that a create of the lane may have made unseen is listed, epoch seconds."""
    return lane.doubted_at + facts.plan.submit.settle_s


def is_past_deadline(facts: Facts, now: float, wall: float) -> bool:
    """Whether the rollout's deadline is over. Intake ends by it once all lanes are surveyed: until then it may be moved."""
    deadline = facts.rollout.deadline if facts.rollout is not None else None
    return deadline is not None and deadline.left_s(now, wall) <= 0


def is_anything_in_flight(facts: Facts) -> bool:
    """Whether anything will still come back from the service."""
    return any(map(_is_in_flight, facts.lanes))


def _is_in_flight(lane: LaneFacts) -> bool:
    """On a lane that stopped nothing is looked up, and perhaps not even watched."""
    if lane.stopped is None:
        return bool(lane.in_flight or lane.doubts or lane.open)
    return bool(lane.in_flight or (lane.open and lane.watched))
