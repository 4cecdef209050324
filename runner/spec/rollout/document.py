"""The shape of a jobspec's `rollout`, as pydantic models: they check it, and its JSON Schema comes from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    Tag,
    WithJsonSchema,
    create_model,
    model_validator,
)

from runner.spec import quantities
from runner.spec.found import in_percent, is_number, mistaken
from runner.spec.parts import Duration, Name, Part, kind, unit
from runner.spec.rollout.limits import LIMITS, PER
from runner.spec.rollout.sizes import EXPECTED_MOST, EXPECTED_SIZE, Rest, parse_size
from runner.spec.rollout.windows import (
    EXPECTED_ALLOW,
    EXPECTED_DENY,
    EXPECTED_TIMEZONE,
    is_timezone,
    parse_allow,
    parse_deny,
)
from runner.spec.rules import LABEL


def _share(value: object) -> object:
    if isinstance(value, bool | str | int) and _is_share(value):
        return value
    raise mistaken(value, "limit", quantities.EXPECTED_SHARE, _percent_advice(value))


def _is_share(value: str | int) -> bool:
    return not isinstance(value, bool) and quantities.parse_share(value) is not None


def _percent_advice(value: object) -> str:
    share = in_percent(value)
    return f"write {share} if it is a share" if share else ""


def _domain_limit(value: object) -> object:
    if value == quantities.WHOLE or (isinstance(value, str | int) and _is_share(value)):
        return value
    raise mistaken(value, "limit", f"{quantities.EXPECTED_SHARE}, or whole", _percent_advice(value))


def _percent(value: object) -> object:
    share = quantities.parse_percent(value) if isinstance(value, str) else None
    if share is None or not 0 < share < 1:
        advice = _percent_advice(value) or (f"write {value}% if it is that" if is_number(value) else "")
        raise mistaken(value, "rate", "a percentage between 0% and 100%, such as 1%", advice)
    return value


def _cutoff(value: object) -> object:
    if isinstance(value, str) and quantities.parse_quantile(value) is not None:
        return value
    raise mistaken(value, "quantile", "one such as p95 or p50", f"write p{value}" if isinstance(value, int) else "")


def _timezone(value: str) -> str:
    if not is_timezone(value):
        raise ValueError(f"{value!r} is no time zone known here; expected {EXPECTED_TIMEZONE}")
    return value


def _allow(value: object) -> object:
    if isinstance(value, str) and parse_allow(value) is not None:
        return value
    raise mistaken(value, "window", EXPECTED_ALLOW)


def _deny(value: object) -> object:
    if isinstance(value, str) and parse_deny(value) is not None:
        return value
    raise mistaken(value, "date or span of dates", EXPECTED_DENY)


def _size(value: object) -> object:
    if parse_size(value) is None:
        raise mistaken(value, "size", EXPECTED_SIZE, _percent_advice(value))
    return value


def _seed(value: object) -> object:
    """A number is a seed by its text."""
    return str(value) if is_number(value) else value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError(f"{value!r} is no name for reports; expected printable characters")
    return value


def _variable(value: str) -> str:
    if not LABEL.accepts(value):
        raise ValueError(f"{value!r} is no name of a variable; expected {LABEL.expected}")
    return value


def _most(value: object) -> object:
    if parse_size(value) in {None, Rest()}:
        raise mistaken(value, "limit of a ramp", EXPECTED_MOST, _percent_advice(value))
    return value


LimitText = Annotated[
    StrictInt | StrictStr, BeforeValidator(_share), Field(examples=[10, "2%"], json_schema_extra=kind("limit"))
]
DomainLimitText = Annotated[
    StrictInt | StrictStr,
    BeforeValidator(_domain_limit),
    Field(examples=[1, "20%", "whole"], json_schema_extra=kind("limit or whole")),
]
Percentage = Annotated[
    StrictStr, BeforeValidator(_percent), Field(examples=["1%"], json_schema_extra=kind("percentage"))
]
WaveSize = Annotated[
    StrictInt | StrictStr, BeforeValidator(_size), Field(examples=[5, "5%", "rest"], json_schema_extra=kind("size"))
]
RampMost = Annotated[
    StrictInt | StrictStr, BeforeValidator(_most), Field(examples=[5, "5%"], json_schema_extra=kind("size but rest"))
]

Seed = Annotated[StrictStr, BeforeValidator(_seed), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}]})]


class RampDocument(Part):
    """Sizes that grow: `first`, then each time `factor` as many, at most `most`."""

    first: StrictInt = Field(1, ge=1, description="Servers of the first wave.", json_schema_extra=unit("servers"))
    factor: StrictInt | StrictFloat = Field(
        2, gt=1, le=100, description="How much larger each wave is.", json_schema_extra=unit("times")
    )
    most: RampMost | None = Field(None, description="At most so many: a number, or percent of the entry's servers.")

    @model_validator(mode="after")
    def _first_fits(self) -> RampDocument:
        most = None if self.most is None else parse_size(self.most)
        if isinstance(most, int) and self.first > most:
            raise ValueError(f"first ({self.first}) must not be more than most ({most})")
        return self


class AdaptiveDocument(Part):
    """One wave whose size follows the evidence of health so far."""

    growth: StrictInt | StrictFloat = Field(
        gt=1,
        le=10,
        json_schema_extra=unit("times"),
        description="In flight may be `growth` - 1 times as many as came out well so far; `adaptive` is 2.",
    )


def _form_of_sizes(value: object) -> str | None:
    """Which of its forms `sizes` has: so that a mistake is one in that form only. None: it has none."""
    if isinstance(value, list):
        return "one-of-list"
    if isinstance(value, AdaptiveDocument) or (isinstance(value, dict) and "growth" in value):
        return "one-of-adaptive"
    if isinstance(value, dict | RampDocument):
        return "one-of-ramp"
    return "one-of-words" if value == "adaptive" else None


WaveSizes = Annotated[
    Annotated[list[WaveSize], Field(min_length=1), Tag("one-of-list")]
    | Annotated[RampDocument, Tag("one-of-ramp")]
    | Annotated[AdaptiveDocument, Tag("one-of-adaptive")]
    | Annotated[Literal["adaptive"], Tag("one-of-words")],
    Discriminator(
        _form_of_sizes,
        custom_error_type="sizes",
        custom_error_message="expected a list such as [1, 5%, rest], a ramp such as {first: 1, factor: 2}, or adaptive",
    ),
]


class WaveDocument(Part):
    """An entry of `waves`: one wave, or several by `sizes`. The next wave begins when this one's gate says go on."""

    name: Name = Field(description="Name of the wave; with several sizes they are called NAME-1, NAME-2 and so on.")
    groups: list[StrictStr] | None = Field(
        None, min_length=1, description="Groups, in order; without, all that are in no other wave."
    )
    sizes: WaveSizes | None = Field(
        None,
        description="How many servers go together: numbers, percent of what is left, `rest`; a ramp; or `adaptive`.",
        examples=[[1, 5, "5%", "25%", "rest"], {"first": 1, "factor": 2, "most": "25%"}, "adaptive", {"growth": 3}],
    )
    soak: Duration | None = Field(None, description="How long to wait after the wave before its checks.")
    approve: StrictBool = Field(
        default=False,
        description="Whether a person must approve before the next wave; after the last one, before the run is finished.",
    )


_per: dict[str, DomainLimitText] = Field(
    default_factory=dict,
    description=PER.meaning,
    examples=[{"labels.rack": 1, "labels.hyper_instance": "whole", "labels.az": "20%"}],
)

if TYPE_CHECKING:

    class BudgetDocument(Part):
        """See below. The limits are read by their names."""

        per: dict[str, DomainLimitText]

else:
    BudgetDocument = create_model(
        "BudgetDocument",
        __base__=Part,
        __doc__="Limits that hold even if everything in flight fails. Abnormal is failed, timed out and unknown.",
        **{kind.name: (LimitText | None, Field(None, description=kind.meaning)) for kind in LIMITS},
        per=(dict[str, DomainLimitText], _per),
    )


class SequentialDocument(Part):
    """A sequential test of the share of abnormal servers: `healthy` against `bad`."""

    healthy: Percentage = Field("1%", description="A share of abnormal servers that is nobody's fault.")
    bad: Percentage = Field("5%", description="A share that means the change is bad.")
    false_alarm: Percentage = Field("1%", description="Chance to stop a healthy campaign, at most.")
    miss: Percentage = Field("5%", description="Chance to call a bad change healthy, at most.")

    @model_validator(mode="after")
    def _in_order(self) -> SequentialDocument:
        healthy, bad = quantities.parse_percent(self.healthy), quantities.parse_percent(self.bad)
        if healthy is not None and bad is not None and healthy >= bad:
            raise ValueError(f"healthy ({self.healthy}) must be less than bad ({self.bad})")
        return self


class AbortDocument(Part):
    """Evidence that the change itself is bad: nothing new is sent, and the run ends with exit 4."""

    sequential: SequentialDocument | None = Field(None, description="Stop once outcomes prove the change bad.")
    after_unknown: StrictInt | None = Field(
        None, ge=1, description="Stop at so many unknown or timed-out servers.", json_schema_extra=unit("servers")
    )


class WindowDocument(Part):
    """When requests may be sent. Nothing starts that is not expected to end inside."""

    allow: list[Annotated[StrictStr, BeforeValidator(_allow)]] = Field(
        default_factory=list, description="Weekdays and times; empty: always.", examples=[["Sat,Sun 01:00-06:00"]]
    )
    deny: list[Annotated[StrictStr, BeforeValidator(_deny)]] = Field(
        default_factory=list, description="Dates, or spans of dates, without.", examples=[["2026-12-24..2027-01-02"]]
    )
    timezone: Annotated[StrictStr, AfterValidator(_timezone)] = Field("UTC", description="Of all times here.")
    cutoff: Annotated[StrictStr, BeforeValidator(_cutoff)] = Field(
        "p95", description="How long a job is expected to last: this quantile of those seen, of the same step."
    )


class CheckDocument(Part):
    """A health gate after each wave: a command that exits 0, a GET that answers 2xx, or a step that succeeds."""

    name: Annotated[StrictStr, AfterValidator(_printable)] = Field(
        min_length=1, max_length=100, description="What is checked, for reports."
    )
    command: list[StrictStr] | None = Field(
        None,
        min_length=1,
        description="Program and arguments; no shell. A path is relative to this file, a name without / is found on PATH.",
    )
    http: StrictStr | None = Field(None, description="A URL.")
    step: StrictStr | None = Field(None, description="A step to run on the wave's servers that succeeded.")
    timeout: Duration = Field("5m", description="How long one attempt may take.")
    attempts: StrictInt = Field(
        1, ge=1, le=100, description="How often it may be tried.", json_schema_extra=unit("tries")
    )
    env: list[Annotated[StrictStr, AfterValidator(_variable)]] = Field(
        default_factory=list,
        description="Variables of the environment that a command is to have, though they look like credentials: it "
        "has all others.",
        examples=[["GRAFANA_TOKEN"]],
    )

    @model_validator(mode="after")
    def _one_kind(self) -> CheckDocument:
        if sum(kind is not None for kind in (self.command, self.http, self.step)) != 1:
            raise ValueError(f"check `{self.name}` needs exactly one of `command`, `http` and `step`")
        if self.env and self.command is None:
            raise ValueError(f"check `{self.name}`: `env` is for a command")
        return self


class FailureDocument(Part):
    """What to do for servers that failed, before anything else is started."""

    step: StrictStr = Field(description="A step to run on them, such as one that collects logs.")


class RolloutDocument(Part):
    """How carefully the campaign goes: waves, budgets, gates, windows."""

    waves: list[WaveDocument] = Field(
        default_factory=list, min_length=1, description="In order; without this key all groups are one wave."
    )
    order: Literal["stratified", "listed", "shuffled"] = Field(
        "stratified", description="In which order servers are taken: early waves cover every stratum; as listed; mixed."
    )
    strata: list[StrictStr] | None = Field(
        None, min_length=1, description="Expressions over servers; without, those of budget.per."
    )
    seed: Seed = Field("", description="For order: shuffled.")
    budget: BudgetDocument = Field(
        default_factory=lambda: BudgetDocument.model_validate({}), description="Hard limits."
    )
    abort: AbortDocument = Field(default_factory=lambda: AbortDocument.model_validate({}), description="Evidence.")
    on_breach: Literal["hold", "abort", "hold_early"] = Field(
        "hold", description="What a limit or a failed check leads to: a person decides, or the run is aborted."
    )
    window: WindowDocument | None = Field(None, description="When requests may be sent.")
    deadline: Duration | None = Field(None, description="So long after its start nothing new is sent.")
    checks: list[CheckDocument] = Field(default_factory=list, description="Health gates after each wave.")
    on_failure: FailureDocument | None = Field(None, description="What to do for servers that failed.")
