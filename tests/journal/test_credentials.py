"""What both stores keep of refused credentials, for processes that use one folder at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import apsw
import pytest

from runner.engine.refusals import CredentialMemory
from runner.journal.sqlite import SqliteStore
from runner.journal.sqlite_credentials import SqliteCredentials
from runner.rules.refused_calls import Identity
from tests.journal.conftest import Machine

WHO = Identity("key THEACCESSKEY", "thesecretkey")


def test_what_one_process_notes_another_one_reads(machine: Machine) -> None:
    one, other = machine.process().credentials, machine.process().credentials
    assert one.salt == other.salt
    seen: list[str | None] = []

    def after(text: str | None) -> Callable[[str | None], str | None]:
        def change(before: str | None) -> str | None:
            seen.append(before)
            return text

        return change

    assert one.change("a", after("1"))
    assert other.change("a", after("12"))
    assert other.change("b", after(None))
    assert one.change("a", after(None))
    assert one.change("a", after(None))
    assert seen == [None, "1", None, "12", None]


def test_each_folder_has_a_salt_of_its_own(tmp_path: Path) -> None:
    stores = [SqliteStore(tmp_path / name / "journal.db") for name in "ab"]
    assert stores[0].credentials.salt != stores[1].credentials.salt
    assert len(stores[0].credentials.salt) == 16
    for store in stores:
        store.close()


def test_nothing_of_a_key_is_on_the_disk(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "journal.db")
    CredentialMemory(store.credentials, lambda: 1.0, "run").of(lambda: WHO).refused()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"[1,1,1.0,1.0," in written
    assert b"THEACCESSKEY" not in written
    assert b"thesecretkey" not in written
    store.close()


def test_a_store_that_is_held_notes_later(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = SqliteStore(path)
    calls = CredentialMemory(store.credentials, lambda: 1.0, "run").of(lambda: WHO)
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    calls.refused()
    assert calls.begin() == 0.05
    other.execute("ROLLBACK")
    for _ in range(2):
        assert calls.begin() == 0.0
        calls.refused()
    assert calls.begin() is None
    other.close()
    store.close()


def test_where_nothing_can_be_written_a_process_remembers_for_itself(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = SqliteStore(path)
    CredentialMemory(store.credentials, lambda: 1.0, "run").of(lambda: WHO).refused()
    store.close()
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    kept = SqliteCredentials(db, path, 1.0)
    for _ in range(2):
        calls = CredentialMemory(kept, lambda: 1.0, "run").of(lambda: WHO)
        assert calls.begin() == 0.0
        calls.refused()
    assert calls.begin() is None
    db.close()


def _calls(path: Path, name: str) -> int:
    """How many calls a process makes that all are refused."""
    store = SqliteStore(path)
    calls, made = CredentialMemory(store.credentials, lambda: 1.0, name).of(lambda: WHO), 0
    while (wait_s := calls.begin()) is not None:
        if wait_s == 0.0:
            made += 1
            calls.refused()
    store.close()
    return made


@pytest.mark.process
def test_processes_that_race_make_three_calls_in_all(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    SqliteStore(path).close()
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        made = list(pool.map(_calls, [path] * 8, map(str, range(8))))
    assert sum(made) == 3
