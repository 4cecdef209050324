"""What was decided in a run, in lines for a person: what stands in the way now, and what came before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.model import RUNNER
from runner.plain import one_line
from runner.run.person_waits import person_waits
from runner.run.waits import WaitKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.model import JsonObject
    from runner.report.fold import Report
    from runner.run.facts import Facts

_CLOCK = slice(11, 19)
# So many of those before are shown. Waves have lines of their own, and so has what other runs took.
_SHOWN = 6
_SAID_ELSEWHERE = frozenset({"start", "pass", "ask_approval", "crawl", "leave_out"})


def past_decisions(report: Report, facts: Facts) -> Iterator[str]:
    """The last ones that are over, oldest first: what people asked for, what held the run, which checks were made."""
    standing = _standing(report, facts)
    reason = report["run"]["reason"]
    told = [one for one in report["decisions"] if one["what"] not in _SAID_ELSEWHERE and one is not standing]
    told = [one for one in told if not (reason and _because(one) and _because(one) in reason)]
    for place, decision in enumerate(told[-_SHOWN:]):
        yield f"{'' if place else 'decisions':10} {_line(decision)}"
    if len(told) > _SHOWN:
        yield f"{'':10} {len(told) - _SHOWN:,} before these: runner show {report['run']['id']} --log"


def decision_in_force(report: Report, facts: Facts) -> Iterator[str]:
    """The one that stands in the way now, with its evidence; what the first line says already is not said again."""
    decision = _standing(report, facts)
    if decision is not None and not (_because(decision) and _because(decision) in report["run"]["reason"]):
        yield f"{'decided':10} {_line(decision)}"


def _standing(report: Report, facts: Facts) -> JsonObject | None:
    in_force = _in_force(facts)
    found = [decision for decision in report["decisions"] if (decision["what"], _of(decision)) in in_force]
    return found[-1] if found else None


def _because(decision: JsonObject) -> str:
    return ": ".join(filter(None, (decision["evidence"], decision["why"] if decision["who"] != RUNNER else "")))


def _line(decision: JsonObject) -> str:
    detail = _because(decision) or decision["wave"]
    words = f"{decision['what'].replace('_', ' ')}{f' {one_line(detail)}' if detail else ''}"
    return f"{decision['at'][_CLOCK]} {words} (by {one_line(decision['who'])})"


def _of(decision: dict[str, str]) -> str:
    """What a hold is on: there may be several, of groups and of the run."""
    return decision["evidence"] if decision["what"] == "hold" else ""


def _in_force(facts: Facts) -> set[tuple[str, str]]:
    """The decisions that still stand: their kinds, and what they are of."""
    waits = {wait.kind for wait in person_waits(facts)}
    kinds = {
        "pause": WaitKind.PAUSE in waits,
        "ask_approval": WaitKind.APPROVAL in waits,
        "abort": facts.aborted is not None,
        "reject": facts.aborted is not None,
        "end_intake": facts.intake_ended is not None,
    }
    held = facts.controls.held if WaitKind.HOLD in waits else None
    holds = {facts.plan.groups[group].name for group in facts.controls.held_groups if WaitKind.GROUP in waits}
    holds |= set() if held is None else {held.reason}
    return {(kind, "") for kind, stands in kinds.items() if stands} | {("hold", of) for of in holds}
