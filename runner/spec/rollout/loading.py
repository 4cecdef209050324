"""From a checked `rollout` document to typed values, each with its place in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.spec.placing import place_of, template_of
from runner.spec.quantities import WHOLE, parse_duration, parse_percent, parse_quantile, parse_share
from runner.spec.rollout.document import (
    AbortDocument,
    AdaptiveDocument,
    BudgetDocument,
    CheckDocument,
    RampDocument,
    RolloutDocument,
    SequentialDocument,
    WaveDocument,
    WindowDocument,
)
from runner.spec.rollout.limits import LIMITS, PER
from runner.spec.rollout.model import (
    AbortRules,
    BudgetRules,
    CheckSpec,
    DomainLimit,
    RolloutSpec,
    SequentialRule,
    WaveSpec,
    WindowRules,
)
from runner.spec.rollout.sizes import Adaptive, Ramp, Rest, Sizes, parse_size

if TYPE_CHECKING:
    from runner.spec.campaign import Place
    from runner.spec.yaml_source import Path, Source

_PATH: Path = ("rollout",)
_ALL = "all"


def load_rollout(document: RolloutDocument, source: Source) -> RolloutSpec:
    """The rollout of a jobspec."""
    strata = document.strata
    return RolloutSpec(
        place=place_of(source, _PATH),
        waves=tuple(_wave(wave, source, index) for index, wave in enumerate(document.waves))
        or (WaveSpec(_ALL, place_of(source, _PATH), None, [Rest()], is_written=False),),
        order=document.order,
        strata=None
        if strata is None
        else tuple(template_of(source, text, (*_PATH, "strata", index)) for index, text in enumerate(strata)),
        seed=str(document.seed),
        budget=_budget(document.budget, source),
        abort=_abort(document.abort),
        on_breach=document.on_breach,
        window=_window(document.window),
        deadline_s=_seconds(document.deadline),
        checks=tuple(_check(check, source, index) for index, check in enumerate(document.checks)),
        on_failure=document.on_failure.step if document.on_failure else None,
        places=_places(document, source),
    )


def _places(document: RolloutDocument, source: Source) -> dict[str, Place]:
    paths: list[Path] = [("budget", kind.name) for kind in (*LIMITS, PER)]
    paths += [("budget", "per", expression) for expression in document.budget.per]
    for index, wave in enumerate(document.waves):
        sizes = wave.sizes if isinstance(wave.sizes, list) else ()
        paths += [("waves", index, "sizes", place) for place in range(len(sizes))]
    return {".".join(map(str, path)): place_of(source, (*_PATH, *path)) for path in (*paths, ("on_failure", "step"))}


def _wave(wave: WaveDocument, source: Source, index: int) -> WaveSpec:
    return WaveSpec(
        name=wave.name,
        place=place_of(source, (*_PATH, "waves", index, "name")),
        groups=None if wave.groups is None else tuple(wave.groups),
        sizes=_sizes(wave),
        soak_s=_seconds(wave.soak) or 0.0,
        approve=wave.approve,
    )


def _sizes(wave: WaveDocument) -> Sizes:
    sizes = wave.sizes
    if sizes is None:
        return [Rest()]
    if isinstance(sizes, str):
        return Adaptive()
    if isinstance(sizes, AdaptiveDocument):
        return Adaptive(float(sizes.growth))
    if isinstance(sizes, RampDocument):
        most = None if sizes.most is None else parse_size(sizes.most)
        return Ramp(sizes.first, float(sizes.factor), None if isinstance(most, Rest) else most)
    return [size for text in sizes if (size := parse_size(text)) is not None]


def _budget(budget: BudgetDocument, source: Source) -> BudgetRules:
    per = tuple(
        DomainLimit(
            template_of(source, expression, (*_PATH, "budget", "per", expression)),
            None if most == WHOLE else parse_share(most),
        )
        for expression, most in budget.per.items()
    )
    limits = {kind.name: parse_share(text) for kind in LIMITS if (text := getattr(budget, kind.name)) is not None}
    return BudgetRules({name: share for name, share in limits.items() if share is not None}, per)


def _abort(abort: AbortDocument) -> AbortRules:
    return AbortRules(_sequential(abort.sequential), abort.after_unknown)


def _sequential(document: SequentialDocument | None) -> SequentialRule | None:
    if document is None:
        return None
    rates = (document.healthy, document.bad, document.false_alarm, document.miss)
    return SequentialRule(*(parse_percent(rate) or 0.0 for rate in rates))


def _window(document: WindowDocument | None) -> WindowRules | None:
    if document is None:
        return None
    cutoff = parse_quantile(document.cutoff) or 0.0
    return WindowRules(tuple(document.allow), tuple(document.deny), document.timezone, cutoff)


def _check(check: CheckDocument, source: Source, index: int) -> CheckSpec:
    path = (*_PATH, "checks", index)
    command = check.command
    return CheckSpec(
        name=check.name,
        place=place_of(source, path),
        command=None
        if command is None
        else tuple(template_of(source, text, (*path, "command", place)) for place, text in enumerate(command)),
        url=None if check.http is None else template_of(source, check.http, (*path, "http")),
        step=check.step,
        timeout_s=_seconds(check.timeout) or 0.0,
        attempts=check.attempts,
        env=tuple(check.env),
    )


def _seconds(text: str | None) -> float | None:
    return None if text is None else parse_duration(text)
