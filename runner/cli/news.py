"""What a person is told of a run while it goes on: which events are news, in which words, and how the run stands."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from runner.cli.call_news import CALLS
from runner.cli.news_item import NewsItem, error_fields, event_fields
from runner.model import Outcome
from runner.report.next_steps import commands_of
from runner.report.outages import failing_lines
from runner.report.standing_text import clock_text, standing_lines
from runner.report.troubles_seen import TroublesSeen
from runner.rules.outcomes import outcomes_of
from runner.run import events as e
from runner.run.crawling import crawl_of, crawl_text
from runner.run.facts import Hold, StopRule
from runner.run.person_waits import approval_wait, hold_wait, person_waits
from runner.run.waves import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.run.facts import Facts
    from runner.run.standing import Standing
    from runner.run.waves import RolloutFacts, WaveFacts

_DEBUG, _INFO, _WARN, _ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR


class Newsroom:
    """Makes news of the events of one run. `look` tells how it stands now."""

    def __init__(self, run_id: str, state: Facts, look: Callable[[], Standing]) -> None:
        self._run_id = run_id
        self._look = look
        self._troubles = TroublesSeen(state)
        self.state = state
        self._stopped_at: float | None = None

    def item(self, event: e.Event) -> NewsItem | None:
        """What to tell of an event that has just become true; None: nothing."""
        if type(event) is e.JobRead:
            self._troubles.take(event)
        plain = _PLAIN.get(type(event))
        if plain is not None:
            return NewsItem(*plain, event_fields(event))
        particular = _PARTICULAR.get(type(event))
        return None if particular is None else particular(self, event)

    def standing(self) -> list[str]:
        """How the run stands, what it waits for, what comes next and what a person can do now, line by line."""
        state = self.state
        wave = state.rollout.wave if state.rollout else None
        is_cut_short = wave is not None and state.stage_of(wave) is Stage.ABORTED
        lines = [] if wave is None or is_cut_short or state.rollout is None else [_wave_line(state.rollout, wave)]
        if state.stop_reason is not None:
            lines += [f"stopping: {state.stop_reason}", *self._last_requests()]
        elif state.aborted is not None:
            lines.append(f"aborted, what is at work is watched to its end: {state.aborted}")
        elif state.intake_ended is not None:
            lines.append(f"nothing new is sent, what is at work is watched: {state.intake_ended}")
        return lines + standing_lines(self._look(), self._run_id) + list(self._troubles.lines())

    def _last_requests(self) -> list[str]:
        """What a run that was asked to stop waits for, until when, and how it is ended at once; nothing: for nothing."""
        count = sum(lane.in_flight for lane in self.state.lanes)
        if not count or self._stopped_at is None:
            return []
        until = clock_text(self._stopped_at + self.state.plan.submit.timeout_s)
        what = "1 request that is on its way" if count == 1 else f"{count:,} requests that are on their way"
        return [f"waiting for {what}, until {until} at the latest; a second Ctrl-C ends it at once"]

    def stopping(self, event: e.StopRequested) -> NewsItem:
        """Nothing new is sent, and nothing watched any more."""
        self._stopped_at = event.at
        return NewsItem(_WARN, "stopping", {"reason": event.reason, "waits": "".join(self._last_requests())})

    def _wave_name(self, index: int) -> str:
        rollout = self.state.rollout
        return rollout.waves[index].plan.name if rollout else str(index)

    def wave_started(self, event: e.WaveStarted) -> NewsItem:
        """A wave begins."""
        servers = self.state.rollout.waves[event.wave].plan.servers if self.state.rollout else 0
        return NewsItem(_INFO, "wave started", {"wave": self._wave_name(event.wave), "servers": servers})

    def wave_passed(self, event: e.WavePassed) -> NewsItem:
        """A wave is over and its gate open."""
        return NewsItem(_INFO, "wave passed", {"wave": self._wave_name(event.wave)})

    def approval_asked(self, event: e.ApprovalAsked) -> NewsItem:
        """A person must approve."""
        name = self._wave_name(event.wave)
        fields = {"wave": name, "next": approval_wait(name).commands(self._run_id)}
        return NewsItem(_WARN, "wave waits for approval", fields)

    def checked(self, event: e.Checked) -> NewsItem:
        """A check was made."""
        name = self.state.rollout.waves[event.wave].plan.checks[event.check].name if self.state.rollout else ""
        fields = {"wave": self._wave_name(event.wave), "check": name, "detail": event.detail}
        if event.passed:
            return NewsItem(_INFO, "check passed", fields)
        return NewsItem(_WARN, "check failed" if event.is_last else "check failed, it is tried again", fields)

    def crawls(self, event: e.Crawls) -> NewsItem:
        """A limit leaves little room."""
        reason = crawl_text(event.limit, event.scope, crawl_of(event))
        return NewsItem(_WARN, "the rollout crawls", {"limit": event.limit, "scope": event.scope, "reason": reason})

    def held(self, event: e.Held) -> NewsItem:
        """A person must decide."""
        commands = hold_wait(Hold(StopRule(event.rule), event.reason, event.limit)).commands(self._run_id)
        return NewsItem(_ERROR, "held", {"rule": event.rule, "reason": event.reason, "next": commands})

    def aborted(self, event: e.Aborted) -> NewsItem:
        """The campaign is over."""
        return NewsItem(
            _WARN, "aborted, what is at work is watched to its end", {"rule": event.rule, "reason": event.reason}
        )

    def commanded(self, event: e.Commanded) -> NewsItem:
        """A person asked for something."""
        fields = {
            name: value for name, value in event_fields(event).items() if value and name not in {"number", "action"}
        }
        if event.refused is not None:
            return NewsItem(_WARN, f"{event.action} refused", fields)
        commands = "" if self.state.over else commands_of(person_waits(self.state), self._run_id)
        return NewsItem(_INFO, f"{event.action} by {event.who}", fields | ({"next": commands} if commands else {}))

    def left_out(self, event: e.LeftOut) -> NewsItem:
        """Another run of the family has servers."""
        group = self.state.plan.groups[event.group].name
        fields = {"servers": len(event.servers), "group": group, "run": event.run_id}
        return NewsItem(_WARN, "servers left out, another run of the family has them", fields)

    def settled(self, event: e.Settled) -> NewsItem | None:
        """A job is over; it is news if not every server succeeded."""
        counts = {outcome.value: count for outcome, count in outcomes_of(event.outcomes).counts.items()}
        if counts.keys() <= {Outcome.SUCCEEDED.value}:
            return None
        fields: dict[str, object] = {"request": event.request, **counts}
        if event.failures is not None and event.failures.unread:
            fields["reason"] = f"its job could not be read, {event.failures.failed:,} reads failed"
            fields |= error_fields(event.failures.error)
        return NewsItem(_WARN, "job over, not every server succeeded", fields)

    def failing(self) -> list[str]:
        """What fails now, line by line."""
        return list(failing_lines(self.state))

    def set_aside(self, event: e.SetAside) -> NewsItem:
        """The rest of a request is sent without some servers."""
        ids = [server.id for server in self.state.servers_of(event.request)]
        what = "left out of a request" if event.retry_at is None else "left out of a request, tried again later"
        return NewsItem(_WARN, what, event_fields(event) | {"server": ", ".join(ids)})

    def accepted(self, event: e.Accepted) -> NewsItem:
        """The service made a job."""
        return NewsItem(_DEBUG, "job accepted", {"request": event.request, "job_id": event.job.job_id})


def _wave_line(rollout: RolloutFacts, wave: WaveFacts) -> str:
    done = sum(wave.counts.values())
    abnormal = sum(count for outcome, count in wave.counts.items() if outcome.is_abnormal)
    harm = f", {abnormal:,} abnormal" if abnormal else ""
    place = f"{rollout.current + 1} of {len(rollout.waves)}"
    return f"wave {wave.plan.name} ({place}): {_stage(wave)}, {done:,}/{wave.plan.servers:,} servers{harm}"


def _stage(wave: WaveFacts) -> str:
    check = wave.next_check
    if wave.stage is Stage.CHECKING and check is not None:
        tries = f", attempt {wave.attempts} of {check.attempts}" if check.attempts > 1 and wave.attempts else ""
        return f"checking `{check.name}`{tries}"
    if wave.stage is Stage.SOAKING:
        return f"soaking until {clock_text(wave.soak_until)}"
    return "waiting for its turn" if wave.stage is Stage.WAITING else wave.stage.replace("_", " ")


_PLAIN: dict[type, tuple[int, str]] = {
    e.RunStarted: (_INFO, "run started"),
    e.RunResumed: (_INFO, "run resumed"),
    e.InDoubt: (_WARN, "request in doubt, looking it up"),
    e.Adopted: (_INFO, "request in doubt found, adopted"),
    e.NotFound: (_WARN, "request in doubt made no job, it may be sent again"),
    e.Conflict: (_ERROR, "conflict"),
    e.GivenUp: (_WARN, "request given up, its servers are unknown"),
    e.Throttled: (_INFO, "throttled"),
    e.IntakeEnded: (_WARN, "nothing new is sent, what is at work is watched"),
    e.Split: (_DEBUG, "request split"),
    e.Included: (_DEBUG, "request included again"),
    e.Withdrawn: (_DEBUG, "request withdrawn, its servers were excluded or left out"),
}
_PARTICULAR: dict[type, Callable[[Newsroom, Any], NewsItem | None]] = {
    e.Crawls: Newsroom.crawls,
    e.Accepted: Newsroom.accepted,
    e.SetAside: Newsroom.set_aside,
    e.Settled: Newsroom.settled,
    **CALLS,
    e.WaveStarted: Newsroom.wave_started,
    e.WavePassed: Newsroom.wave_passed,
    e.ApprovalAsked: Newsroom.approval_asked,
    e.Checked: Newsroom.checked,
    e.Held: Newsroom.held,
    e.Aborted: Newsroom.aborted,
    e.Commanded: Newsroom.commanded,
    e.LeftOut: Newsroom.left_out,
    e.StopRequested: Newsroom.stopping,
}
