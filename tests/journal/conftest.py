"""Both stores, each as several processes see it, with clocks that are set by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from runner.journal.memory import MemoryStore
from runner.journal.owner import Moment, Owner
from runner.journal.sqlite import SqliteStore
from runner.journal.store import RunRecord, RunStore

MakeStore = Callable[..., RunStore]
Alive = Callable[[Owner], bool | None]
PLAN = "sha256:p"


class HandClock:
    """A clock that nobody sets but the test."""

    def __init__(self, name: str = "boot-1", at: float = 1000.0) -> None:
        self.name = name
        self.at = at

    def __call__(self) -> Moment:
        return Moment(self.name, self.at)


def unknown(owner: Owner) -> bool | None:
    """What can be told of a process in another pid namespace: nothing."""
    return None


class Machine:
    """One store, which processes open: each with what it knows of others, and with a clock."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.clock = HandClock()
        self.wall = 1_700_000_000.0
        self._opened: list[RunStore] = []

    def process(self, alive: Alive = unknown, clock: HandClock | None = None) -> RunStore:
        moment = clock or self.clock
        if self.path is not None:
            store: RunStore = SqliteStore(self.path, now=lambda: self.wall, moment=moment, alive=alive)
        elif self._opened:
            assert isinstance(self._opened[0], MemoryStore)
            store = self._opened[0].beside(alive=alive, moment=moment)
        else:
            store = MemoryStore(now=lambda: self.wall, moment=moment, alive=alive)
        self._opened.append(store)
        return store

    def frozen(self) -> RunStore:
        """A process for which no time passes from now on, though a thread of it may not have begun yet."""
        return self.process(clock=HandClock(at=self.clock.at))

    def pass_time(self, seconds: float) -> None:
        self.clock.at += seconds
        self.wall += seconds

    def lose_last_entry(self, run_id: str) -> None:
        if self.path is None:
            assert isinstance(self._opened[0], MemoryStore)
            self._opened[0].tear(run_id, 1)
            return
        db = apsw.Connection(str(self.path))
        db.execute("DELETE FROM entry WHERE run_id = ? AND seq = (SELECT max(seq) FROM entry)", (run_id,))
        db.close()

    def close(self) -> None:
        for store in self._opened:
            store.close()


@pytest.fixture(params=["memory", "sqlite"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path / "journal.db" if request.param == "sqlite" else None)
    yield made
    made.close()


@pytest.fixture(params=["memory", "sqlite"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> MakeStore:
    if request.param == "memory":
        return lambda **options: MemoryStore(**({"now": time.time} | options))
    return lambda **options: SqliteStore(tmp_path / "state" / "journal.db", **options)


def with_run(store: RunStore, run_id: str = "run-1", at: float = 1.0) -> RunStore:
    store.save_plan(PLAN, b'{"plan": 1}')
    store.create_run(RunRecord(run_id, "campaign", PLAN, at))
    return store
