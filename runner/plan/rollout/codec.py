"""A plan's rollout as JSON, and back."""

from __future__ import annotations

from array import array
from dataclasses import asdict
from itertools import accumulate, chain
from typing import TYPE_CHECKING

from runner.plan.rollout.model import PlannedBudget, PlannedCheck, PlannedDomains, PlannedWave, Rollout
from runner.servers import columns_of, in_pieces
from runner.spec.numbers import plain_numbers, written_numbers
from runner.spec.quantities import WHOLE, parse_share
from runner.spec.rollout.limits import LIMITS
from runner.spec.rollout.model import AbortRules, SequentialRule, WindowRules

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.model import JsonMapping, JsonObject
    from runner.servers import ServerColumns
    from runner.spec.rollout.model import Share

_OPTIONAL = frozenset({"env", "folder", "fingerprint"})


def rollout_to_json(rollout: Rollout) -> JsonObject:
    """The rollout; limits as they were written."""
    budget = rollout.budget
    return {
        "main_steps": rollout.main_steps,
        "waves": [{**asdict(wave), "checks": list(map(_check_to_json, wave.checks))} for wave in rollout.waves],
        "budget": {
            **{
                kind.name: _text(budget.limits.get(kind.name))
                for kind in LIMITS
                if kind.always_written or kind.name in budget.limits
            },
            "per": {domains.expression: _text(domains.most) or WHOLE for domains in budget.per},
            **_variables(budget),
        },
        "abort": asdict(rollout.abort),
        "on_breach": rollout.on_breach,
        "window": None if rollout.window is None else asdict(rollout.window),
        "deadline_s": rollout.deadline_s,
        "expected_s": list(rollout.expected_s),
        "on_failure": rollout.on_failure,
        "failure_bodies": [dict(body) for body in rollout.failure_bodies],
    }


def rollout_from_json(document: JsonMapping) -> Rollout:
    """The rollout of `rollout_to_json`."""
    window, sequential = document["window"], document["abort"]["sequential"]
    return Rollout(
        main_steps=document["main_steps"],
        waves=tuple(_wave(wave) for wave in document["waves"]),
        budget=_budget(document["budget"]),
        abort=AbortRules(
            sequential=None if sequential is None else SequentialRule(**sequential),
            after_unknown=document["abort"]["after_unknown"],
        ),
        on_breach=document["on_breach"],
        window=None
        if window is None
        else WindowRules(**{**window, "allow": tuple(window["allow"]), "deny": tuple(window["deny"])}),
        deadline_s=document["deadline_s"],
        expected_s=tuple(document["expected_s"]),
        on_failure=document["on_failure"],
        failure_bodies=tuple(document["failure_bodies"]),
    )


def without_folders(rollout: JsonMapping) -> JsonObject:
    """The rollout of `rollout_to_json` without what only says where the plan was made."""
    waves = [
        {**wave, "checks": [{key: check[key] for key in check if key != "folder"} for check in wave["checks"]]}
        for wave in rollout["waves"]
    ]
    return {**rollout, "waves": waves}


def _wave(wave: JsonMapping) -> PlannedWave:
    return PlannedWave(**{**wave, "checks": tuple(map(_check, wave["checks"]))})


def _check_to_json(check: PlannedCheck) -> JsonObject:
    """What a check does not need is not there: plans were made before checks had it, and keep their hash."""
    return {key: value for key, value in asdict(check).items() if key not in _OPTIONAL or value}


def _check(check: JsonMapping) -> PlannedCheck:
    if not isinstance(check.get("folder", ""), str):  # the hash does not cover it, so that anything may stand there
        raise TypeError(f"the folder of a check is {check['folder']!r}")
    command = None if check["command"] is None else tuple(check["command"])
    return PlannedCheck(**{**check, "command": command, "env": tuple(check.get("env", ()))})


def _budget(budget: JsonMapping) -> PlannedBudget:
    variables = written_numbers(budget.get("variables", {}))
    shares = {kind.name: parse_share(text) for kind in LIMITS if (text := budget.get(kind.name)) is not None}
    per = (
        PlannedDomains(expression, None if most == WHOLE else parse_share(most), variables.get(expression, {}))
        for expression, most in budget["per"].items()
    )
    return PlannedBudget({name: share for name, share in shares.items() if share is not None}, tuple(per))


def _variables(budget: PlannedBudget) -> JsonObject:
    """Those that expressions use; left out where none does, as in plans that were made before they could."""
    variables = {
        domains.expression: plain_numbers(dict(domains.variables)) for domains in budget.per if domains.variables
    }
    return {"variables": variables} if variables else {}


def _text(share: Share | None) -> str | None:
    return None if share is None else share.text


def labels_to_json(groups: Sequence[ServerColumns]) -> JsonObject:
    """The labels of all servers: the different ones, in pieces, and which of them each server of each group has."""
    if len({id(group.different) for group in groups}) > 1:  # they were brought together
        every = columns_of(list(chain.from_iterable(groups)))
        groups = [
            every[stop - len(group) : stop] for group, stop in zip(groups, accumulate(map(len, groups)), strict=True)
        ]
    number_at = array("q", [-1]) * len(groups[0].different) if groups else array("q")
    used: list[int] = []
    for places in chain.from_iterable(in_pieces(group.places) for group in groups):
        for place in dict.fromkeys(places):  # most repeat
            if number_at[place] < 0:
                number_at[place] = len(used)
                used.append(place)
    return {
        "different": (list(groups[0].labels_at(places)) for places in in_pieces(used)),
        "of": ([_numbers(number_at, group.places)] for group in groups),
    }


def _numbers(number_at: Sequence[int], places: Sequence[int]) -> Iterator[list[int]]:
    return (list(map(number_at.__getitem__, piece)) for piece in in_pieces(places))
