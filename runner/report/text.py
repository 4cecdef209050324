"""The report in a few lines, for a person at three in the morning."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from runner.model import RunState
from runner.plain import one_line
from runner.report.causes import trouble_of, where_text
from runner.report.decided import decision_in_force, past_decisions
from runner.report.next_steps import next_steps
from runner.report.outages import failing_lines
from runner.report.reasons import error_words, reason
from runner.run.by_request import RequestState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from runner.model import JsonObject
    from runner.report.fold import Report, RunReport
    from runner.run.by_request import RequestStanding
    from runner.run.facts import Facts

_SHOWN = 5
_NOT_SAID = {"succeeded", "not_started", "excluded"}
_EXAMPLES = 3
_WAVES = 12
_CLOCK = slice(11, 19)
_WORDS = {
    "succeeded": "succeeded",
    "failed": "FAILED",
    "skipped": "skipped",
    "timed_out": "TIMED OUT",
    "unknown": "UNKNOWN",
    "not_started": "not started",
    "excluded": "excluded",
    "at_work": "at work",
    "not_reached": "not reached",
}


class Around(NamedTuple):
    """What is known of a run beside its journal.

    `pending` is what people asked of it that it has not taken in yet, `waits` what it waits for now, and what comes next;
    `carrier` is the process that carries it out, if one does.
    """

    pending: Sequence[str] = ()
    waits: Sequence[str] = ()
    carrier: str = ""


_ALONE = Around()


def summary_of(report: RunReport, around: Around = _ALONE) -> str:
    """The summary of a run; of its jobs only those are made that it tells of."""
    facts = report.facts
    left = _left_lanes(facts)
    return summary_text(report.of(lambda standing: _is_told(facts, left, standing)), facts, around)


def _is_told(facts: Facts, left: Collection[int], standing: RequestStanding) -> bool:
    if standing.request in facts.errors:
        return True
    if standing.state is RequestState.ACCEPTED:
        return facts.lane_index(standing.request) in left
    return any(outcome.value not in _NOT_SAID for outcome in standing.outcomes.counts)


def _left_lanes(facts: Facts) -> set[int]:
    """The lanes on which nobody looks at jobs any more."""
    return {index for index, lane in enumerate(facts.lanes) if lane.stopped is not None and not lane.watched}


def summary_text(report: Report, facts: Facts, around: Around = _ALONE) -> str:
    """How the run ended, or stands, and who carries it out; its waves; who did not succeed, why and where; what to type."""
    run = report["run"]
    reason = f": {one_line(run['reason'])}" if run["reason"] else ""
    took = f", {run['duration_s']:.0f} s" if run["duration_s"] is not None else ""
    simulated = ", simulated" if run["simulated"] else ""
    lines = [
        f"run {run['id']} of {run['campaign']}: {run['state']}{reason}{took}{simulated}",
        *([f"{'by':10} {one_line(around.carrier)}"] if around.carrier else []),
        f"servers    {counts_text(report)}",
        f"requests   {_requests(report['requests'])}",
    ]
    throttling = report["throttling"]
    if throttling["throttled_answers"]:
        lines.append(f"throttled  {throttling['throttled_answers']:,} times, waited {throttling['waited_s']:.0f} s")
    lines += [
        *_outages(report, facts),
        *_unwatched(report, facts),
        *_left_out(report),
        *_untold(report),
        *_waves(report),
        *_abnormal_servers(report),
        *_request_errors(report),
    ]
    lines += past_decisions(report, facts)
    lines += decision_in_force(report, facts)
    lines += [f"{'pending':10} {one_line(asked)}" for asked in around.pending]
    lines += [f"{'waits':10} {one_line(wait)}" for wait in around.waits]
    lines += _next(report, facts)
    return "\n".join(lines)


def _next(report: Report, facts: Facts) -> Iterator[str]:
    """What to type, each on a line of its own."""
    run = report["run"]
    for place, step in enumerate(next_steps(facts, run["id"], RunState(run["state"]), report["counts"])):
        yield f"{'' if place else 'next':10} {one_line(step.line)}"


def last_line(report: Report) -> str:
    """How the run ended, in one line for logs: the last that a command says."""
    run, counts = report["run"], report["counts"]
    servers = f"{counts['succeeded']:,} of {counts['servers']:,} servers succeeded"
    return f"run {run['id']} of {run['campaign']} {run['state']}: {servers}, exit {run['exit_code']}"


def counts_text(part: JsonObject) -> str:
    """The counts of a report, or a wave: those at work count as unknown there, and those not reached as not started."""
    counts, at_work, not_reached = part["counts"], part["at_work"], part["not_reached"]
    shown = {
        **counts,
        "unknown": counts["unknown"] - at_work,
        "at_work": at_work,
        "not_started": counts["not_started"] - not_reached,
        "not_reached": not_reached,
    }
    parts = [f"{shown[name]:,} {word}" for name, word in _WORDS.items() if shown[name]]
    return f"{counts['servers']:,}" + (": " + ", ".join(parts) if parts else "")


def _outages(report: Report, facts: Facts) -> Iterator[str]:
    """That calls fail now; or that they failed for a while."""
    now = list(failing_lines(facts)) if report["run"]["finished_at"] is None else []
    yield from map(one_line, now)
    outages = report["outages"]
    if outages and not now:
        last = outages[-1]
        until = f"to {last['over_at'][_CLOCK]}" if last["over_at"] else f"on, last told at {last['told_at'][_CLOCK]}"
        times = f"{len(outages):,} times, the last " if len(outages) > 1 else ""
        calls = f"{times}{last['failed']:,} calls from {last['since'][_CLOCK]} {until} UTC"
        yield f"failed     {calls}: {one_line(error_words(last['error']))}"


def _unwatched(report: Report, facts: Facts) -> Iterator[str]:
    """That nobody looks at jobs any more, though they go on: their lane stopped."""
    left = {facts.plan.lanes[index].label for index in _left_lanes(facts)}
    jobs = [job for job in report["jobs"] if job["state"] == "accepted" and job["lane"] in left] if left else []
    if jobs:
        servers = sum(len(job["tasks"]) for job in jobs)
        yield f"unwatched  {servers:,} servers at work: their lane stopped, so nobody saw how their jobs went on"


def _left_out(report: Report) -> Iterator[str]:
    """What other runs of the family have, as the last process found it."""
    last = {(d["evidence"].partition(" of ")[2], d["why"]): d for d in report["decisions"] if d["what"] == "leave_out"}
    for decision in last.values():
        yield f"left out   {one_line(decision['evidence'])}: {one_line(decision['why'])}"


def _untold(report: Report) -> Iterator[str]:
    """Whom nobody could tell of something; of many times, the last."""
    last = {lost["hook"]: lost for lost in report["run"]["signals_lost"]}
    for hook, lost in last.items():
        yield f"{'untold':10} on_event[{hook}]: {lost['event']}: {one_line(lost['reason'])}"


def _waves(report: Report) -> Iterator[str]:
    """Each wave; of many, those around the one at work."""
    waves = report["waves"]
    at_work = next((place for place, wave in enumerate(waves) if wave["state"] != "passed"), len(waves))
    first = max(0, min(at_work - _WAVES // 2, len(waves) - _WAVES))
    shown = waves[first : first + _WAVES]
    width = max((len(wave["name"]) for wave in shown), default=0)
    for place, wave in enumerate(shown):
        title = "waves" if place == 0 else ""
        counts = counts_text(wave)
        yield f"{title:10} {wave['name']:{width}}  {wave['state'].replace('_', ' '):17} {counts}"
    if len(waves) > len(shown):
        yield f"{'':10} and {len(waves) - len(shown)} more: runner show {report['run']['id']} --by wave"


def _requests(requests: dict[str, int]) -> str:
    rest = [
        f"{requests[name]:,} {name.replace('_', ' ')}" for name in ("adopted", "refused", "in_doubt") if requests[name]
    ]
    return ", ".join([f"{requests['planned']:,}", f"{requests['accepted']:,} accepted", *rest])


def _abnormal_servers(report: Report) -> Iterator[str]:
    """Servers that failed, timed out or are unknown though their request is clear, by what the service said."""
    by_trouble: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for job in report["jobs"]:
        if job["error"] is None and job["purpose"] == "change" and job["state"] != "accepted":
            for task in job["tasks"]:
                if task["outcome"] not in _NOT_SAID:
                    by_trouble[trouble_of(job, task)].append((task["server_name"], reason(job, task)))
    where = {(trouble["outcome"], trouble["signature"]): trouble for trouble in report["causes"]["troubles"]}
    most_first = sorted(by_trouble.items(), key=lambda item: (-len(item[1]), item[0]))
    for (outcome, said), servers in most_first[:_SHOWN]:
        first = servers[0][1]
        message = first if all(message == first for _, message in servers) else said
        examples = ", ".join(one_line(name) for name, _ in servers[:_EXAMPLES])
        more = ", ..." if len(servers) > _EXAMPLES else ""
        yield f"  {len(servers):,} {_WORDS[outcome]}: {one_line(message)} ({examples}{more})"
        for part in where.get((outcome, said), {"explained_by": ()})["explained_by"]:
            yield f"    where {one_line(where_text(part))}"
    if len(most_first) > _SHOWN:
        yield f"  and {len(most_first) - _SHOWN} more reasons: runner show {report['run']['id']} --failed"


def _request_errors(report: Report) -> Iterator[str]:
    by_error: dict[tuple[str, str, str], list[str | None]] = defaultdict(list)
    for job in report["jobs"]:
        error = job["error"]
        if error is not None:
            status = f"HTTP {error['http_status']} " if error["http_status"] else ""
            by_error[job["state"], f"{status}{error['code'] or ''}".strip(), error["message"]].append(
                error["request_id"]
            )
    most_first = sorted(by_error.items(), key=lambda item: (-len(item[1]), item[0]))
    for (state, code, message), ids in most_first[:_SHOWN]:
        example = next((f" (request id {request_id})" for request_id in ids if request_id), "")
        yield f"  {len(ids):,} requests {state.replace('_', ' ')}: {one_line(code)} {one_line(message)}{one_line(example)}"
    if len(most_first) > _SHOWN:
        yield f"  and {len(most_first) - _SHOWN} more errors: runner show {report['run']['id']} --only not_started,unknown"
