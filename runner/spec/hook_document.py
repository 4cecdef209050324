"""The shape of an entry of a jobspec's `on_event`, as a pydantic model: it checks it, and its JSON Schema comes from it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, PlainValidator, StrictInt, StrictStr, WithJsonSchema, model_validator

from runner.model import JsonObject
from runner.spec.found import EXPECTED_SCALAR, mistaken
from runner.spec.parts import Duration, Part, unit
from runner.spec.rules import LABEL
from runner.spec.signals import Moment

MOST_HOOKS = 20

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# These say how the body is sent, which is not the jobspec's to say.
_NOT_GIVEN = frozenset({"content-length", "transfer-encoding", "host", "connection"})


def _header_names(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if _HEADER.fullmatch(name) is None or name.lower() in _NOT_GIVEN:
            raise ValueError(f"{name!r} is no header to give; expected a name such as Authorization")
    return value


def _variable(value: str) -> str:
    if not LABEL.accepts(value):
        raise ValueError(f"{value!r} is no name of a variable; expected {LABEL.expected}")
    return value


def _body(value: object) -> object:
    if isinstance(value, dict | str):
        return value
    raise mistaken(value, "body", "a mapping, which is sent as JSON, or text")


def _told(value: object) -> object:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise mistaken(value, "value", EXPECTED_SCALAR)


Body = Annotated[
    JsonObject | str, PlainValidator(_body), WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "string"}]})
]
Told = Annotated[
    str | bool | int | float | None,
    PlainValidator(_told),
    WithJsonSchema({"anyOf": [{"type": kind} for kind in ("string", "boolean", "integer", "number", "null")]}),
]


class HookDocument(Part):
    """Whom to tell that a run begins, waits for a person, or ends: a command, or an HTTP POST. It never holds the run up."""

    on: list[Moment] = Field(
        min_length=1,
        description="Of what to tell: the run starts, is resumed, is held, waits for approval, is aborted, ends.",
        examples=[["hold", "approval", "abort", "end"]],
    )
    command: list[StrictStr] | None = Field(
        None,
        min_length=1,
        description="Program and arguments; no shell. The signal is JSON on its standard input. Found as those of checks.",
    )
    env: list[Annotated[StrictStr, AfterValidator(_variable)]] = Field(
        default_factory=list,
        description="Variables of the environment that the command is to have, though they look like credentials.",
        examples=[["PAGER_TOKEN"]],
    )
    post: StrictStr | None = Field(
        None, description="A URL. Secrets may stand in it.", examples=["{{ secret.WEBHOOK }}"]
    )
    headers: Annotated[dict[str, StrictStr], AfterValidator(_header_names)] = Field(
        default_factory=dict, description="Headers of the request. Secrets may stand in them."
    )
    body: Body | None = Field(
        None,
        description="What to post, in place of the signal as it is: a mapping as JSON, or text. Templates see `signal`.",
        examples=[{"text": "{{ signal.text }}"}],
    )
    answer: dict[str, Told] = Field(
        default_factory=dict,
        description="What the JSON of the answer must have, for services that say 200 to what they do not take.",
        examples=[{"errcode": 0}],
    )
    timeout: Duration = Field("10s", description="How long one try may take.")
    attempts: StrictInt = Field(
        3, ge=1, le=10, description="How often it is tried, with pauses.", json_schema_extra=unit("tries")
    )

    @model_validator(mode="after")
    def _one_kind(self) -> HookDocument:
        if (self.command is None) == (self.post is None):
            raise ValueError("expected exactly one of `command` and `post`")
        if self.env and self.command is None:
            raise ValueError("`env` is for a command")
        given = [name for name in ("headers", "body", "answer") if getattr(self, name)]
        if given and self.post is None:
            raise ValueError(f"`{given[0]}` is for `post`")
        return self
