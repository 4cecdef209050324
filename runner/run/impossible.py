"""An event that cannot have happened: what to say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import ImpossibleEvent

if TYPE_CHECKING:
    from runner.run.events import Event


def impossible(event: Event, why: str) -> ImpossibleEvent:
    """The error for an event of a journal that cannot be, as things stand."""
    hint = "the journal was changed, or written by another version: `runner verify RUN` tells; nothing is sent"
    return ImpossibleEvent(f"the journal says `{event.kind}`, which cannot be: {why}", hint=hint)
