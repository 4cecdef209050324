"""Which lists of the service a command may use, and where they are kept: what costs nothing to import."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from runner.app.fleet_cache import FleetCache
from runner.errors import ServiceUnusable
from runner.settings import NO_STATE_DIR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from runner.app.host import Host
    from runner.model import Lane


@dataclass(frozen=True, slots=True)
class FleetAccess:
    """How lists of the service are come by.

    With `is_offline` only those that were kept are used, however old; where nothing is kept that is an error, unless it
    `may_lack` them. With `try_credential` one call is made by a credential that the service refused, though it is too soon
    for that. `tell` is told how old a list is, `progress` of which lane how many servers of how many were read.
    """

    state_dir: Path = NO_STATE_DIR
    ca_bundle: Path | None = None
    is_offline: bool = False
    may_lack: bool = False
    try_credential: bool = False
    tell: Callable[[str], None] = lambda _: None
    progress: Callable[[str, int, int], None] = lambda _, __, ___: None


class FleetAsked(NamedTuple):
    """Which servers are asked for: `scope` is `mine` or `all`, `rate` the most reads a second on each lane."""

    lanes: Sequence[Lane]
    scope: str = "mine"
    rate: float = 10.0
    timeout_s: float = 30.0
    longest_pause_s: float = 300.0


def cache_of(host: Host, asked: FleetAsked, access: FleetAccess) -> FleetCache:
    """Where the list of these servers is kept."""
    project = None
    if not all(lane.project_id for lane in asked.lanes):
        from runner.api.credentials import find_credentials  # noqa: PLC0415  most commands need none

        with suppress(ServiceUnusable):
            project = find_credentials(host.environ, None).project_id
    return FleetCache(access.state_dir, asked.lanes, asked.scope, project)
