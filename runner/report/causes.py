"""Why servers did not succeed: messages of the same trouble together, and which label, group or wave explains each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from runner.model import Outcome
from runner.report.reasons import error_words, reason
from runner.report.troubles_seen import without_own_name
from runner.rules.explaining import explain
from runner.rules.signatures import signature
from runner.run.by_request import RequestState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runner.model import JsonObject
    from runner.plan.plan import Plan
    from runner.rules.explaining import Explanation
    from runner.run.by_request import RequestStanding
    from runner.run.facts import Facts

# Of more troubles only the most frequent are told, and so many servers of each.
_MOST, _EXAMPLES = 20, 3
# How a server ended that was tried; all others tell nothing of what is bad.
_BAD = frozenset({"failed", "skipped", "timed_out", "unknown"})
# At work, or on its way: nobody knows yet.
_NOT_KNOWN = frozenset({RequestState.ACCEPTED, RequestState.IN_DOUBT})
# So many explanations of one trouble are told.
_MOST_TOLD = 3


class _Ended(NamedTuple):
    """How a server ended that was tried: well where there is no `trouble`, else with this outcome and signature."""

    lane: str
    server_id: str
    wave: str | None
    group: str
    trouble: tuple[str, str] | None = None


Made = Callable[[Callable[["RequestStanding"], bool]], "Iterable[JsonObject]"]
"""Makes the jobs of some requests, as the report has them."""


def causes_part(facts: Facts, every: Iterable[RequestStanding], made: Made, counts: Mapping[str, int]) -> JsonObject:
    """The report's part on why. `counts` are those of the report; labels are those that the plan has."""
    if not any(counts[name] for name in _BAD):
        return {"tried": counts["succeeded"], "asked_about": [], "troubles": []}
    ended = _ended(facts, every, made)
    by_trouble: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, one in enumerate(ended):
        if one.trouble is not None:
            by_trouble[one.trouble].append(place)
    most_first = sorted(by_trouble.items(), key=lambda item: (-len(item[1]), item[0]))[:_MOST]
    columns = _columns(facts, ended) if most_first else {}
    found = explain(columns, [bad for _, bad in most_first])
    return {
        "tried": len(ended),
        "asked_about": sorted(columns),
        "troubles": [
            {
                "outcome": outcome,
                "signature": said,
                "servers": len(bad),
                "examples": [ended[place].server_id for place in bad[:_EXAMPLES]],
                "explained_by": [_explanation(one) for one in explanations[:_MOST_TOLD]],
            }
            for ((outcome, said), bad), explanations in zip(most_first, found, strict=True)
        ],
    }


def _ended(facts: Facts, every: Iterable[RequestStanding], made: Made) -> list[_Ended]:
    """Every server that was tried, once. A job is made only where one of its servers did not succeed."""
    tried = [standing for standing in every if facts.is_main(standing.request) and standing.state not in _NOT_KNOWN]
    troubled = {standing.request for standing in tried if any(of.value in _BAD for of in standing.outcomes.counts)}
    ended: dict[tuple[str, str], _Ended] = {}
    for job in made(lambda standing: standing.request in troubled):
        for task in job["tasks"]:
            if task["outcome"] in _BAD:
                one = _Ended(job["lane"], task["server_id"], job["wave"], job["group"], trouble_of(job, task))
                ended[one.lane, one.server_id] = one
    for standing in tried:
        lane, wave, group = _place(facts, standing.request)
        for server, outcome in zip(standing.servers, standing.outcomes, strict=True):
            if outcome is Outcome.SUCCEEDED:
                ended.setdefault((lane, server.id), _Ended(lane, server.id, wave, group))
    return list(ended.values())


def _place(facts: Facts, request: int) -> tuple[str, str | None, str]:
    """The lane, wave and group of a request, as they are called."""
    plan, entry = facts.plan, facts.requests.entries[request]
    group = plan.groups[entry.group]
    return plan.lanes[group.lane].label, plan.rollout.waves[entry.wave].name if plan.rollout else None, group.name


def trouble_of(job: JsonObject, task: JsonObject) -> tuple[str, str]:
    """The outcome and the signature of a server that did not succeed; its own name and id tell nothing apart."""
    said = reason(job, task) if job["error"] is None else error_words(job["error"])
    return task["outcome"], signature(without_own_name(said, task["server_id"], task["server_name"]))


def _columns(facts: Facts, ended: Sequence[_Ended]) -> dict[str, list[str | None]]:
    """The value of each server for every label there is, and for wave, group and lane where there are several."""
    labels = labels_by_server(facts.plan)
    names = {name for different in {id(of): of for of in labels.values()}.values() for name in different}
    of_each = [labels.get((one.lane, one.server_id), {}) for one in ended]
    columns: dict[str, list[str | None]] = {
        f"labels.{name}": [of.get(name) for of in of_each] for name in sorted(names)
    }
    columns |= {
        "wave": [one.wave for one in ended],
        "group": [one.group for one in ended],
        "lane": [one.lane for one in ended],
    }
    return {name: column for name, column in columns.items() if len(set(column)) > 1}


def labels_by_server(plan: Plan) -> dict[tuple[str, str], Mapping[str, str]]:
    """Those of each server, by lane and id."""
    lanes = [lane.label for lane in plan.lanes]
    return {(lanes[group.lane], server.id): server.labels for group in plan.groups for server in group.servers}


def where_text(part: JsonObject) -> str:
    """An explanation of a report in a line."""
    also = "".join(f", which is {same}" for same in part["same_servers"])
    others = f"{100 * part['others_bad'] / part['others']:.2g} %"
    low, high = (round(100 * part[f"difference_{end}"]) for end in ("low", "high"))
    more = f"{low} to {high} points more"
    return (
        f"{part['label']}={part['value']}{also}: {part['bad']:,} of {part['servers']:,}, of the others {others}, {more}"
    )


def _explanation(one: Explanation) -> JsonObject:
    table, more = one.table, one.difference
    return {
        "label": one.label,
        "value": one.value,
        "same_servers": [f"{label}={value}" for label, value in one.same],
        "bad": table.bad,
        "servers": table.servers,
        "others_bad": table.all_bad - table.bad,
        "others": table.all_servers - table.servers,
        "difference": round(more.share, 4),
        "difference_low": round(more.low, 4),
        "difference_high": round(more.high, 4),
        "false_discovery_rate": float(f"{one.rate:.2g}"),
    }
