"""What lanes learned of the service's limits is kept, in both stores; what is not there, or is no use, does no harm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from runner.journal.memory import MemoryStore
from runner.journal.sqlite import SqliteStore
from runner.journal.store import RunStore
from runner.rules.learned import Learned, read_learned

STORES: dict[str, Callable[[Path], RunStore]] = {
    "memory": lambda path: MemoryStore(now=lambda: 0.0),
    "sqlite": lambda path: SqliteStore(path / "journal.db"),
}


@pytest.mark.parametrize("store", STORES)
def test_of_each_lane_and_kind_of_call_the_last_is_kept(tmp_path: Path, store: str) -> None:
    limits = STORES[store](tmp_path).limits
    assert limits.read("lane", "creates") is None
    limits.keep("lane", "creates", Learned(5.0, 1.0).text())
    limits.keep("lane", "creates", Learned(6.0, 2.0).text())
    limits.keep("lane", "reads", Learned(7.0, 3.0).text())
    assert read_learned(limits.read("lane", "creates")) == Learned(6.0, 2.0)
    assert read_learned(limits.read("lane", "reads")) == Learned(7.0, 3.0)
    assert limits.read("other", "creates") is None
    limits.keep("lane", "creates", None)
    assert limits.read("lane", "creates") is None


def test_it_outlives_the_process_and_what_somebody_spoilt_is_no_limit(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = SqliteStore(path)
    store.limits.keep("lane", "creates", Learned(5.0, 1.0).text())
    store.close()
    db = apsw.Connection(str(path))
    assert list(db.execute("SELECT learned FROM learned_limit")) == [("5.0 1.0",)]
    db.execute("UPDATE learned_limit SET learned = 'five'")
    db.close()
    assert read_learned(SqliteStore(path).limits.read("lane", "creates")) is None
