"""What a picture needs of a run's events beside its facts. Each event costs as much as its request has servers at most."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from runner.model import Outcome
from runner.report.reasons import error_words
from runner.report.troubles_seen import without_own_name
from runner.rules.outcomes import FINAL_TASK
from runner.rules.signatures import signature
from runner.run import events as e
from runner.screen.troubles import Troubles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        self._read: tuple[int, Mapping[str, str]] = (-1, {})  # a request, and what was said of each of its servers
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
        messages = messages if of == request else {}
        places = self._places(request, len(outcomes), messages)
        for place, outcome in zip(places, outcomes, strict=True):
            if outcome in _BAD:
                self._keep(request, place, outcome, messages, reason, at)

    def _places(self, request: int, count: int, messages: Mapping[str, str]) -> Sequence[int | None]:
        """The places of its servers in the group; None: it is not known any more who was left behind in a step before."""
        entry = self._facts.requests.entries[request]
        planned = range(entry.start, entry.stop)
        if len(planned) == count:
            return planned
        servers = self._facts.plan.groups[entry.group].servers
        named = [place for place in planned if servers[place].id in messages]
        return named if len(named) == count else [None] * count

    def _keep(
        self, request: int, place: int | None, outcome: Outcome, messages: Mapping[str, str], reason: str, at: float
    ) -> None:
        group = self._facts.requests.entries[request].group
        domain = self._domain(group, place, outcome)
        if place is None:
            name, said = f"request {request}", reason
            own: tuple[str, ...] = ()
        else:
            server = self._facts.plan.groups[group].servers[place]
            name, own, said = server.name or server.id, (server.id, server.name), messages.get(server.id) or reason
        said = said or _NOTHING[outcome]
        self.troubles.add(outcome, signature(without_own_name(said, *own)), domain)
        self.failed.append(BadServer(at, name, domain, outcome, said))

    def _domain(self, group: int, place: int | None, outcome: Outcome) -> str:
        rollout = self._facts.rollout
        cell = rollout.ledger.domain_of(group, place) if rollout is not None and place is not None else None
        if cell is None:
            return ""
        if outcome.is_abnormal:
            self.bad_domains.setdefault(cell)
        return value_of(cell)


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
    """What the service said of each server; nothing where all of them succeeded."""
    tasks = event.job.tasks
    if all(FINAL_TASK.get(task.status) is Outcome.SUCCEEDED for task in tasks):
        return {}
    return {task.server_id: task.message or "" for task in tasks}


def _words(error: ServiceError) -> str:
    return error_words({"code": error.code, "message": error.message, "http_status": error.http_status})
