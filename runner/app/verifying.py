"""Whether a run's record is as it was written: journal, plan and report."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson

from runner.app.history import stored_run
from runner.app.listing import open_store
from runner.errors import InvalidInput, Problem, RefusedToStart, StateFolderError
from runner.journal.chain import follow
from runner.plan.codec import plan_from_json
from runner.run.waves import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.app.history import StoredRun
    from runner.journal.store import RunRow, RunStore
    from runner.model import JsonObject

_JOBS = b',\n  "jobs": ['
_PIECE = 2**20


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
        run_id = store.resolve(report.head["run"]["id"] if report else text)
        found = _Findings()
        row = store.run(run_id)
        hashes = found.journal(store, row)
        found.plan(store, row)
        if report is not None:
            found.report(report.head, row, hashes)
            if report.head["run"].get("journal_head") in {None, store.head(run_id)}:
                found.same(report, stored_run(store, run_id, state_dir))
            else:
                report.whole()  # or it is none
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

    def same(self, read: _ReportFile, stored: StoredRun) -> None:
        differing: list[str] = []
        if not read.is_just(stored.report_pieces()):
            made_now = stored.report.of(lambda _: True)
            differing = sorted(key for key, value in read.whole().items() if not _holds(value, made_now.get(key)))
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


class _ReportFile(NamedTuple):
    """A report in a file. `head` is all of it, or, of a file as reports are written, all but its jobs."""

    path: Path
    head: JsonObject

    def is_just(self, pieces: Iterable[bytes]) -> bool:
        """Whether the file is this, byte by byte."""
        with self.path.open("rb") as file:
            return all(file.read(len(piece)) == piece for piece in pieces) and not file.read(1)

    def whole(self) -> JsonObject:
        """All of it."""
        return self.head if "jobs" in self.head else _parsed(self.path)


def _read_report(path: Path) -> _ReportFile:
    try:
        report = (_head(path) if path.is_file() else None) or _parsed(path)
        report["run"]["id"]
    except OSError as error:
        raise InvalidInput(Problem(f"cannot be read: {error.strerror}", str(path))) from error
    except (KeyError, TypeError) as error:
        raise _no_report(path) from error
    return _ReportFile(path, report)


def _head(path: Path) -> JsonObject | None:
    """All of a report but its jobs, which may be hundreds of megabytes; None: it is laid out in another way."""
    read = b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            looked = max(0, len(read) - len(_JOBS))
            read += piece
            at = read.find(_JOBS, looked)
            if at >= 0:
                with suppress(orjson.JSONDecodeError):
                    return dict(orjson.loads(read[:at] + b"}"))
                return None
    return None


def _parsed(path: Path) -> JsonObject:
    try:
        return dict(orjson.loads(path.read_bytes()))
    except (TypeError, ValueError) as error:
        raise _no_report(path) from error


def _no_report(path: Path) -> InvalidInput:
    return InvalidInput(Problem("not a report", str(path), hint="reports are written by `runner run`"))
