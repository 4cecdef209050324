"""What a signal tells of a run, as a model: for its JSON Schema, and for the templates of bodies, which name its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from runner.model import JsonObject

SCHEMA_VERSION = "runner/signal/v1"
Moment = Literal["start", "resume", "hold", "approval", "abort", "end"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SignalCounts(_Part):
    """Servers of the run, and those whose outcome is known by now; when the run ends, every outcome as its report has it."""

    servers: int
    succeeded: int
    failed: int
    skipped: int
    timed_out: int
    unknown: int
    not_started: int
    excluded: int


class SignalFile(_Part):
    """What a command of `on_event` gets on its standard input, and what is posted where no `body` says otherwise."""

    schema_version: Literal["runner/signal/v1"]
    id: str = Field(description="The same each time that the signal is tried; what arrives twice has it twice.")
    event: Moment
    at: str = Field(description="RFC 3339 in UTC.")
    run_id: str
    campaign: str
    simulated: bool = Field(description="Whether it is a rehearsal.")
    state: str = Field(description="running; of an end: finished, submitted, stopped, aborted or unusable.")
    reason: str = Field(description="Why it is held, aborted, or ended so; empty where nothing is to be said.")
    wave: str | None = Field(description="The wave at work, or the one that waits for approval.")
    needs_person: bool = Field(description="Whether the run goes on only once a person does what `next` says.")
    next: str = Field(description="The exact commands that a person has now; empty: there is nothing to type.")
    exit_code: int | None = Field(description="Of an end; null before.")
    counts: SignalCounts
    text: str = Field(description="All that in one line, for chats.")


def signal_schema() -> JsonObject:
    """The JSON Schema of a signal."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **SignalFile.model_json_schema(),
        "title": "signal",
    }
