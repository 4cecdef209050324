"""How long servers are waited for that are in another operation, and when they are asked for again."""

from __future__ import annotations

# Twice as long as the longest job took: what is at work on the server may be slower.
_MARGIN = 2.0
# At least so long, seconds, however quick the jobs are.
_SHORTEST_PATIENCE_S = 120.0
# The longer it lasts, the longer the pauses: this share of what it lasted, within these, seconds.
_SHARE = 0.25
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 300.0
# At least so often, however slowly requests are sent.
_LEAST_ANSWERS = 4


def busy_patience_s(longest_s: float, job_timeout_s: float) -> float:
    """How long to wait for a server, seconds, where the longest job of this kind took `longest_s` so far (0: none is known).

    Never longer than a job may take: `watch.job_timeout`.
    """
    if not longest_s:
        return job_timeout_s
    return min(job_timeout_s, max(_SHORTEST_PATIENCE_S, _MARGIN * longest_s))


def busy_again_at(since: float, now: float, *, answers: int, patience_s: float, jitter: float) -> float | None:
    """When to ask again for a server that is busy since `since`, epoch seconds; None: it was waited for long enough.

    `answers` is how often the service said so. The last time is never before the patience is over. `jitter` is random,
    from 0 to 1.
    """
    until = since + patience_s
    if now >= until:
        return None if answers >= _LEAST_ANSWERS else now + _SHORTEST_PAUSE_S * (0.5 + jitter)
    pause_s = min(max(_SHARE * (now - since), _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S) * (0.5 + jitter)
    return min(now + pause_s, max(until, now + 1.0))
