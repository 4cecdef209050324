"""One service per lane: the real one, or a simulator started for the run."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from runner.api.credentials import AccessKey, Credentials, GivenToken, find_credentials
from runner.api.opening import Connection, open_services
from runner.simulator.server import Simulator
from runner.spec.secrets import redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AsyncExitStack

    from runner.engine.ports import JobService
    from runner.model import Lane
    from runner.plan.plan import Plan
    from runner.simulator.behaviour import Behaviour

# Reads go on beside creates: as many connections again, at most.
_READS_AT_ONCE = 32


async def open_lane_services(
    stack: AsyncExitStack,
    plan: Plan,
    behaviour: Behaviour | None,
    ca_bundle: Path | None,
    clean: Callable[[str], str],
) -> Sequence[JobService]:
    """The services of a plan's lanes, open until `stack` ends.

    Raises:
        ServiceUnusable: no credentials, or no project.
    """
    lanes: Sequence[Lane] = plan.lanes
    if behaviour is None:
        credentials = find_credentials(os.environ, Path.home())
    else:
        simulator = await stack.enter_async_context(Simulator(behaviour))
        lanes = [lane._replace(endpoint=simulator.url) for lane in lanes]
        credentials = _simulated_credentials(behaviour)
    hide = redactor(_secrets_of(credentials))
    how = Connection(
        env=os.environ,
        timeout_s=plan.submit.timeout_s,
        most_at_once=len(lanes) * (plan.submit.concurrency + _READS_AT_ONCE),
        now=time.time,
        clean=lambda text: hide(clean(text)),
        ca_bundle=ca_bundle,
    )
    return await stack.enter_async_context(open_services(lanes, credentials, how))


def _simulated_credentials(behaviour: Behaviour) -> Credentials:
    access, secret = next(iter(behaviour.auth.access_keys.items()))
    return Credentials(AccessKey(access, secret, behaviour.auth.security_token), "the simulator")


def _secrets_of(credentials: Credentials) -> list[str]:
    """Every value that no message of the service may carry out."""
    proof = credentials.proof
    if isinstance(proof, AccessKey):
        return [value for value in (proof.sk, proof.security_token) if value]
    return [proof.token if isinstance(proof, GivenToken) else proof.password]
