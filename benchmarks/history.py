"""What a long past costs: commands on a store of 10,000 runs, beside the same on one of 100."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.tools import header, median, row, runner, timed
from runner.journal.owner import this_process
from runner.journal.sqlite import SqliteStore
from runner.journal.store import RunRecord
from runner.model import Job, Lane, Server
from runner.plan.codec import hash_plan, plan_to_json
from runner.plan.digests import plan_digests
from runner.plan.plan import Plan, PlannedGroup, PlannedRequest, PlanSummary
from runner.run import events as e
from runner.settings import JOURNAL_FILE
from runner.spec.campaign import Submit, Watch

RUNS, FEW, READS = 10_000, 100, 3
SERVERS, PER_JOB = 100, 10
_BODY = {"name": "job", "type": "HDK_UPGRADE", "items": [{"type": "HDK_UPGRADE", "spec": {"version": "24.1.0"}}]}


def _plan(number: int, first: int, parents: tuple[str, ...] = ()) -> Plan:
    """A plan over a hundred servers, counted from `first`."""
    servers = tuple(
        Server(f"{first + i:08x}-1111-4222-8333-444455556666", f"node-{first + i}", {}) for i in range(SERVERS)
    )
    plan = Plan(
        campaign="nightly",
        description="",
        jobspec="api_version: runner/v1\n" * 20,
        variables={},
        inventory_fingerprint="",
        runner_version="0",
        created_at=float(number),
        lanes=(Lane("cn-north-9", None, "p"),),
        steps=("upgrade",),
        groups=(PlannedGroup("all", 0, servers),),
        requests=tuple(PlannedRequest(0, 0, i, i + PER_JOB, _BODY) for i in range(0, SERVERS, PER_JOB)),
        submit=Submit(rate=10.0),
        watch=Watch(),
        summary=PlanSummary(SERVERS, SERVERS, 0, SERVERS // PER_JOB, ()),
        plan_hash="",
        parents=parents,
    )
    return replace(plan, plan_hash=hash_plan(plan))


def _events(plan: Plan, failed: int | None, *, sent: bool) -> Iterator[e.Event]:
    """A run in which one server failed, or none."""
    yield e.RunStarted(1.0, plan.campaign, plan.plan_hash, "0", simulated=False, watched=True)
    for request in range(len(plan.requests) if sent else 0):
        letters = "".join("f" if request * PER_JOB + i == failed else "s" for i in range(PER_JOB))
        job = Job(f"job-{request}", None, None, "FINISHED", 0, None, None, None, None)
        yield e.Intended(2.0, request)
        yield e.Accepted(3.0, request, job)
        yield e.JobRead(4.0, request, job)
        yield e.Settled(4.0, request, letters, 60.0)
    yield e.RunEnded(5.0, "finished" if sent else "aborted", "", 3)


def _add(store: SqliteStore, number: int, plan: Plan, events: Iterator[e.Event]) -> str:
    run_id = f"{20200101 + number // 100}-{number:06}-abcdef"
    owner = this_process(run_id)
    store.save_plan(plan.plan_hash, plan_to_json(plan), plan_digests(plan))
    store.create_run(RunRecord(run_id, plan.campaign, plan.plan_hash, 1.0, owner, parents=plan.parents))
    journal = store.open_run(run_id, owner)
    journal.append(list(events))
    counts = {"servers": SERVERS, "succeeded": SERVERS, "not_started": 0}
    store.finish(run_id, "finished", counts)
    journal.close()
    return run_id


def _nights(number: int) -> tuple[Plan, Iterator[e.Event]]:
    plan = _plan(number, 0)
    return plan, _events(plan, 3, sent=True)


def _elsewhere(number: int) -> tuple[Plan, Iterator[e.Event]]:
    plan = _plan(number, number * SERVERS)
    return plan, _events(plan, 3, sent=True)


def _in_vain(number: int) -> tuple[Plan, Iterator[e.Event]]:
    plan = _plan(number, 0)
    return plan, _events(plan, 3, sent=number == 0)


Past = Callable[[int], tuple[Plan, Iterator[e.Event]]]
PASTS: dict[str, Past] = {
    "the same servers every night": _nights,
    "other servers every night": _elsewhere,
    "the same servers, and nothing sent": _in_vain,
}


@contextmanager
def _folder() -> Iterator[Path]:
    """In memory where there is such a place: what is measured is reading, not writing."""
    memory = Path("/dev/shm")  # noqa: S108  a folder of our own is made there
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


async def _fill(folder: Path, runs: int, past: Past) -> str:
    """Make the runs, and a small family of the first that says nothing: all that is later must be looked through."""
    store = SqliteStore(folder / JOURNAL_FILE)
    first = _add(store, 0, *past(0))
    for number in range(1, runs):
        _add(store, number, *past(number))
    for number in range(runs, runs + 3):
        plan = _plan(number, 0, (first,))
        _add(store, number, plan, _events(plan, None, sent=False))
    store.close()
    return first


def _commands(first: str) -> dict[str, list[str]]:
    return {
        "list": ["list"],
        "list --limit 20": ["list", "--limit", "20"],
        "list --state interrupted": ["list", "--state", "interrupted"],
        "show, of the first": ["show", first],
        "show last": ["show", "last"],
        "retry --dry-run, of the first": ["retry", first, "--no-look", "--dry-run"],
        "report --lineage, of the first": ["report", first, "--lineage"],
    }


def _measured(runs: int, past: Past) -> dict[str, float]:
    """Seconds, and the size of the database in MiB."""
    with _folder() as folder:
        first = asyncio.run(_fill(folder, runs, past))
        where = ["--state-dir", str(folder)]
        measured = {
            name: median([timed([*runner(*command), *where])[0] for _ in range(READS)])
            for name, command in _commands(first).items()
        }
        return {**measured, "size": (folder / JOURNAL_FILE).stat().st_size / 2**20}


def main() -> None:
    """Print how long commands take, with a short past and a long one."""
    header("past", "command", f"{FEW:,} runs, s", f"{RUNS:,} runs, s", "MiB")
    for name, past in PASTS.items():
        few, many = _measured(FEW, past), _measured(RUNS, past)
        size = many.pop("size")
        for command, seconds in many.items():
            row(name, command, few[command], seconds, f"{size:,.0f}")


if __name__ == "__main__":
    main()
