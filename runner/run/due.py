"""Servers that a person excluded before anybody could look, after a crash, what was sent on their lanes.

A request of theirs may have a job that the journal lost, and is no more to be cut, or sent without them, than to be sent.
So they are left out once the lane was looked at, and before anything is sent there, by whichever process does it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from runner.run.excluding import NoSuchServers, exclusions, matching_servers
from runner.run.facts import DueExclusion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.run import events as e
    from runner.run.facts import Facts


def exclude_later(facts: Facts, command: e.Commanded) -> None:
    """Remember whom a person excluded, for the lanes of which nobody knows what was sent."""
    lanes = frozenset(index for index, lane in enumerate(facts.lanes) if lane.unsurveyed_since is not None)
    if lanes:
        facts.controls.due.append(DueExclusion(_ids(facts, command), command.who, command.why, lanes))


def include_again(facts: Facts, command: e.Commanded) -> None:
    """These servers are not to be left out any more."""
    if facts.controls.due:
        ids = _ids(facts, command)
        left = [due._replace(ids=due.ids - ids) for due in facts.controls.due]
        facts.controls.due = [due for due in left if due.ids]


def due_exclusions(facts: Facts, lane: int, at: float) -> Iterator[e.Split | e.Withdrawn]:
    """The events that leave them out on a lane once it is known what was sent there, as `exclusions` does.

    To be asked again when a job of theirs is over, or turns out to be none: such a server gets nothing new.
    """
    for due in list(facts.controls.due):
        if lane in due.lanes:
            yield from exclusions(facts, due.ids, at, due.who, due.why, lane=lane)


def _ids(facts: Facts, command: e.Commanded) -> frozenset[str]:
    with suppress(NoSuchServers):  # another version may have read it otherwise
        return frozenset(matching_servers(facts.plan, command.target))
    return frozenset()
