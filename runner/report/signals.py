"""Which events of a run are told, and what is told then (`runner.spec.signals` has the fields)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.model import RunState
from runner.plain import one_line
from runner.report.next_steps import commands_of, next_command
from runner.report.times import rfc3339
from runner.run import events as e
from runner.run.by_request import by_request, counts_by_name, tally
from runner.run.person_waits import person_waits

if TYPE_CHECKING:
    from runner.model import JsonObject
    from runner.run.facts import Facts

# The word is that of `runner.spec.signals.SCHEMA_VERSION`, whose module brings models that a run does not need.
_VERSION = "runner/signal/v1"
_LONGEST_TEXT = 1_500

_MOMENTS: dict[type, str] = {
    e.RunStarted: "start",
    e.RunResumed: "resume",
    e.Held: "hold",
    e.ApprovalAsked: "approval",
    e.Aborted: "abort",
    e.RunEnded: "end",
}
# By which a person aborts a run.
_ABORTING = frozenset({"abort", "reject"})


def moment_of(event: e.Event) -> str | None:
    """Which moment of a run an event is; None for most."""
    if isinstance(event, e.Commanded):
        return "abort" if event.refused is None and event.action in _ABORTING else None
    return _MOMENTS.get(type(event))


class _News(NamedTuple):
    """What an event says: in words, the reason alone, and the wave that it is about."""

    words: str
    reason: str = ""
    wave: str | None = None


def signal_of(event: e.Event, facts: Facts, run_id: str) -> JsonObject:
    """What to tell of a moment, right after the facts have taken it in: it costs no more in a large fleet.

    But the end, once nothing is at work any more: every server is then counted as the report counts it.
    """
    news, ending = _news(event, facts), event if isinstance(event, e.RunEnded) else None
    state = RunState(ending.state) if ending else RunState.RUNNING
    counts = _final_counts(facts) if ending else _counts(facts)
    waits = commands_of(person_waits(facts), run_id)
    command = next_command(facts, run_id, state, counts) if ending else waits
    moment = moment_of(event)
    simulated = ", simulated" if facts.simulated else ""
    text = f"run {run_id} of {facts.plan.campaign}{simulated}: {news.words}; {_in_words(counts)}"
    return {
        "schema_version": _VERSION,
        "id": f"{run_id}/{moment}/{event.at:.6f}",
        "event": moment,
        "at": rfc3339(event.at),
        "run_id": run_id,
        "campaign": facts.plan.campaign,
        "simulated": facts.simulated,
        "state": state.value,
        "reason": news.reason,
        "wave": news.wave,
        "needs_person": bool(waits),
        "next": command,
        "exit_code": ending.exit_code if ending else None,
        "counts": counts,
        "text": one_line(text, _LONGEST_TEXT) + (f"; next: {command}" if command else ""),
    }


def _news(event: e.Event, facts: Facts) -> _News:
    at_work = facts.rollout.wave if facts.rollout else None
    wave = at_work.plan.name if at_work else None
    match event:
        case e.Held(reason=reason):
            return _News(f"held: {reason}", reason, wave)
        case e.Aborted() | e.Commanded():
            reason = facts.aborted or ""
            return _News(f"aborted, what is at work is watched to its end: {reason}", reason, wave)
        case e.ApprovalAsked(wave=index):
            name = facts.rollout.waves[index].plan.name if facts.rollout else str(index)
            return _News(f"wave {name} waits for approval", "", name)
        case e.RunEnded(state=state, reason=reason):
            return _News(f"{state}: {reason}" if reason else state, reason, wave)
        case e.RunResumed():
            return _News("resumed", "", wave)
        case _:
            return _News("started", "", wave)


def _counts(facts: Facts) -> dict[str, int]:
    servers = sum(len(group.servers) for group in facts.plan.groups)
    return {**counts_by_name(facts.counts), "servers": servers}


def _final_counts(facts: Facts) -> dict[str, int]:
    return counts_by_name(tally(facts, by_request(facts)).counts)


def _in_words(counts: dict[str, int]) -> str:
    parts = [f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count and name != "servers"]
    return f"{counts['servers']:,} servers" + (f": {', '.join(parts)}" if parts else "")
