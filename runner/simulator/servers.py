"""Which servers there are, what somebody else does with them, how a refused create tells of one (api-facts 8.7 to 8.9)."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from runner.simulator.listing_servers import ServerLists
from runner.simulator.replies import SimulatedReply, refusal

if TYPE_CHECKING:
    from runner.simulator.behaviour import FleetSwitches, Servers


class Fleet:
    """The servers of the service, which began at `began_at`, epoch seconds."""

    def __init__(self, switches: Servers, made_up: FleetSwitches, began_at: float) -> None:
        self._switches = switches
        self.lists = ServerLists(made_up, switches.fleet or {})
        self._is_any_known = switches.fleet is None and not made_up.count
        self._began_at = began_at

    def status(self, server: str) -> str | None:
        """Its status; None: there is no such server."""
        if any(fnmatchcase(server, pattern) for pattern in self._switches.not_known):
            return None
        if self._is_any_known:
            return "RUNNING"
        return (self._switches.fleet or {}).get(server) or self.lists.status(server)

    def is_occupied(self, server: str, now: float) -> bool:
        """Whether somebody else is at work on it."""
        since_s, occupied = now - self._began_at, self._switches.occupied
        return any(since_s < until_s and fnmatchcase(server, pattern) for pattern, until_s in occupied.items())

    def unknown(self, server: str) -> SimulatedReply:
        """A create is refused, for there is no such server."""
        return refusal(400, "ModelArts.6404", f"LiteServer instance{self._which(server)} not found.")

    def busy(self, server: str) -> SimulatedReply:
        """A create is refused, for the server is in another operation."""
        return refusal(400, "ModelArts.6357", f"Another operation is in progress on server{self._which(server)}.")

    def not_running(self, server: str, status: str) -> SimulatedReply:
        """A create is refused, for the server does not run."""
        return refusal(400, "ModelArts.6357", f"Server{self._which(server)} is {status}.")

    def _which(self, server: str) -> str:
        return f" '{server}'" if self._switches.says_which else ""
