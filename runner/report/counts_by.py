"""How many servers of a run came out how, for each value of a label, or each wave, group or lane."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import InvalidInput, Problem
from runner.model import Outcome
from runner.run.by_request import RequestState, by_request
from runner.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.model import JsonObject, Server
    from runner.plan.plan import Plan
    from runner.run.facts import Facts

LABELS = "labels."
PLACES = ("wave", "group", "lane")
_AT = {RequestState.ACCEPTED: "at_work", RequestState.PLANNED: "not_reached"}
COUNTED = (*(outcome.value for outcome in Outcome), *_AT.values())
"""What is counted: outcomes; what is at work, or was not reached, is neither unknown nor not started here."""
BAD = tuple(outcome.value for outcome in Outcome if outcome.is_abnormal)


class ValueCounts(NamedTuple):
    """The servers with one value, None where they have no such label; `counts` are by what is `COUNTED`."""

    value: str | None
    counts: Counter[str]

    @property
    def servers(self) -> int:
        """How many there are."""
        return self.counts.total()

    @property
    def bad(self) -> int:
        """How many of them are abnormal."""
        return sum(map(self.counts.__getitem__, BAD))

    def as_json(self) -> JsonObject:
        """As JSON has it."""
        return {"value": self.value, "servers": self.servers, **{name: self.counts[name] for name in COUNTED}}


def counts_by(facts: Facts, name: str) -> list[ValueCounts]:
    """The counts by `labels.NAME`, `wave`, `group` or `lane`: those with the most abnormal servers first.

    Raises:
        InvalidInput: no server has such a label, or it is none of these.
    """
    value_of = _value_of(facts.plan, name)
    found: dict[str | None, Counter[str]] = {}
    last_step = facts.plan.main_steps - 1
    for standing in by_request(facts):
        entry = facts.requests.entries[standing.request]
        if not facts.is_main(standing.request):
            continue
        place = _AT.get(standing.state)
        for server, outcome in zip(standing.servers, standing.outcomes, strict=True):
            if outcome is Outcome.SUCCEEDED and entry.step != last_step:
                continue  # it counts in the next step
            value = value_of(server, entry.group, entry.wave)
            counts = found.get(value)
            if counts is None:
                counts = found[value] = Counter()
            counts[place or outcome.value] += 1
    rows = [ValueCounts(value, counts) for value, counts in found.items()]
    return sorted(rows, key=lambda row: (-row.bad, -row.bad / row.servers, row.value is None, row.value or ""))


def _value_of(plan: Plan, name: str) -> Callable[[Server, int, int], str | None]:
    """What tells the value for a server, by its group and wave."""
    lanes, waves = [lane.label for lane in plan.lanes], plan.rollout.waves if plan.rollout else ()
    if name.startswith(LABELS):
        label = _known_label(plan, name.removeprefix(LABELS))
        return lambda server, group, wave: server.labels.get(label)  # noqa: ARG005  as the others
    if name == "group":
        return lambda server, group, wave: plan.groups[group].name  # noqa: ARG005  likewise
    if name == "lane":
        return lambda server, group, wave: lanes[plan.groups[group].lane]  # noqa: ARG005  likewise
    if name == "wave" and waves:
        return lambda server, group, wave: waves[wave].name  # noqa: ARG005  likewise
    if name == "wave":
        raise InvalidInput(Problem("the run has no waves: its jobspec has no `rollout`", path="--by"))
    names = [*PLACES, *(f"{LABELS}{label}" for label in label_names(plan))]
    expected = "expected wave, group, lane or a label, such as labels.rack"
    raise InvalidInput(Problem(f"{name!r}: {expected}", path="--by", hint=did_you_mean(name, names)))


def _known_label(plan: Plan, label: str) -> str:
    names = label_names(plan)
    if label in names:
        return label
    if not names:
        what, hint = "the plan of this run has no labels of its servers", "expected wave, group or lane"
    else:
        what, hint = f"no server of the run has a label `{label}`", did_you_mean(label, names)
    raise InvalidInput(Problem(what, path="--by", hint=hint))


def label_names(plan: Plan) -> list[str]:
    """The names of all labels of a plan's servers."""
    different = {id(server.labels): server.labels for group in plan.groups for server in group.servers}
    return sorted({name for labels in different.values() for name in labels})
