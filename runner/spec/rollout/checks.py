"""What can be said of a jobspec's rollout before any value is rendered, beyond the shape of the file."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from runner.errors import Problem
from runner.spec.expressions import check_expression
from runner.spec.rollout.sizes import Adaptive, Ramp, Rest, takes_all
from runner.spec.suggest import did_you_mean
from runner.spec.templates import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.spec.campaign import Campaign, Place, Template
    from runner.spec.rollout.model import RolloutSpec, WaveSpec


def check_rollout(campaign: Campaign) -> Iterator[Problem]:
    """Everything that is wrong."""
    rollout = campaign.rollout
    if rollout is None:
        return
    yield from _waves(rollout)
    yield from _steps(campaign, rollout)
    for expression in (*(rollout.strata or ()), *(limit.expression for limit in rollout.budget.per)):
        yield from _expression(expression)


def public_templates(rollout: RolloutSpec) -> Iterator[Template]:
    """The templates of checks: they are run and shown, so no secret may stand in them."""
    for check in rollout.checks:
        yield from check.command or ()
        if check.url is not None:
            yield check.url


def side_steps(rollout: RolloutSpec) -> dict[str, Place]:
    """The steps that only the rollout asks for, each with the place where it does."""
    steps = {check.step: check.place for check in rollout.checks if check.step is not None}
    if rollout.on_failure is not None:
        steps.setdefault(rollout.on_failure, rollout.place_of("on_failure.step"))
    return steps


def _waves(rollout: RolloutSpec) -> Iterator[Problem]:
    lines: dict[str, int] = {}
    for index, wave in enumerate(rollout.waves):
        yield from _sizes(rollout, wave, index)
        if wave.name in lines:
            yield _at(wave.place, f"a second wave called `{wave.name}`; the first is on line {lines[wave.name]}")
        lines.setdefault(wave.name, wave.place.line)
        if isinstance(wave.sizes, Adaptive) and rollout.abort.sequential is None:
            message = f"wave `{wave.name}` is adaptive, and there is no evidence for it to follow"
            yield _at(wave.place, message, "add abort.sequential")
        if doubles := [name for name, count in Counter(wave.groups).items() if count > 1]:
            yield _at(wave.place, f"wave `{wave.name}` names group `{doubles[0]}` twice")
    rest = [wave for wave in rollout.waves if wave.groups is None]
    if len(rest) > 1:
        yield _at(
            rest[1].place, f"wave `{rest[1].name}` has no `groups`: `{rest[0].name}` takes all that are left already"
        )


def _sizes(rollout: RolloutSpec, wave: WaveSpec, index: int) -> Iterator[Problem]:
    """Sizes that can never apply: a person who wrote them means something else."""
    if isinstance(wave.sizes, Ramp | Adaptive):
        return
    last = next((place for place, size in enumerate(wave.sizes) if takes_all(size)), len(wave.sizes))
    if last + 1 < len(wave.sizes):
        word = "rest" if isinstance(wave.sizes[last], Rest) else "100%"
        place = rollout.place_of(f"waves.{index}.sizes.{last + 1}")
        yield _at(place, f"nothing is left after `{word}`", "take out what stands after it")


def _steps(campaign: Campaign, rollout: RolloutSpec) -> Iterator[Problem]:
    names = [step.name for step in campaign.steps]
    side = side_steps(rollout)
    for name, place in side.items():
        if name not in names:
            yield _at(place, f"there is no step `{name}`", did_you_mean(name, names))
    if names and not set(names) - side.keys():
        yield _at(rollout.place, "every step is one for checks or failures; nothing is left to roll out")
    made: set[str | None] = set()
    for check in rollout.checks:
        if check.step is not None and check.step == rollout.on_failure:
            yield _at(check.place, f"step `{check.step}` cannot be a check and what follows a failure; make two of it")
        if check.step is not None and check.step in made:
            yield _at(check.place, f"step `{check.step}` is a check already; a step is made once on each server")
        made.add(check.step)
        if check.step is not None and check.attempts > 1:
            message = f"check `{check.name}`: a step is made once on each server; `attempts` is for commands and http"
            yield _at(check.place, message)


def _expression(template: Template) -> Iterator[Problem]:
    try:
        check_expression(template)
    except TemplateProblem as error:
        yield error.problem


def _at(place: Place, message: str, hint: str = "") -> Problem:
    return Problem(message, place.file, place.line, place.column, place.path, hint)
