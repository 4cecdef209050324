"""What a look at the whole job list says of a resumed run.

Names are unique to a request, so the list tells what the journal may have lost: jobs of requests that were sent in the
transactions that a power cut took away, and second jobs of requests that were sent twice (api-facts 6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.campaign.state import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runner.campaign.state import RunState
    from runner.model import JobRow

UNSENT = frozenset({Phase.BLOCKED, Phase.READY, Phase.RETRY})


class Finding(NamedTuple):
    """A request of which the list shows more than the journal. `job_ids` are all its jobs in the list, sorted."""

    request: int
    job_ids: tuple[str, ...]


def unknown_jobs(state: RunState, requests_by_name: Mapping[str, int], rows: Iterable[JobRow]) -> list[Finding]:
    """The requests that look unsent and have a job."""
    return [found for found in _findings(requests_by_name, rows) if state.phases[found.request] in UNSENT]


def doubles(state: RunState, requests_by_name: Mapping[str, int], rows: Iterable[JobRow]) -> list[Finding]:
    """The requests with another job than the one that is known of them."""
    found_with_known = (
        Finding(found.request, tuple(sorted({*found.job_ids, state.job_ids[found.request]})))
        for found in _findings(requests_by_name, rows)
        if found.request in state.job_ids
    )
    return [found for found in found_with_known if len(found.job_ids) > 1]


def _findings(requests_by_name: Mapping[str, int], rows: Iterable[JobRow]) -> list[Finding]:
    jobs: dict[int, set[str]] = {}
    for row in rows:
        request = requests_by_name.get(row.name or "")
        if request is not None:
            jobs.setdefault(request, set()).add(row.job_id)
    return [Finding(request, tuple(sorted(ids))) for request, ids in sorted(jobs.items())]
