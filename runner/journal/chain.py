"""The hash chain over a run's journal: who changes, drops or reorders an entry breaks it from there on.

Each entry's hash is SHA-256 over the hash before it, its number and its events; details, where it has some, and the tasks of
each job are hashed likewise on top of that. The first goes on from the run's id and plan hash, so that a journal cannot be
passed off as that of another run or plan.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Link(NamedTuple):
    """One stored entry: its number from 1, its events, their details and lists of tasks as JSON, its hash."""

    seq: int
    events: str
    details: str
    hash: str
    tasks: tuple[bytes, ...] = ()


class Chain(NamedTuple):
    """What following a chain found. `broken_at` is the number of the first entry that does not fit; None: all fit.

    `hashes` are those of the entries that fit, in order.
    """

    hashes: tuple[str, ...]
    broken_at: int | None


def first_hash(run_id: str, plan_hash: str) -> str:
    """What the first entry goes on from."""
    return hashlib.sha256(f"{run_id} {plan_hash}".encode()).hexdigest()


def next_hash(before: str, seq: int, events: bytes, details: bytes = b"", tasks: Iterable[bytes] = ()) -> str:
    """The hash of an entry."""
    for part in (events, *([details] if details else []), *tasks):
        before = hashlib.sha256(b"%b %d " % (before.encode(), seq) + part).hexdigest()
    return before


def follow(run_id: str, plan_hash: str, links: Iterable[Link]) -> Chain:
    """Check every entry of a run, in order."""
    before = first_hash(run_id, plan_hash)
    hashes: list[str] = []
    for number, link in enumerate(links, 1):
        expected = next_hash(before, link.seq, link.events.encode(), link.details.encode(), link.tasks)
        if link.seq != number or link.hash != expected:
            return Chain(tuple(hashes), number)
        hashes.append(link.hash)
        before = link.hash
    return Chain(tuple(hashes), None)
