"""The file of a store when others use it, take it away, copy it, lock it or damage it."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import apsw
import pytest

from runner.errors import InvalidInput, StateFolderError
from runner.journal.database import open_database
from runner.journal.memory import MemoryStore
from runner.journal.owner import Moment, Owner
from runner.journal.ownership import HEARTBEAT_S, LEASE_S
from runner.journal.sqlite import SqliteStore
from runner.journal.store import JournalChanged, Leased, OwnershipLost, RunIsOpen, RunRecord, StateFolderBusy
from runner.run import events as e
from tests.engine.virtual import VirtualLoop
from tests.journal.conftest import PLAN, HandClock, unknown, with_run
from tests.journal.test_stores import BACK_TO_4

HERE = Owner("here", 1, 1, "token-1", "boot-1 pid:1")
THERE = Owner("there", 2, 2, "token-2", "boot-1 pid:2")
FREE_ADVICE = "make room"
FAST = 100.0


def intended(request: int = 0) -> list[e.Event]:
    return [e.Intended(1.0, request)]


def fast_clock() -> Moment:
    """A clock that runs so fast that nobody has to wait for a heartbeat."""
    return Moment("boot-1", time.monotonic() * FAST)


def begun(path: Path, **options: object) -> SqliteStore:
    store = SqliteStore(path, **options)  # type: ignore[arg-type]
    store.save_plan(PLAN, b"{}")
    store.create_run(RunRecord("run-1", "campaign", PLAN, 1.0, HERE, ("a",), 60.0))
    return store


@contextmanager
def held_by_another(path: Path) -> Iterator[apsw.Connection]:
    """A transaction of somebody else that lasts until this is left."""
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    try:
        yield other
    finally:
        other.execute("ROLLBACK") if other.in_transaction else None
        other.close()


def test_what_is_committed_is_on_the_disk(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "journal.db").connection
    full = 2
    assert [connection.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys")] == ["wal", full, 1]
    connection.close()


async def test_a_busy_owner_renews_as_an_idle_one_does(tmp_path: Path) -> None:
    clock = HandClock()
    store = begun(tmp_path / "journal.db", moment=clock)
    journal = store.open_run("run-1", HERE)
    began = clock.at
    for _ in range(20):
        await journal.append(intended())
        clock.at += 3.0
    assert journal.owned_until >= began + 60.0 - 3.0 - HEARTBEAT_S + LEASE_S
    looking = SqliteStore(tmp_path / "journal.db", moment=clock, alive=unknown)
    with pytest.raises(RunIsOpen) as refused:
        looking.open_run("run-1", THERE)
    assert not refused.value.look_again
    looking.close()
    store.close()


async def test_an_owner_that_cannot_renew_does_not_own_the_run_after_the_time_of_its_lease(tmp_path: Path) -> None:
    clock = HandClock()
    store = begun(tmp_path / "journal.db", moment=clock)
    journal = store.open_run("run-1", HERE)
    await journal.append(intended(0))
    with held_by_another(tmp_path / "journal.db"):
        owned = []
        for seconds in (LEASE_S - 1.0, 2.0):
            clock.at += seconds
            owned.append(journal.is_owned)
    await journal.append(intended(1))
    assert [*owned, journal.is_owned] == [True, False, True]
    store.close()


async def test_an_idle_owner_hears_that_it_was_fenced(tmp_path: Path) -> None:
    store = begun(tmp_path / "journal.db", moment=fast_clock)
    journal = store.open_run("run-1", HERE)
    failed = asyncio.get_running_loop().create_future()
    journal.on_failure(failed.set_result)
    other = SqliteStore(tmp_path / "journal.db", alive=lambda owner: False)
    other.fence("run-1")
    assert isinstance(await failed, OwnershipLost)
    assert journal.owned_until < fast_clock().at
    other.close()
    store.close()


@pytest.mark.parametrize("change", ["hash = 'x'", "seq = seq + 1"])
async def test_nothing_is_appended_after_an_entry_that_was_changed(tmp_path: Path, change: str) -> None:
    store = begun(tmp_path / "journal.db")
    journal = store.open_run("run-1", HERE)
    await journal.append(intended(0))
    db = apsw.Connection(str(tmp_path / "journal.db"))
    db.execute(f"UPDATE entry SET {change}")  # noqa: S608  one of the two above
    with pytest.raises(JournalChanged):
        await journal.append(intended(1))
    assert len(list(db.execute("SELECT 1 FROM entry"))) == 1
    db.close()
    store.close()


async def test_an_owner_of_a_version_before_is_alive_as_long_as_it_gives_any_sign(tmp_path: Path) -> None:
    """It renews by the wall clock while it is idle, and only appends while it is busy."""
    path, clock = tmp_path / "journal.db", HandClock()
    begun(path, moment=clock).close()
    db = apsw.Connection(str(path))
    db.execute("UPDATE run SET owner_machine = NULL, renewed_clock = NULL, renewed_at = NULL, heartbeat_at = 0.0")
    looking = SqliteStore(path, moment=clock, alive=unknown)
    for second in range(100):
        if second % 6 == 0:
            db.execute("UPDATE run SET heartbeat_at = ?", (second,))
        elif second % 6 == 3:
            db.execute("INSERT INTO entry (run_id, seq, events, hash) VALUES ('run-1', ?, '[]', '')", (1 + second,))
        with pytest.raises(RunIsOpen):
            looking.open_run("run-1", THERE)
        clock.at += 1.0
    for _ in range(29):
        with pytest.raises(RunIsOpen):
            looking.open_run("run-1", THERE)
        clock.at += 1.0
    looking.open_run("run-1", THERE)
    looking.close()
    db.close()


# Locked.


async def test_a_journal_that_another_process_holds_waits_says_so_and_goes_on(tmp_path: Path) -> None:
    clock = HandClock()
    store = begun(tmp_path / "journal.db", moment=clock)
    journal = store.open_run("run-1", HERE)
    await journal.append(intended(0))
    said: asyncio.Queue[bool] = asyncio.Queue()
    journal.on_blocked(said.put_nowait)
    with held_by_another(tmp_path / "journal.db"):
        durable = asyncio.ensure_future(journal.append(intended(1)))
        assert await said.get()
        assert journal.failure is None
        clock.at += 60.0
        assert journal.owned_until < clock.at  # it could not renew: until it has, nothing may be sent
        assert not durable.done()
    await durable
    assert journal.owned_until >= clock.at + LEASE_S
    assert not await said.get()
    assert not journal.is_blocked
    await journal.append(intended(2))
    assert [event.request for event in store.read_events("run-1") if isinstance(event, e.Intended)] == [0, 1, 2]
    store.close()


async def test_who_waits_for_a_journal_that_is_held_can_be_cancelled(tmp_path: Path) -> None:
    store = begun(tmp_path / "journal.db")
    journal = store.open_run("run-1", HERE)

    async def appends() -> None:
        await journal.append(intended())

    with held_by_another(tmp_path / "journal.db"):
        one, other = asyncio.create_task(appends()), asyncio.create_task(appends())
        await asyncio.sleep(0)
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        with pytest.raises(StateFolderBusy, match="is locked by another process"):
            await other
        store.close()


async def test_what_others_read_of_a_journal_that_is_held_they_still_read(tmp_path: Path) -> None:
    store = begun(tmp_path / "journal.db")
    with held_by_another(tmp_path / "journal.db"):
        reading = SqliteStore(tmp_path / "journal.db", reading=True, wait_s=0.1)
        assert [row.id for row in reading.runs()] == ["run-1"]
        assert store.read_commands("run-1", 0) == []
        reading.close()
    store.close()


def test_a_command_that_cannot_write_says_that_it_is_locked_and_not_that_there_is_no_room(tmp_path: Path) -> None:
    store = begun(tmp_path / "journal.db", wait_s=0.1)
    with held_by_another(tmp_path / "journal.db"):
        calls: list[Callable[[], object]] = [
            lambda: store.create_run(RunRecord("run-2", "c", PLAN, 2.0)),
            lambda: store.lease("run-1", ["b"]),
            lambda: store.post_command("run-1", 1.0, "ann", "", "{}"),
        ]
        for call in calls:
            with pytest.raises(StateFolderBusy, match="is locked by another process") as busy:
                call()
            assert FREE_ADVICE not in str(busy.value)
    store.create_run(RunRecord("run-2", "c", PLAN, 2.0))
    store.close()


def test_a_database_that_is_held_as_a_whole_is_locked_for_readers_too(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    begun(path).close()
    other = apsw.Connection(str(path))
    other.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
    other.execute("BEGIN EXCLUSIVE; UPDATE run SET campaign = 'x'")
    for reading in (True, False):
        with pytest.raises(StateFolderBusy, match="is locked by another process"):
            SqliteStore(path, reading=reading, wait_s=0.1)
    other.close()
    SqliteStore(path).close()


def makes(path: Path, name: str) -> list[str]:
    """In a process of its own: open a store that may not be there yet, and make a run in it."""
    store = with_run(SqliteStore(path), name)
    ids = [row.id for row in store.runs()]
    store.close()
    return ids


def test_processes_that_make_one_store_at_once_all_use_it(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        for attempt in range(5):
            path = tmp_path / str(attempt) / "journal.db"
            made = [pool.submit(makes, path, f"run-{number}") for number in range(4)]
            assert all(f"run-{number}" in done.result() for number, done in enumerate(made))
            store = SqliteStore(path)
            assert len(store.runs()) == 4
            store.close()


# Taken away.


def other_file(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))
    begun(path).close()


def no_file(path: Path) -> None:
    shutil.rmtree(path.parent)


def no_wal(path: Path) -> None:
    path.with_name("journal.db-wal").unlink()


@pytest.mark.parametrize(("take_away", "busy"), [(other_file, True), (no_file, True), (no_wal, True), (no_file, False)])
async def test_a_database_that_is_taken_away_is_noticed_before_anything_counts_as_durable(
    tmp_path: Path, take_away: Callable[[Path], None], busy: bool
) -> None:
    path = tmp_path / "state" / "journal.db"
    store = begun(path, moment=fast_clock)
    journal = store.open_run("run-1", HERE)
    failed = asyncio.get_running_loop().create_future()
    journal.on_failure(failed.set_result)
    await journal.append(intended(0))
    take_away(path)
    if busy:
        with pytest.raises(StateFolderError, match="was deleted, moved or replaced"):
            await journal.append(intended(1))
    error = await failed
    assert "put it back as it was" in str(error)
    assert journal.owned_until < fast_clock().at
    store.close()


async def test_closing_a_database_that_was_replaced_does_the_new_one_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal.db"
    store = begun(path)
    journal = store.open_run("run-1", HERE)
    await journal.append(intended(0))
    path.parent.rename(tmp_path / "moved")
    new = begun(path)
    await new.open_run("run-1", HERE).append(intended(7))
    wal = path.with_name("journal.db-wal").stat()
    with pytest.raises(StateFolderError):
        await journal.append(intended(1))
    store.close()
    assert path.with_name("journal.db-wal").stat().st_ino == wal.st_ino
    reading = SqliteStore(path, reading=True)
    assert [event.request for event in reading.read_events("run-1") if isinstance(event, e.Intended)] == [7]
    reading.close()
    new.close()


# Copied, damaged, read only.


def test_a_wal_whose_database_is_missing_is_not_deleted(tmp_path: Path) -> None:
    path, copy = tmp_path / "state" / "journal.db", tmp_path / "copy" / "journal.db"
    store = begun(path)
    copy.parent.mkdir()
    shutil.copy(path.with_name("journal.db-wal"), copy.with_name("journal.db-wal"))
    size = copy.with_name("journal.db-wal").stat().st_size
    for _ in range(2):
        for reading in (True, False):
            with pytest.raises(StateFolderError, match="which they belong to, is missing or empty") as refused:
                SqliteStore(copy, reading=reading)
            assert "runner backup" in refused.value.hint
        copy.touch()
    assert copy.with_name("journal.db-wal").stat().st_size == size > 0
    store.close()


@pytest.mark.parametrize("reading", [True, False])
def test_a_copy_without_its_wal_that_holds_nothing_is_not_taken_for_a_new_one(tmp_path: Path, reading: bool) -> None:
    path, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    old = apsw.Connection(str(path))  # as versions before 5 began: all that there is, is in the -wal
    old.pragma("journal_mode", "wal")
    old.execute("CREATE TABLE run (id TEXT); PRAGMA user_version = 4")
    shutil.copy(path, copy)
    old.close()
    with pytest.raises(StateFolderError, match="is a copy without its -wal file") as refused:
        SqliteStore(copy, reading=reading)
    assert "runner backup" in refused.value.hint


def test_a_copy_without_its_wal_of_this_version_has_at_least_its_tables(tmp_path: Path) -> None:
    path, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    store = begun(path)
    shutil.copy(path, copy)
    store.close()
    without = SqliteStore(copy, reading=True)
    assert without.runs() == []
    without.close()


@pytest.mark.parametrize("where", [0, 100, 5000])
def test_a_damaged_database_is_to_be_kept_and_the_service_to_be_looked_at(tmp_path: Path, where: int) -> None:
    path = tmp_path / "journal.db"
    begun(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:where] + b"\xff" * 5000 + whole[where + 5000 :])
    with pytest.raises(StateFolderError) as damaged:  # noqa: PT012  where it shows depends on what is damaged
        store = SqliteStore(path)
        store.load_plan(PLAN)
        store.create_run(RunRecord("run-2", "c", PLAN, 1.0, None, ("z",)))
        store.runs()
    said = str(damaged.value)
    assert "keep the file" in said
    assert "runner backup" in said
    assert "look at what the service shows" in said
    assert "--state-dir" not in said


def test_looking_makes_nothing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "none" / "journal.db", reading=True)
    assert store.runs() == []
    store.close()
    assert list(tmp_path.iterdir()) == []


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user who owns nothing, if this is one who may do anything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that every user can reach."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


def read_only(folder: Path) -> None:
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def with_entries(path: Path) -> SqliteStore:
    store = begun(path)
    await store.open_run("run-1", HERE).append(intended(5))
    return store


def requests_in(path: Path) -> list[int]:
    store = SqliteStore(path, reading=True)
    try:
        assert [row.id for row in store.runs()] == ["run-1"]
        assert [row.run_id for row in store.leases()] == ["run-1"]
        return [event.request for event in store.read_events("run-1") if isinstance(event, e.Intended)]
    finally:
        store.close()


@pytest.mark.parametrize("goes_on", [True, False])
async def test_a_folder_that_can_only_be_read_can_be_read(shared_folder: Path, goes_on: bool) -> None:
    """Also while another user's run goes on in it."""
    path = shared_folder / "journal.db"
    store = await with_entries(path)
    if not goes_on:
        store.close()
    files = names_in(shared_folder)
    read_only(shared_folder)
    with nobody():
        assert requests_in(path) == [5]
        with pytest.raises(StateFolderError, match=r"cannot be used|can only be read") as refused:
            with_run(SqliteStore(path), "run-2")
        assert FREE_ADVICE not in str(refused.value)
    assert names_in(shared_folder) == files
    if goes_on:
        store.close()


async def test_a_folder_of_an_earlier_version_that_can_only_be_read_can_be_read(shared_folder: Path) -> None:
    path = shared_folder / "journal.db"
    (await with_entries(path)).close()
    db = apsw.Connection(str(path))
    db.execute(BACK_TO_4)
    db.close()
    before = path.read_bytes()
    read_only(shared_folder)
    with nobody():
        assert requests_in(path) == [5]
    assert path.read_bytes() == before


async def test_entries_that_cannot_be_read_without_writing_are_told_of(shared_folder: Path) -> None:
    path, copy = shared_folder / "state" / "journal.db", shared_folder / "copy" / "journal.db"
    store = await with_entries(path)
    copy.parent.mkdir()
    for name in ("journal.db", "journal.db-wal"):
        shutil.copy(path.with_name(name), copy.with_name(name))
    store.close()
    read_only(copy.parent)
    with nobody(), pytest.raises(StateFolderError, match=r"its newest entries are in journal\.db-wal") as refused:
        SqliteStore(copy, reading=True)
    assert "copy both files" in refused.value.hint
    copy.parent.chmod(0o755)


async def test_a_backup_is_whole_and_can_be_gone_on_with(tmp_path: Path) -> None:
    store = await with_entries(tmp_path / "journal.db")
    copy = tmp_path / "copy.db"
    store.backup(copy)
    assert copy.stat().st_mode & 0o077 == 0
    assert names_in(tmp_path) == ["copy.db", "journal.db", "journal.db-shm", "journal.db-wal"]
    with pytest.raises(InvalidInput, match="is there already"):
        store.backup(copy)
    store.close()
    assert requests_in(copy) == [5]
    again = SqliteStore(copy, alive=lambda owner: False)
    await again.open_run("run-1", THERE).append(intended(6))
    again.close()
    assert requests_in(copy) == [5, 6]


def test_a_backup_to_where_nothing_can_be_written_leaves_nothing(tmp_path: Path) -> None:
    store = begun(tmp_path / "journal.db")
    with pytest.raises(StateFolderError, match=r"copy\.db cannot be written: No such file") as refused:
        store.backup(tmp_path / "none" / "copy.db")
    assert "--state-dir" not in refused.value.hint
    store.close()


def test_a_backup_of_a_damaged_database_says_which_one_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    begun(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * 8192 + whole[16384:])
    store = SqliteStore(path, reading=True)
    with pytest.raises(StateFolderError, match=r"journal\.db is damaged"):
        store.backup(tmp_path / "copy.db")
    store.close()
    assert not (tmp_path / "copy.db").exists()


# The store in memory, for stories.


def test_a_store_in_memory_that_is_locked_writes_later_and_renews_before() -> None:
    loop = VirtualLoop()
    loop.run_until_complete(locked_for_a_while(loop))
    loop.close()


async def locked_for_a_while(loop: VirtualLoop) -> None:
    store = MemoryStore(now=loop.time, renews=True)
    store.save_plan(PLAN, b"{}")
    store.create_run(RunRecord("run-1", "c", PLAN, 1.0, HERE, ("a",), 60.0))
    journal = store.open_run("run-1", HERE)
    said: list[bool] = []
    journal.on_blocked(said.append)
    store.lock(30.0)
    durable = asyncio.ensure_future(journal.append(intended()))
    with pytest.raises(StateFolderBusy):
        store.beside().lease("run-1", ["b"])
    await asyncio.sleep(29.0)
    assert journal.owned_until < loop.time()
    assert journal.is_blocked
    store.lock(30.0)
    await asyncio.sleep(29.0)
    assert not durable.done()
    await durable
    assert said == [True, False]
    assert journal.owned_until == loop.time() + LEASE_S
    journal.die()
    await asyncio.sleep(60.0)
    assert journal.owned_until < loop.time()
    with pytest.raises(Leased):
        store.beside(alive=unknown).create_run(RunRecord("run-2", "c", PLAN, 1.0, THERE, ("a",)))
