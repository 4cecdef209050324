"""The report in a few lines, for a person at three in the morning."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from runner.report.next_steps import next_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.report.fold import Report

_SHOWN = 5
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
}
_DECISIVE = {"hold", "abort", "ask_approval", "end_intake", "check_failed", "pause", "reject", "continue", "approve"}


def summary_text(report: Report) -> str:
    """How the run ended, or stands; where its waves are; who did not succeed and why; what to type next."""
    run = report["run"]
    reason = f": {run['reason']}" if run["reason"] else ""
    took = f", {run['duration_s']:.0f} s" if run["duration_s"] is not None else ""
    simulated = ", simulated" if run["simulated"] else ""
    lines = [
        f"run {run['id']} of {run['campaign']}: {run['state']}{reason}{took}{simulated}",
        f"servers    {_counts(report['counts'])}",
        f"requests   {_requests(report['requests'])}",
    ]
    throttling = report["throttling"]
    if throttling["throttled_answers"]:
        lines.append(f"throttled  {throttling['throttled_answers']:,} times, waited {throttling['waited_s']:.0f} s")
    lines += [*_waves(report), *_abnormal_servers(report), *_request_errors(report), *_last_decision(report)]
    command = next_command(report)
    return "\n".join([*lines, f"next       {command}"] if command else lines)


def _counts(counts: dict[str, int]) -> str:
    parts = [f"{counts[name]:,} {word}" for name, word in _WORDS.items() if counts[name]]
    return f"{counts['servers']:,}" + (": " + ", ".join(parts) if parts else "")


def _waves(report: Report) -> Iterator[str]:
    """Each wave; of many, those around the one at work."""
    waves = report["waves"]
    at_work = next((place for place, wave in enumerate(waves) if wave["state"] != "passed"), len(waves))
    first = max(0, min(at_work - _WAVES // 2, len(waves) - _WAVES))
    shown = waves[first : first + _WAVES]
    width = max((len(wave["name"]) for wave in shown), default=0)
    for place, wave in enumerate(shown):
        title = "waves" if place == 0 else ""
        yield f"{title:10} {wave['name']:{width}}  {wave['state'].replace('_', ' '):17} {_counts(wave['counts'])}"
    if len(waves) > len(shown):
        yield f"{'':10} and {len(waves) - len(shown)} more: see the report"


def _last_decision(report: Report) -> Iterator[str]:
    """The last one that stands in the way, with its evidence: who reads this need not know what came before."""
    decisive = [decision for decision in report["decisions"] if decision["what"] in _DECISIVE]
    if decisive and report["run"]["state"] != "finished":
        last = decisive[-1]
        because = ": ".join(filter(None, (last["evidence"], last["why"] if last["who"] != "runner" else "")))
        what = last["what"].replace("_", " ")
        detail = f" {because}" if because else f" {last['wave']}" if last["wave"] else ""
        yield f"{'decided':10} {last['at'][_CLOCK]} {what}{detail} (by {last['who']})"


def _requests(requests: dict[str, int]) -> str:
    rest = [
        f"{requests[name]:,} {name.replace('_', ' ')}" for name in ("adopted", "refused", "in_doubt") if requests[name]
    ]
    return ", ".join([f"{requests['planned']:,}", f"{requests['accepted']:,} accepted", *rest])


def _abnormal_servers(report: Report) -> Iterator[str]:
    """Servers that failed, timed out or are unknown though their request is clear, by what the service said."""
    by_message: dict[tuple[str, str], list[str]] = defaultdict(list)
    for job in report["jobs"]:
        if job["error"] is None:
            for task in job["tasks"]:
                if task["outcome"] not in {"succeeded", "not_started"}:
                    by_message[task["outcome"], task["message"] or "the service gives no reason"].append(
                        task["server_name"]
                    )
    most_first = sorted(by_message.items(), key=lambda item: (-len(item[1]), item[0]))
    for (outcome, message), names in most_first[:_SHOWN]:
        examples = ", ".join(names[:_EXAMPLES]) + (", ..." if len(names) > _EXAMPLES else "")
        yield f"  {len(names):,} {_WORDS[outcome]}: {message} ({examples})"
    if len(most_first) > _SHOWN:
        yield f"  and {len(most_first) - _SHOWN} more reasons: see the report"


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
        yield f"  {len(ids):,} requests {state.replace('_', ' ')}: {code} {message}{example}".replace("  ", " ", 0)
    if len(most_first) > _SHOWN:
        yield f"  and {len(most_first) - _SHOWN} more errors: see the report"
