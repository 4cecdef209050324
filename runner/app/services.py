"""One service per lane: the real one, or a simulator started for the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.api.credentials import expiry_warning, find_credentials
from runner.api.services import ServiceSettings, open_services
from runner.api.transport import MOST_READS
from runner.model import Lane
from runner.plan.estimate import least_duration_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AsyncExitStack
    from pathlib import Path

    from runner.app.host import Redact
    from runner.engine.ports import JobService, ListService
    from runner.engine.refusals import CredentialMemory
    from runner.plan.plan import Plan
    from runner.simulator.behaviour import Behaviour

_SIMULATED_PROJECT = "0123456789abcdef0123456789abcdef"


class Surroundings(NamedTuple):
    """What the client of a service takes from its process.

    `home` is the person's folder, None where nothing tells of one; `wall` gives epoch seconds.
    """

    environ: Mapping[str, str]
    home: Path | None
    wall: Callable[[], float]


async def open_lane_services(
    stack: AsyncExitStack,
    plan: Plan,
    redact: Redact,
    around: Surroundings,
    *,
    behaviour: Behaviour | None = None,
    ca_bundle: Path | None = None,
    most_reads: int = MOST_READS,
    notice: Callable[[str], None] = lambda _: None,
    memory: CredentialMemory | None = None,
) -> Sequence[JobService]:
    """The services of a plan's lanes, in their order, open until `stack` ends. `notice` is told what a person should know.

    `memory` is of credentials that were refused.

    Raises:
        InvalidInput: a lane cannot be one.
        ServiceUnusable: no credentials, no project, or no TLS.
    """
    lanes = list(plan.lanes)
    env = around.environ
    if behaviour is not None:
        from runner.simulator.server import Simulator  # noqa: PLC0415  brings a web server, which takes long to import

        simulator = await stack.enter_async_context(Simulator(behaviour, clock=around.wall))
        lanes = [Lane(None, simulator.url, lane.project_id or _SIMULATED_PROJECT) for lane in lanes]
        env = _simulated_env(behaviour)
    elif warning := expiry_warning(find_credentials(env, around.home), least_duration_s(plan)):
        notice(warning)
    timeout_s = plan.submit.timeout_s
    settings = ServiceSettings(
        env,
        around.home,
        around.wall,
        redact,
        ca_bundle=ca_bundle,
        timeout_s=timeout_s,
        most_reads=most_reads,
        memory=memory,
    )
    opened = await stack.enter_async_context(open_services(lanes, settings))
    return [opened[lane].service for lane in lanes]


async def open_lists(
    stack: AsyncExitStack,
    lanes: Sequence[Lane],
    redact: Redact,
    around: Surroundings,
    *,
    ca_bundle: Path | None,
    timeout_s: float,
    memory: CredentialMemory,
) -> Sequence[tuple[Lane, ListService]]:
    """What lists the servers and templates of lanes, each with its endpoint and project known; see `open_lane_services`."""
    settings = ServiceSettings(
        around.environ, around.home, around.wall, redact, ca_bundle=ca_bundle, timeout_s=timeout_s, memory=memory
    )
    opened = await stack.enter_async_context(open_services(lanes, settings))
    return [opened[lane] for lane in lanes]


def _simulated_env(behaviour: Behaviour) -> dict[str, str]:
    access, secret = next(iter(behaviour.auth.access_keys.items()))
    token = behaviour.auth.security_token
    return {
        "HUAWEICLOUD_SDK_AK": access,
        "HUAWEICLOUD_SDK_SK": secret,
        **({"HUAWEICLOUD_SDK_SECURITY_TOKEN": token} if token else {}),
    }
