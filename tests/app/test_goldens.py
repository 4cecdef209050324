"""What earlier programs wrote reads as it always did: journals of every version, plans, and the requests made of them.

tests/goldens/README.md says what is there, and how a golden is added.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from runner.app.bodies import BodyMaker
from runner.app.history import read_run, stored_plan
from runner.app.listing import open_store
from runner.app.verifying import verify
from runner.plan.codec import plan_from_json, plan_to_json
from runner.plan.plan import Plan
from runner.run.evolve import replay
from runner.run.facts import initial_facts
from tests.goldens.make import rows_of

GOLDENS = Path(__file__).parents[1] / "goldens"
JOURNALS = sorted(path.parent.name for path in GOLDENS.glob("*/journal.db.gz"))
DIGESTS = orjson.loads((GOLDENS / "plans" / "digests.json").read_bytes())
RUN_ID = "20260101-000000-aaaaaa"
SECRETS = {"TOKEN": "made-up-token"}


class Golden(NamedTuple):
    """A journal in a state folder of its own, and what is to come of it."""

    state_dir: Path
    rows: list[dict[str, Any]]
    reports: dict[str, dict[str, Any]]


@pytest.fixture(params=JOURNALS)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Golden:
    folder = GOLDENS / str(request.param)
    (tmp_path / "journal.db").write_bytes(gzip.decompress((folder / "journal.db.gz").read_bytes()))
    rows = orjson.loads((folder / "list.json").read_bytes())
    reports = {row["id"]: orjson.loads((folder / f"{row['id']}.json").read_bytes()) for row in rows}
    return Golden(tmp_path, rows, reports)


# What was mended since: an aborted campaign left its wave in the state that it was in.
MENDED = [("soaking", "aborted"), ("checking", "aborted"), ("running", "aborted")]


# Versions before counted what was intended, sent or not.
COUNTED_ANEW = {"creates_sent", "creates_per_s"}


def differences(stored: object, found: object, place: str = "") -> Iterator[str]:
    """Where something stored is gone or another; what is there besides is none."""
    if isinstance(stored, dict) and isinstance(found, dict):
        for key, value in stored.items():
            if key in COUNTED_ANEW:
                continue
            if key in found:
                yield from differences(value, found[key], f"{place}.{key}")
            else:
                yield f"{place}.{key} is gone"
    elif isinstance(stored, list) and isinstance(found, list) and len(stored) == len(found):
        for index, (one, other) in enumerate(zip(stored, found, strict=True)):
            yield from differences(one, other, f"{place}[{index}]")
    elif (type(stored) is not type(found) or stored != found) and (stored, found) not in MENDED:
        yield f"{place} is {found!r} and not {stored!r}"


def test_what_is_added_is_no_difference_and_all_else_is_one() -> None:
    stored = {"counts": {"failed": 1}, "jobs": [{"name": "a", "job_id": None}]}
    assert not list(differences(stored, {**stored, "more": 1, "jobs": [{"name": "a", "job_id": None, "more": 1}]}))
    assert list(differences(stored, {"counts": {"failed": True}, "jobs": [{"name": "b"}]})) == [
        ".counts.failed is True and not 1",
        ".jobs[0].name is 'b' and not 'a'",
        ".jobs[0].job_id is gone",
    ]
    assert list(differences([1], [1, 2])) == [" is [1, 2] and not [1]"]


@pytest.mark.parametrize("name", JOURNALS)
def test_a_golden_is_still_of_the_version_that_it_is_named_after(name: str) -> None:
    header = gzip.decompress((GOLDENS / name / "journal.db.gz").read_bytes())[:100]
    assert name.startswith(f"v{int.from_bytes(header[60:64], 'big')}-")  # SQLite keeps user_version there


def test_there_are_goldens_of_every_version() -> None:
    assert {name.partition("-")[0] for name in JOURNALS} >= {"v1", "v2", "v3", "v4"}


def test_runs_are_listed_as_they_were(golden: Golden) -> None:
    assert not list(differences(golden.rows, rows_of(golden.state_dir)))


def test_reports_are_what_they_were(golden: Golden) -> None:
    for run_id, report in golden.reports.items():
        assert not list(differences(report, orjson.loads(b"".join(read_run(golden.state_dir, run_id).report_pieces()))))


def test_records_are_verified(golden: Golden) -> None:
    for run_id in golden.reports:
        assert verify(golden.state_dir, run_id).broken == ()


def test_a_run_that_goes_on_names_its_requests_as_its_report_does(golden: Golden) -> None:
    for run_id, report in golden.reports.items():
        with open_store(golden.state_dir) as store:
            plan = stored_plan(store, run_id)
            state = initial_facts(plan)
            replay(state, store.read_events(run_id))
        bodies = BodyMaker(plan, run_id, state, SECRETS)
        names = {bodies.job_name_of(request) for request in range(len(state.requests))}
        assert {job["name"] for job in report["jobs"]} <= names


def golden_plan(name: str) -> Plan:
    return plan_from_json((GOLDENS / "plans" / f"{name}.json").read_bytes(), name)


def digest_of_requests(plan: Plan) -> str:
    """Over the names and bodies of all requests, in order, each with a line end."""
    bodies = BodyMaker(plan, RUN_ID, initial_facts(plan), SECRETS)
    digest = hashlib.sha256()
    for request in range(len(plan.requests)):
        digest.update(bodies.job_name_of(request).encode() + b"\n" + bodies.body_of(request) + b"\n")
    return digest.hexdigest()


@pytest.mark.parametrize("name", DIGESTS)
def test_a_plan_of_an_earlier_program_makes_the_same_requests(name: str) -> None:
    plan = golden_plan(name)
    assert {"plan_hash": plan.plan_hash, "requests": digest_of_requests(plan)} == DIGESTS[name]


@pytest.mark.parametrize("name", DIGESTS)
def test_a_plan_is_kept_for_its_run_under_its_hash(name: str) -> None:
    plan = golden_plan(name)
    kept = plan_from_json(plan_to_json(plan), name)
    assert {"plan_hash": kept.plan_hash, "requests": digest_of_requests(kept)} == DIGESTS[name]
