"""What a picture needs of a run's events beside its facts. Each event costs as much as its request has servers at most."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from runner.model import Outcome
from runner.report.reasons import error_words
from runner.report.troubles_seen import without_own_name
from runner.rules.outcomes import FINAL_TASK, outcomes_of
from runner.rules.signatures import signature
from runner.run import events as e
from runner.screen.troubles import Troubles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.model import Server
    from runner.rules.answers import ServiceError
    from runner.rules.budget import Cell
    from runner.run.facts import Facts

# So many servers that ended badly, and so many pieces of news, are kept; the rest is in `runner show` and the report.
_MOST_FAILED, _MOST_NEWS = 200, 100
# The pace is that of so many seconds.
_PACE_S = 10
_BAD = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNKNOWN, Outcome.SKIPPED)


class BadServer(NamedTuple):
    """A server that ended badly. `domain` is its value of the expression that the rollout has a limit for, or empty."""

    at: float
    name: str
    domain: str
    outcome: Outcome
    said: str


class Said(NamedTuple):
    """What a check said last, and when (epoch seconds)."""

    at: float
    check: str
    passed: bool
    detail: str


class Kept:
    """What is kept of one run's events, of which the facts told already when each is taken."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._read: tuple[int, Mapping[str, str]] = (-1, {})
        self._sent: deque[list[int]] = deque()
        self.troubles = Troubles()
        self.failed: deque[BadServer] = deque(maxlen=_MOST_FAILED)
        self.news: deque[tuple[float, str]] = deque(maxlen=_MOST_NEWS)
        self.approved: dict[int, e.Commanded] = {}
        self.said: Said | None = None
        self.stopped_at: float | None = None
        ledger = facts.rollout.ledger if facts.rollout else None
        # Those that have bad servers, in the order in which they had the first.
        self.bad_domains: dict[Cell, None] = dict.fromkeys(
            cell for cell in (ledger.domains() if ledger else ()) if cell.spent
        )

    def take(self, event: e.Event) -> None:
        """One event more."""
        match event:
            case e.JobRead():
                self._read = (event.request, _messages(event))
            case e.Settled():
                self._over(event.request, event.at, event.reason)
            case e.GivenUp() | e.Conflict():
                self._over(event.request, event.at, event.reason)
            case e.Refused(retry_at=None) | e.SetAside(retry_at=None):
                self._over(event.request, event.at, _words(event.error))
            case e.Intended():
                self._count_sent(event.at)
            case e.StopRequested():
                self.stopped_at = event.at
            case e.Checked():
                self._checked(event)
            case e.Commanded(action="approve", refused=None):
                self._approved(event)
            case _:
                pass

    def note(self, at: float, text: str) -> None:
        """A piece of news, in a line."""
        self.news.append((at, text))

    def pace(self, now: float) -> float:
        """Requests sent a second, of late."""
        return sum(count for second, count in self._sent if now - _PACE_S <= second) / _PACE_S

    def _count_sent(self, at: float) -> None:
        second = int(at)
        if not self._sent or self._sent[-1][0] != second:
            self._sent.append([second, 0])
            while self._sent[0][0] < second - _PACE_S:
                self._sent.popleft()
        self._sent[-1][1] += 1

    def _checked(self, event: e.Checked) -> None:
        if self._facts.rollout is not None:
            check = self._facts.rollout.waves[event.wave].plan.checks[event.check].name
            self.said = Said(event.at, check, event.passed, event.detail)

    def _approved(self, event: e.Commanded) -> None:
        waves = self._facts.rollout.waves if self._facts.rollout else []
        self.approved |= {place: event for place, wave in enumerate(waves) if wave.plan.name == event.target}

    def _over(self, request: int, at: float, reason: str) -> None:
        """A request is over: keep those of its servers that ended badly."""
        of, messages = self._read
        outcomes = self._facts.outcomes.get(request)
        if outcomes is None or not self._facts.is_main(request) or not any(map(outcomes.count, _BAD)):
            return
        servers = self._servers(request, len(outcomes))
        for place, outcome in enumerate(outcomes_of(outcomes.letters)):
            if outcome in _BAD:
                server, position = servers[place] if servers else (None, None)
                said = (messages.get(server.id) if server and of == request else None) or reason
                self._keep(request, server, position, outcome, said, at)

    def _servers(self, request: int, count: int) -> Sequence[tuple[Server, int]]:
        """Its servers with their places in the group; none where it cannot be told any more which they were."""
        entry = self._facts.requests.entries[request]
        if entry.stop - entry.start != count:
            return ()
        servers = self._facts.plan.groups[entry.group].servers
        return [(servers[place], place) for place in range(entry.start, entry.stop)]

    def _keep(
        self, request: int, server: Server | None, position: int | None, outcome: Outcome, said: str, at: float
    ) -> None:
        rollout, group = self._facts.rollout, self._facts.requests.entries[request].group
        cell = rollout.ledger.domain_of(group, position) if rollout is not None and position is not None else None
        domain = "" if cell is None else value_of(cell)
        if cell is not None and outcome.is_abnormal:
            self.bad_domains.setdefault(cell)
        own = (server.id, server.name) if server is not None else ()
        self.troubles.add(outcome, signature(without_own_name(said or _NOTHING[outcome], *own)), domain)
        name = server.name or server.id if server is not None else f"request {request}"
        self.failed.append(BadServer(at, name, domain, outcome, said or _NOTHING[outcome]))


_NOTHING = {
    Outcome.FAILED: "the service gives no reason",
    Outcome.SKIPPED: "the service gives no reason",
    Outcome.TIMED_OUT: "its job was not over in time",
    Outcome.UNKNOWN: "it was not seen what became of it",
}


def value_of(cell: Cell) -> str:
    """The value of the expression that a cell is about, such as `r07`."""
    return cell.limit.scope.partition("=")[2]


def _messages(event: e.JobRead) -> Mapping[str, str]:
    """What the service said of those servers that did not succeed."""
    tasks = event.job.tasks
    if all(FINAL_TASK.get(task.status) is Outcome.SUCCEEDED for task in tasks):
        return {}
    return {task.server_id: task.message or "" for task in tasks if task.message}


def _words(error: ServiceError) -> str:
    return error_words({"code": error.code, "message": error.message, "http_status": error.http_status})
