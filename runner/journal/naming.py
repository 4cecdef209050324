"""Which run a person means: the same in every store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runner.errors import InvalidInput, Problem
from runner.spec.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 3
# Among so many of the newest runs that one is looked for which a person may have meant.
_COMPARED = 1000


class RunIds(Protocol):
    """How a store looks runs up."""

    def newest(self) -> str | None:
        """The run that was made last; None: there is none."""
        ...

    def starting_with(self, text: str) -> Sequence[str]:
        """The ids that start so, newest first; every id starts with an empty text."""
        ...


def resolve_run(text: str, ids: RunIds) -> str:
    """The id that a person means.

    Raises:
        InvalidInput: there is none, or several.
    """
    newest = ids.newest() if text == "last" else None
    if newest is not None:
        return newest
    starting = ids.starting_with(text) if text else ()
    if text in starting:
        return text
    if len(starting) == 1:
        return starting[0]
    if starting:
        raise InvalidInput(
            Problem(f"{text}: {len(starting)} runs start so: {', '.join(starting[:_SHOWN])}", hint="say more")
        )
    close = nearest(text, ids.starting_with("")[:_COMPARED])
    raise InvalidInput(Problem(f"{text}: no such run", hint=f"did you mean {close}?" if close else "see `runner list`"))


def no_such_run(run_id: str) -> InvalidInput:
    """The error for an id that no run has."""
    return InvalidInput(Problem(f"{run_id}: no such run", hint="see `runner list`"))
