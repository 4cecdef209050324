"""What a command knows of credentials that the service refused, and the calls of its own that it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.engine.credential import Credential
from runner.engine.refusals import CredentialMemory, KeptInProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.engine.calls import LaneCredential
    from runner.engine.ports import Clock, JobService, ListService
    from runner.journal.store import RunStore

# A call may take the timeout, and a login before it about as long as this, seconds.
_LOGIN_S = 10.0


def memory_of(
    store: RunStore,
    holder: str,
    wall: Callable[[], float],
    *,
    timeout_s: float,
    simulated: bool = False,
    insists: bool = False,
) -> CredentialMemory:
    """That of the state folder; a simulator's credentials are nobody else's business."""
    kept = KeptInProcess() if simulated else store.credentials
    return CredentialMemory(kept, wall, holder, turn_s=timeout_s + _LOGIN_S, insists=insists)


def credentials_of(
    services: Sequence[JobService | ListService], memory: CredentialMemory, clock: Clock
) -> list[LaneCredential]:
    """The credential of each lane: one for all lanes that have the same one."""
    by_name: dict[str, Credential] = {}
    return [_credential(service, by_name, memory, clock).of_lane() for service in services]


def _credential(
    service: JobService | ListService, by_name: dict[str, Credential], memory: CredentialMemory, clock: Clock
) -> Credential:
    name = service.identity.name
    if name not in by_name:
        by_name[name] = Credential(clock, memory.of(lambda: service.identity))
    return by_name[name]
