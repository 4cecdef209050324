"""Which run a person means, and whether a run may be taken over: the same in every store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runner.errors import InvalidInput, Problem
from runner.journal.store import RunIsOpen
from runner.model import RunState
from runner.spec.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.journal.owner import Owner

    IsAlive = Callable[[Owner], bool | None]

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


def refuse_living_owner(
    run_id: str, owner: Owner | None, silent_s: float, takeover_s: float, is_alive: IsAlive
) -> None:
    """Look at who owns a run; `silent_s` is the age of its heartbeat.

    Raises:
        RunIsOpen: a process that may be alive.
    """
    if not owner_may_live(owner, silent_s, takeover_s, is_alive) or owner is None:
        return
    raise RunIsOpen(
        f"run {run_id} is being carried out by process {owner.pid} on {owner.host}",
        hint="wait until it is over, or stop it there with Ctrl-C (SIGINT) first",
    )


def owner_may_live(owner: Owner | None, silent_s: float, takeover_s: float, is_alive: IsAlive) -> bool:
    """Whether a run's owner must be reckoned with. One that is known to live counts, however long it was silent.

    One that was stopped for a while (SIGSTOP) cannot append any more once it was replaced, so its silence decides.
    """
    if owner is None:
        return False
    alive = is_alive(owner)
    if alive is False:
        return False
    return silent_s <= takeover_s


def run_state(noted: str | None, *, owner_lives: bool, journal_says: str | None) -> RunState:
    """What to call a run in a list: as it was noted, or as its journal ends; else by whether its process lives.

    The journal of a run that has just been taken up again ends as the process before left it, and that is what a report
    says, too: whether a process has the run is another question (`RunRow.is_open`).
    """
    return RunState(noted or journal_says or (RunState.RUNNING if owner_lives else RunState.INTERRUPTED))


def no_such_run(run_id: str) -> InvalidInput:
    """The error for an id that no run has."""
    return InvalidInput(Problem(f"{run_id}: no such run", hint="see `runner list`"))
