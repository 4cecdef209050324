"""Which servers a plan is about, in four bytes each: of thousands of past runs only those are read that may share some.

A digest is the CRC-32 of a server's lane and id. Two servers may have one digest, so what shares one is read and compared
exactly; what shares none has no server in common.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from runner.servers import ids_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from runner.plan.plan import Plan

# How many digests are looked through in the time of one search by halves.
_SEARCH_COSTS = 16


class LaneServer(NamedTuple):
    """A server, by its lane's label and its id: the same id in another project, or at another endpoint, is another one."""

    lane: str
    server_id: str


def lane_servers(plan: Plan) -> Iterator[LaneServer]:
    """Every server of a plan."""
    for group in plan.groups:
        lane = plan.lanes[group.lane].label
        for server in group.servers:
            yield LaneServer(lane, server.id)


def plan_digests(plan: Plan) -> bytes:
    """The digests of a plan's servers, as a store keeps them."""
    return pack((plan.lanes[group.lane].label, ids_of(group.servers)) for group in plan.groups)


def digest(server: LaneServer) -> int:
    """The digest of one server."""
    return zlib.crc32(server.server_id.encode(), _start(server.lane))


def pack(servers: Iterable[tuple[str, Iterable[str]]]) -> bytes:
    """The digests of servers, given as lane labels with the ids there: sorted, four bytes each, the lowest byte first."""
    digests = array("I")
    for lane, ids in servers:
        start = _start(lane)
        digests.extend(zlib.crc32(server_id.encode(), start) for server_id in ids)
    return _portable(array("I", sorted(digests))).tobytes()


def share(packed: bytes, wanted: AbstractSet[int]) -> bool:
    """Whether one of these digests is among the packed ones."""
    digests = array("I")
    digests.frombytes(packed)
    digests = _portable(digests)
    if len(wanted) * _SEARCH_COSTS >= len(digests):
        return not wanted.isdisjoint(digests)
    places = ((bisect_left(digests, one), one) for one in wanted)
    return any(place < len(digests) and digests[place] == one for place, one in places)


def _start(lane: str) -> int:
    return zlib.crc32(lane.encode() + b"\0")


def _portable(digests: array[int]) -> array[int]:
    if sys.byteorder == "big":
        digests.byteswap()
    return digests
