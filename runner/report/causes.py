"""Why servers did not succeed: messages of the same trouble together, and which label, group or wave explains each."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from runner.report.reasons import error_words, reason
from runner.report.troubles_seen import without_own_name
from runner.rules.explaining import explain
from runner.rules.signatures import signature

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runner.model import JsonObject
    from runner.plan.plan import Plan
    from runner.rules.explaining import Explanation
    from runner.run.facts import Facts

# Of more troubles only the most frequent are told, and so many servers of each.
_MOST, _EXAMPLES = 20, 3
# How a server ended that was tried; all others tell nothing of what is bad.
_BAD = frozenset({"failed", "skipped", "timed_out", "unknown"})
_TRIED = _BAD | {"succeeded"}
# At work, or on its way: nobody knows yet.
_NOT_KNOWN = frozenset({"accepted", "in_doubt"})
# So many explanations of one trouble are told.
_MOST_TOLD = 3


_Ended = tuple["JsonObject", "JsonObject"]
"""How a server ended: its job and its task, as the report has them."""


def causes_part(facts: Facts, jobs: Sequence[JsonObject], counts: Mapping[str, int]) -> JsonObject:
    """The report's part on why. `jobs` and `counts` are those of the report; labels are those that the plan has."""
    if not any(counts[name] for name in _BAD):
        return {"tried": counts["succeeded"], "asked_about": [], "troubles": []}
    ended = _ended(jobs)
    by_trouble: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, (job, task) in enumerate(ended):
        if task["outcome"] != "succeeded":
            by_trouble[trouble_of(job, task)].append(place)
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
                "examples": [ended[place][1]["server_id"] for place in bad[:_EXAMPLES]],
                "explained_by": [_explanation(one) for one in explanations[:_MOST_TOLD]],
            }
            for ((outcome, said), bad), explanations in zip(most_first, found, strict=True)
        ],
    }


def _ended(jobs: Iterable[JsonObject]) -> list[_Ended]:
    """Every server that was tried, once: a later step tells more than one before."""
    ended: dict[tuple[str, str], _Ended] = {}
    for job in jobs:
        if job["purpose"] == "change" and job["state"] not in _NOT_KNOWN:
            lane = job["lane"]
            ended |= {(lane, task["server_id"]): (job, task) for task in job["tasks"] if task["outcome"] in _TRIED}
    return list(ended.values())


def trouble_of(job: JsonObject, task: JsonObject) -> tuple[str, str]:
    """The outcome and the signature of a server that did not succeed; its own name and id tell nothing apart."""
    said = reason(job, task) if job["error"] is None else error_words(job["error"])
    return task["outcome"], signature(without_own_name(said, task["server_id"], task["server_name"]))


def _columns(facts: Facts, ended: Sequence[_Ended]) -> dict[str, list[str | None]]:
    """The value of each server for every label there is, and for wave, group and lane where there are several."""
    labels = _labels(facts.plan)
    names = {name for different in {id(of): of for of in labels.values()}.values() for name in different}
    of_each = [labels.get((job["lane"], task["server_id"]), {}) for job, task in ended]
    columns: dict[str, list[str | None]] = {
        f"labels.{name}": [of.get(name) for of in of_each] for name in sorted(names)
    }
    columns |= {name: [job[name] for job, _ in ended] for name in ("wave", "group", "lane")}
    return {name: column for name, column in columns.items() if len(set(column)) > 1}


def _labels(plan: Plan) -> dict[tuple[str, str], Mapping[str, str]]:
    """Those of each server, by lane and id; only a plan with a rollout is stored with them, and a report stays the same."""
    lanes, groups = [lane.label for lane in plan.lanes], plan.groups if plan.rollout is not None else ()
    return {(lanes[group.lane], server.id): server.labels for group in groups for server in group.servers}


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
