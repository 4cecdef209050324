"""All that a command needs from outside, as one value: a simulation puts a world of its own in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from contextlib import AbstractContextManager, AsyncExitStack
    from datetime import tzinfo
    from pathlib import Path

    from runner.app.hooks import Sender
    from runner.engine.ports import Checker, JobService, ListService, MachineClock
    from runner.engine.refusals import CredentialMemory
    from runner.files.writing import Data
    from runner.journal.owner import Owner
    from runner.journal.store import RunStore
    from runner.model import Lane
    from runner.plan.plan import Plan
    from runner.simulator.behaviour import Behaviour

    Redact = Callable[[str], str]

T = TypeVar("T")

RECEIVED = " received"
"""What follows the name of a signal in the reason of a stop."""


class OpenServices(Protocol):
    """Opens one service a lane of a plan."""

    async def __call__(
        self,
        stack: AsyncExitStack,
        plan: Plan,
        redact: Redact,
        *,
        behaviour: Behaviour | None,
        ca_bundle: Path | None,
        most_reads: int,
        notice: Callable[[str], None],
        memory: CredentialMemory,
    ) -> Sequence[JobService]:
        """The services, in the lanes' order, open until `stack` ends: real ones, or a simulator's of this `behaviour`.

        Each has at most so many reads on their way; more of them wait. `notice` is told what a person should know.
        `memory` is of credentials that were refused.

        Raises:
            InvalidInput: a lane cannot be one.
            ServiceUnusable: no credentials, no project, or no TLS.
        """
        ...


class OpenLists(Protocol):
    """Opens what lists servers and templates, on lanes that no plan was made for yet."""

    async def __call__(
        self,
        stack: AsyncExitStack,
        lanes: Sequence[Lane],
        redact: Redact,
        *,
        ca_bundle: Path | None,
        timeout_s: float,
        memory: CredentialMemory,
    ) -> Sequence[tuple[Lane, ListService]]:
        """Each lane, with its endpoint and project known, and what lists there; else as `OpenServices`."""
        ...


class Files(Protocol):
    """Files outside the state store (`runner.files.writing`)."""

    def write(self, path: Path, data: Data, *, private: bool = False) -> None:
        """Write one whole, or into a stream; raises FileNotWritten. A new one is its owner's alone if `private`."""
        ...

    def check(self, path: Path) -> None:
        """Look whether it could be written now; raises FileNotWritten."""
        ...

    def is_stream(self, path: Path) -> bool:
        """Whether what is written there cannot be read again."""
        ...


class RunLoop(Protocol):
    """Runs a coroutine to its end in an event loop of its own."""

    def __call__(self, main: Coroutine[Any, Any, T]) -> T:
        """What it returns, or raises."""
        ...


class Stoppable(Protocol):
    """A run that can be asked to stop."""

    def stop(self, reason: str) -> None:
        """Send nothing new."""
        ...


class Interrupts(Protocol):
    """What would end the process: from `stop_first` on it stops the run first, and before that cancels the task."""

    def stop_first(self, run: Stoppable) -> None:
        """There is something to stop now."""
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """The machine, the process and the person that a command has.

    `chance` is the one source of randomness, of jitter and of tokens. `identity` makes an owner of a token that is unique
    to one opening of a run; `person` is who gives the command, as `user@host`. `interrupts` is entered in the task that
    carries a run out. `zone` is that of a person's times (None: as the C library has it), and raises InvalidInput where
    nobody can tell. `descriptors` is how many files and connections the process may have open.
    """

    clock: MachineClock
    environ: Mapping[str, str]
    chance: random.Random
    identity: Callable[[str], Owner]
    person: Callable[[], str]
    open_store: Callable[[Path], AbstractContextManager[RunStore]]
    open_services: OpenServices
    open_lists: OpenLists
    open_checker: Callable[[Redact, Path | None], Checker]
    open_sender: Callable[[Redact, Path | None], Sender]
    interrupts: Callable[[], AbstractContextManager[Interrupts]]
    files: Files
    run_loop: RunLoop
    zone: Callable[[], tzinfo | None]
    descriptors: int


# What a run needs beside its connections: the journal, the event loop, the report, lookups of names, a check's pipes.
_OTHER_FILES = 32
_MOST_READS = 64
_ENDS_OF_OWN_SIMULATOR = 2


class ConnectionShare(NamedTuple):
    """How many connections a lane may have at once, for creates and for reads."""

    creates: int
    reads: int


def share_of(descriptors: int, lanes: int, *, simulated: bool) -> ConnectionShare:
    """A lane's share of what the process may have open. With a simulator in it, each connection has both its ends here."""
    ends = _ENDS_OF_OWN_SIMULATOR if simulated else 1
    both = max(2, (descriptors - _OTHER_FILES) // (max(1, lanes) * ends))
    reads = min(_MOST_READS, max(1, both // 3))
    return ConnectionShare(both - reads, reads)
