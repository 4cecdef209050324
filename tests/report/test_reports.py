"""Reports: golden files of typical runs, and totals that add up at every moment."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from runner.model import Job, Task
from runner.report.files import ReportPieces, report_to_json
from runner.report.fold import RunReport, fold, fold_report, make_report
from runner.report.models import ReportFile
from runner.report.text import summary_of, summary_text
from runner.rules.answers import Cause, ServiceError
from runner.run import events as e
from runner.run.evolve import evolve
from runner.run.facts import initial_facts
from runner.run.phases import Phase
from tests.conftest import PlanMaker, small_plan

ERROR = ServiceError(400, "ModelArts.6404", "LiteServer instance 'x' not found.", "0f" * 16)
START = e.RunStarted(1000.0, "test", "sha256:0", "0", simulated=False, watched=True)


def job(request: int, statuses: str, status: str = "FINISHED") -> Job:
    words = {"s": "SUCCESS", "f": "FAILED", "p": "PROCESSING"}
    tasks = tuple(
        Task(
            f"t{i}",
            f"g0-s{request * 2 + i}",
            f"server-{i}",
            words[letter],
            "driver mismatch" if letter == "f" else None,
            1001.0,
            1100.0,
            {"type": "HPS"},
        )
        for i, letter in enumerate(statuses)
    )
    return Job(
        f"job-{request}",
        f"n-{request}",
        "ASCEND_SOFTWARE_UPGRADE",
        status,
        statuses.count("f"),
        "tpl",
        "user",
        1001.0,
        1100.0,
        tasks,
    )


def accepted(request: int) -> list[e.Event]:
    return [e.Intended(1001.0, request), e.Accepted(1001.5, request, job(request, "", "ACTIVE"))]


def settled(request: int, letters: str) -> list[e.Event]:
    return [
        *accepted(request),
        e.JobRead(1100.0, request, job(request, letters)),
        e.Settled(1100.0, request, letters, 99.0),
    ]


def ended(state: str = "finished", code: int = 3) -> list[e.Event]:
    return [e.RunEnded(1200.0, state, "as told", code)]


def test_golden_reports(plan_of: PlanMaker, snapshot: SnapshotAssertion) -> None:
    plan = plan_of((8,), (2,))
    stories: dict[str, list[e.Event]] = {
        "clean": [START, *(event for i in range(4) for event in settled(i, "ss")), *ended(code=0)],
        "mixed": [
            START,
            *settled(0, "sf"),
            e.Intended(1001.0, 1),
            e.Refused(1001.5, 1, Cause.INVALID, ERROR, None),
            e.Intended(1002.0, 2),
            e.Throttled(1002.5, 2, ERROR, 60.0, 0.16),
            *settled(2, "ss"),
            e.Intended(1003.0, 3),
            e.InDoubt(1004.0, 3, ServiceError(None, "TimeoutError", "no answer in time", None)),
            e.Conflict(1020.0, 3, ("a", "b"), "more than one job has the request's name: a, b"),
            *ended(),
        ],
        "stopped": [
            START,
            *accepted(0),
            e.Intended(1001.0, 1),
            e.StopRequested(1002.0, "SIGINT received"),
            *ended("stopped", 5),
        ],
    }
    for name, events in stories.items():
        folded = fold(plan, events)
        report = make_report(folded, "run-1")
        assert report_to_json(report).decode() == snapshot(name=name)
        assert summary_text(report, folded.facts) == snapshot(name=f"{name} in words")


@pytest.mark.parametrize("servers", [0, 2, 40, 42, 80, 100])
def test_a_report_in_pieces_is_the_whole_one(plan_of: PlanMaker, servers: int) -> None:
    plan = plan_of((servers,), (2,))
    letters = ("ss", "sf", "ff")
    events = [START, *(event for request in range(servers // 2) for event in settled(request, letters[request % 3]))]
    report = RunReport(fold(plan, events), "run-1")
    pieces, whole = ReportPieces(report), report_to_json(report.of(lambda _: True))
    assert b"".join(pieces) == whole
    assert b"".join(pieces) == whole  # and again
    assert max(map(len, pieces), default=0) < 60_000  # however many there are


def test_text_that_acts_on_a_screen_is_escaped_in_pieces_too(plan_of: PlanMaker) -> None:
    plan = plan_of((2,), (2,))
    odd = replace(job(0, "sf"), user_name="\x9b31m\u202e", name="\x7f")
    report = RunReport(fold(plan, [START, *accepted(0), e.JobRead(1100.0, 0, odd)]), "run-1")
    whole = b"".join(ReportPieces(report))
    assert whole == report_to_json(report.of(lambda _: True))
    assert whole.isascii()


def _story(request: int, servers: int, rng: random.Random) -> Iterator[e.Event]:
    """What may become of a request."""
    yield e.Intended(1001.0, request)
    fate = rng.random()
    if fate < 0.6:
        yield e.Accepted(1002.0, request, job(0, "", "ACTIVE"))
        if fate < 0.5:
            yield e.Settled(1003.0, request, "".join(rng.choice("ssfkt") for _ in range(servers)), None)
    elif fate < 0.8:
        yield e.Refused(1002.0, request, Cause.INVALID, ERROR, None)


@given(st.integers(0, 2**32), st.integers(0, 60))
def test_totals_add_up_wherever_the_journal_ends(seed: int, cut: int) -> None:
    rng = random.Random(seed)
    plan = small_plan((5, 3), (2, 4))
    facts = initial_facts(plan)
    events: list[e.Event] = [START]
    evolve(facts, START)
    while ready := [request for request, phase in enumerate(facts.phases) if phase is Phase.READY]:
        request = rng.choice(ready)
        events += (these := list(_story(request, len(facts.servers_of(request)), rng)))
        for event in these:
            evolve(facts, event)
    folded = fold(plan, events[:cut])
    report = make_report(folded, "run-1")
    for part in (report, *report["groups"]):
        counts = dict(part["counts"])
        assert counts.pop("servers") == sum(counts.values())
        assert part["abnormal_count"] == counts["failed"] + counts["timed_out"] + counts["unknown"]
    assert report["counts"]["servers"] == 8
    ReportFile.model_validate(orjson.loads(report_to_json(report)))
    streamed = RunReport(folded, "run-1")
    assert b"".join(ReportPieces(streamed)) == report_to_json(report)
    assert summary_of(streamed) == summary_text(report, folded.facts)


def test_creates_that_were_intended_and_not_sent_do_not_count_as_sent(plan_of: PlanMaker) -> None:
    unreachable = ServiceError(None, None, "no connection", None)
    events: list[e.Event] = [
        START,
        *settled(0, "ss"),
        e.Intended(1002.0, 1),
        e.Lapsed(1013.0, 1),
        e.Intended(1014.0, 1),
        e.Refused(1014.5, 1, Cause.UNREACHABLE, unreachable, 1016.0),
        e.Intended(1016.0, 1),
        e.Throttled(1016.5, 1, ERROR, 60.0, 0.16),
        e.Intended(1080.0, 2),
        e.InDoubt(1090.0, 2, ERROR),
        e.Intended(1091.0, 3),  # and its process died: it may have been sent
    ]
    submission = fold_report(plan_of((8,), (2,)), "run-1", events)["submission"]
    assert submission["creates_sent"] == 4
    assert submission["first_intended_at"] == "1970-01-01T00:16:41.000Z"
