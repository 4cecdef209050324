"""What the models of a jobspec's parts share: strictness, and the kinds of text with rules of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictStr

from runner.spec import quantities
from runner.spec.found import is_number, mistaken
from runner.spec.rules import NAME

if TYPE_CHECKING:
    from pydantic.config import JsonDict


class Part(BaseModel):
    """A mapping whose keys are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def kind(name: str) -> JsonDict:
    """What a text or number means, for the documents that are made from the schema."""
    return {"x-kind": name}


def unit(name: str) -> JsonDict:
    """What a number counts, likewise."""
    return {"x-unit": name}


def _named(value: str) -> str:
    if not NAME.accepts(value):
        raise ValueError(f"{value!r} is no valid name; expected {NAME.expected}")
    return value


def _duration(value: object) -> object:
    if isinstance(value, str) and quantities.parse_duration(value) is not None:
        return value
    advice = f"write {value}s if it is in seconds" if is_number(value) else ""
    raise mistaken(value, "duration", quantities.EXPECTED_DURATION, advice)


Name = Annotated[
    StrictStr, AfterValidator(_named), Field(json_schema_extra={"pattern": "^[-_.a-zA-Z0-9]{1,64}$", **kind("name")})
]
Duration = Annotated[
    StrictStr, BeforeValidator(_duration), Field(examples=["30s", "2h"], json_schema_extra=kind("duration"))
]
