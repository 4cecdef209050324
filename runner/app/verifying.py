"""Whether a run's record is as it was written: journal, plan and report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from runner.app.history import open_store, stored_run
from runner.errors import InvalidInput, Problem, RefusedToStart, StateFolderError
from runner.journal.chain import follow
from runner.plan.codec import plan_from_json
from runner.run.waves import Stage

if TYPE_CHECKING:
    from runner.journal.store import RunRow, RunStore
    from runner.model import JsonObject


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found: lines of what is in order, and of what is not."""

    run_id: str
    fine: tuple[str, ...]
    broken: tuple[str, ...]


def verify(state_dir: Path, text: str) -> Verified:
    """Check a run, or a report file and the run it is of.

    Raises:
        InvalidInput: there is no such run, or the file is no report.
    """
    report = _read_report(Path(text)) if text.endswith(".json") else None
    with open_store(state_dir, reading=True) as store:
        run_id = store.resolve(report["run"]["id"] if report else text)
        found = _Findings()
        row = store.run(run_id)
        hashes = found.journal(store, row)
        found.plan(store, row)
        if report is not None:
            found.report(report, row, hashes)
            if report["run"].get("journal_head") in {None, store.head(run_id)}:
                found.same(report, stored_run(store, run_id, state_dir).report)
    return Verified(run_id, tuple(found.fine), tuple(found.broken))


class _Findings:
    def __init__(self) -> None:
        self.fine: list[str] = []
        self.broken: list[str] = []

    def journal(self, store: RunStore, row: RunRow) -> tuple[str, ...]:
        chain = follow(row.id, row.plan_hash, store.links(row.id))
        if chain.broken_at is not None:
            self.broken.append(
                f"journal: the chain breaks at entry {chain.broken_at:,}: it was changed after it was written"
            )
        else:
            head = f", head {chain.hashes[-1]}" if chain.hashes else ""
            self.fine.append(f"journal: {len(chain.hashes):,} entries fit together{head}")
        return chain.hashes

    def plan(self, store: RunStore, row: RunRow) -> None:
        try:
            plan = plan_from_json(store.load_plan(row.plan_hash), "plan")
        except (InvalidInput, RefusedToStart, StateFolderError) as error:
            self.broken.append(f"plan: {error}")
            return
        if plan.plan_hash == row.plan_hash:
            self.fine.append(f"plan: {plan.plan_hash}")
        else:
            self.broken.append(f"plan: the run is of {row.plan_hash}, and the stored plan is {plan.plan_hash}")

    def report(self, report: JsonObject, row: RunRow, hashes: tuple[str, ...]) -> None:
        run = report["run"]
        if run.get("plan_hash") != row.plan_hash:
            self.broken.append(f"report: it names the plan {run.get('plan_hash')}, and the run is of {row.plan_hash}")
        if run.get("journal_head") is None:
            self.fine.append("report: made by a version that kept no journal head")
        elif run["journal_head"] not in hashes:
            self.broken.append("report: its journal head is not in the journal's chain")
        elif run["journal_head"] != hashes[-1]:
            self.fine.append("report: made before the run was resumed; its head is an earlier entry of the chain")

    def same(self, report: JsonObject, made_now: JsonObject) -> None:
        differing = sorted(key for key, value in report.items() if not _holds(value, made_now.get(key)))
        if differing:
            self.broken.append(f"report: not what the journal gives, in {', '.join(differing)}")
        else:
            self.fine.append("report: what the journal gives")


# Versions before left a wave of an aborted campaign in the state that it was in.
_LEFT_IN = frozenset({Stage.RUNNING, Stage.SOAKING, Stage.CHECKING, Stage.AWAITING_APPROVAL})


# Versions before counted what was intended, sent or not.
_COUNTED_ANEW = frozenset({"creates_sent", "creates_per_s"})


def _holds(told: object, made_now: object) -> bool:
    """Whether what a report tells is what the journal gives; later versions tell more."""
    if isinstance(told, dict) and isinstance(made_now, dict):
        known = told.keys() - _COUNTED_ANEW
        return all(key in made_now and _holds(told[key], made_now[key]) for key in known)
    if isinstance(told, list) and isinstance(made_now, list):
        return len(told) == len(made_now) and all(map(_holds, told, made_now))
    return told == made_now or (made_now == Stage.ABORTED and told in _LEFT_IN)


def _read_report(path: Path) -> JsonObject:
    try:
        report = orjson.loads(path.read_bytes())
        report["run"]["id"]
    except OSError as error:
        raise InvalidInput(Problem(f"cannot be read: {error.strerror}", str(path))) from error
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise InvalidInput(Problem("not a report", str(path), hint="reports are written by `runner run`")) from error
    return dict(report)
