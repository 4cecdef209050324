"""The lists of servers, hyper-instances and topology, page by page, and each way in which they may mislead (api-facts 2)."""

from __future__ import annotations

import uuid
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from runner.simulator.replies import SimulatedReply, page, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.model import JsonObject
    from runner.simulator.behaviour import FleetSwitches

_DEFAULT_SIZE, _MOST = 10, 1024
_FIRST_MADE_MS = 1_755_000_000_000
_ERROR = {"error_code": "ModelArts.6102", "error_msg": "No resources."}


def made_up_id(kind: str, number: int) -> str:
    """The id of a made-up thing, such as `server` 7."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}-{number}"))


class ServerLists:
    """The servers by number, oldest first: nothing is kept of them, however many there are.

    `given` are servers beside the made-up ones, with their statuses.
    """

    def __init__(self, switches: FleetSwitches, given: Mapping[str, str]) -> None:
        self._switches = switches
        self._given = list(given.items())
        self._numbers: Sequence[int] = range(len(self._given) + switches.count)
        self._next = len(self._numbers)
        self._index = {made_up_id("server", number): number for number in range(switches.count)}
        self._calls = 0
        self._changes = 0

    def status(self, server: str) -> str | None:
        """The status of a made-up server; None: there is no such one."""
        number = self._index.get(server)
        return None if number is None else self._status(server)

    def servers(self, query: Mapping[str, str], *, of_all: bool) -> SimulatedReply:
        """A page of the user's servers, or of the tenant's."""
        self._calls += 1
        if self._calls in self._switches.throttled_at:
            return refusal(429, "APIGW.0308", "The throttling threshold has been reached")
        if self._calls in self._switches.failing_at:
            return refusal(503, "ModelArts.4302", "Backend unavailable.")
        if of_all and self._switches.all_paging == "refused" and query:
            return refusal(400, "ModelArts.0104", "Unknown parameter.")
        if refused := _refused_paging(query):
            return refused
        if self._calls > 1 and self._changes < self._switches.change_times:
            self._change()
        rows = [self._row(number) for number in self._page(query, of_all=of_all)]
        return self._told(rows, query)

    def hyper_instances(self, query: Mapping[str, str]) -> SimulatedReply:
        """A page of the hyper-instances, with their members."""
        if self._switches.hyper_list == "refused":
            return refusal(403, "ModelArts.0112", "No permission.")
        limit, offset = int(query.get("limit") or _DEFAULT_SIZE), int(query.get("offset") or 0)
        every = range(self._switches.hyper_instances)
        return page(
            [self._hyper_instance(number) for number in every[offset : offset + limit]], len(every), limit, offset
        )

    def topology(self) -> SimulatedReply:
        """Which switches each server is under."""
        if self._switches.topology == "absent":
            return refusal(404, "APIGW.0101", "The API does not exist or has not been published.")
        rows = [
            {"resource_id": self._row(number)["id"], "network_nodes": [f"10.0.{number // 16 % 256}.1"]}
            for number in self._numbers
        ]
        return SimulatedReply(200, {"data": rows})

    def _page(self, query: Mapping[str, str], *, of_all: bool) -> Sequence[int]:
        switches = self._switches
        ignored = switches.all_paging != "honoured" if of_all else switches.paging == "ignored"
        if ignored:
            is_whole = of_all and switches.all_paging in {"whole", "refused"}
            return self._numbers if is_whole else self._numbers[: switches.ignored_size]
        offset, limit = int(query.get("offset") or 0), int(query.get("limit") or _DEFAULT_SIZE)
        limit = min(limit, switches.most)
        if offset:
            offset += {"in_order": 0, "repeat": -limit, "skip": 1, "overlap": -1}[switches.pages]
        return self._numbers[max(0, offset) : max(0, offset) + limit]

    def _change(self) -> None:
        """What happens to the fleet between two pages."""
        numbers = list(self._numbers)
        change = self._switches.change
        if change in {"deleted", "replaced"} and numbers:
            del numbers[0]
        if change in {"made", "replaced"}:
            numbers.append(self._next)
            self._next += 1
        self._numbers = numbers
        self._changes += change != "none"

    def _told(self, rows: list[JsonObject], query: Mapping[str, str]) -> SimulatedReply:
        switches = self._switches
        if switches.rows == "fewer":
            rows = rows[:-1]
        if switches.rows == "twice" and rows:
            rows = [*rows[:-1], rows[0]]
        total: dict[str, int | None] = {
            "true": len(self._numbers),
            "of_page": len(rows),
            "more": len(self._numbers) + 1,
            "missing": None,
            "grows": len(self._numbers) + self._calls,
        }
        size = min(int(query.get("limit") or _DEFAULT_SIZE), switches.most)
        reply = page(rows, len(self._numbers), size, int(query.get("offset") or 0))
        told = reply.body | {"total": total[switches.total]}
        if switches.error_in_200:
            told |= {"total": 0, "data": [], **_ERROR}
        return SimulatedReply(200, told)

    def _status(self, server: str) -> str:
        found = (status for pattern, status in self._switches.statuses.items() if fnmatchcase(server, pattern))
        return next(found, "RUNNING")

    def _row(self, number: int) -> JsonObject:
        if number < len(self._given):
            server, status = self._given[number]
            return {"id": server, "name": f"server-{server[:8]}", "status": status, "category": "SERVER"}
        number -= len(self._given)
        server, flavors = made_up_id("server", number), self._switches.flavors
        hyper, of = number // self._switches.members, number < self._switches.hyper_instances * self._switches.members
        row: JsonObject = {
            "id": server,
            "name": f"node-{number:06d}",
            "status": self._status(server),
            "flavor": flavors[number % len(flavors)],
            "category": "HPS" if of else "SERVER",
            "cloud_server": {"id": made_up_id("cloud", number), "type": "HPS" if of else "BMS"},
            "image": {"image_id": made_up_id("image", 0), "name": "euler-2.10", "arch": "ARM"},
            "endpoints": [{"dev_service": "SSH", "uri": f"10.1.{number // 250 % 256}.{number % 250}"}],
            "vpc_id": made_up_id("vpc", number // 1000),
            "subnet_id": made_up_id("subnet", number // 250),
            "charging_mode": "COMMON",
            "create_at": _FIRST_MADE_MS + number,
            "update_at": _FIRST_MADE_MS + number + self._calls,
            **self._switches.extra,
        }
        return row | {"server_hps": _of(hyper)} if of else row

    def _hyper_instance(self, number: int) -> JsonObject:
        members = self._switches.members
        own = range(number * members, (number + 1) * members)
        return {
            **_of(number),
            "status": "ACTIVE",
            "servers": [{"id": made_up_id("server", member)} for member in own],
            "tags": [{"key": "row", "value": f"r{number % 4}"}],
        }


def _of(hyper: int) -> JsonObject:
    return {"id": made_up_id("hyper", hyper), "name": f"supernode-{hyper:04d}"}


def _refused_paging(query: Mapping[str, str]) -> SimulatedReply | None:
    limit, offset = query.get("limit", "10"), query.get("offset", "0")
    if not limit.isdecimal() or not 0 < int(limit) <= _MOST or not offset.isdecimal():
        return refusal(400, "ModelArts.0104", f"limit must be from 1 to {_MOST}, offset from 0.")
    return None
