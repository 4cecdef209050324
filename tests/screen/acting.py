"""Runs for pictures: driven by events that are drawn, with what was kept of each event beside the facts."""

from __future__ import annotations

from dataclasses import replace
from zlib import crc32

from runner.model import Outcome, Task
from runner.run import events as e
from runner.run.standing import standing
from runner.screen.charset import Charset
from runner.screen.kept import Kept
from runner.screen.view import View
from tests.driving import Drive, Letter, job_of

_STATUS = {"s": "SUCCESS", "f": "FAILED", "k": "SKIPPED"}


def drawn(letters: str, seed: int) -> Letter:
    """A letter for each server, the same one whenever it is asked for."""
    return lambda server: letters[crc32(f"{seed} {server.id}".encode()) % len(letters)]


class Acted(Drive):
    """A run whose service says `said` of each server that does not succeed."""

    said = ""
    kept: Kept

    def record(self, event: e.Event) -> None:
        super().record(event)
        if isinstance(event, e.RunStarted):
            self.kept = Kept(self.state)
        self.kept.take(event)

    def _settle(self, request: int) -> None:
        servers = self.state.servers_of(request)
        letters = [self.letter(server) for server in servers]
        tasks = tuple(
            Task("t", server.id, server.name, _STATUS.get(letter), self.said or None, None, None, None)
            for server, letter in zip(servers, letters, strict=True)
        )
        self.record(e.JobRead(self.now, request, replace(job_of(request), tasks=tasks)))
        super()._settle(request)

    def view(self, width: int, height: int, encoding: str = "utf-8") -> View:
        """What a picture of it is made from now."""
        found = standing(self.state, self.now, self.live.sight(self.now))
        return View("20260101-000000-abcdef", self.state, found, self.kept, Charset(encoding), width, height)

    @property
    def bad(self) -> int:
        """Servers that ended badly, as the facts count them."""
        counts = self.state.counts
        return sum(counts[outcome] for outcome in Outcome if outcome.is_abnormal or outcome is Outcome.SKIPPED)
