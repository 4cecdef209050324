"""`prune`, `export` and the choices of `list`, as users give them."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime

from tests.app.past import Past
from tests.cli.conftest import Program
from tests.cli.inside import ClockSetTo
from tests.cli.rollouts import given


def test_pruning_shows_first_and_does_it_when_told(program: Program) -> None:
    past = Past(program.state)
    program.clock = ClockSetTo(datetime(1970, 4, 11, tzinfo=UTC))
    old = past.run({"a": "s", "b": "s"}, campaign="nightly", at=0.0)
    stopped = past.run({"a": "s"}, campaign="nightly", state="stopped", at=0.0)
    shown = given(program, "prune", "--older-than", "90d")
    assert "nightly      1  1970-01-01T00:00:00Z  1970-01-01T00:00:00Z" in shown
    assert "would go: 1 runs that started before 1970-01-11T00:00:" in shown
    assert "stays: 1 not over\n" in shown
    assert "nothing was deleted: --yes does it" in shown
    (would,) = json.loads(given(program, "prune", "--older-than", "90d", "--format", "json"))
    assert (would["done"], would["runs"], would["kept"]) == (False, [old], {"open": 1})
    assert "would go: 0 runs" in given(program, "prune", "--older-than", "90d", "--keep", "2")
    done = given(program, "prune", "--older-than", "90d", "--yes")
    assert "gone: 1 runs that started before " in done
    assert "freed: " in done
    assert [row.id for row in past.store.runs()] == [stopped]
    assert "would go: 0 runs" in given(program, "prune", "--older-than", "90d")
    past.close()
    program.clock = ClockSetTo(datetime(1970, 3, 31, tzinfo=UTC))
    assert "would go: 0 runs" in given(program, "prune", "--older-than", "90d")
    for arguments in ((), ("--older-than", "old"), ("--older-than", "1d", "--keep", "-1")):
        given(program, "prune", *arguments, code=2)


def test_lists_are_cut_to_what_is_asked_for(program: Program) -> None:
    past = Past(program.state)
    runs = [past.run({"a": "s"}, campaign=name, state=state) for name, state in
            (("one", "finished"), ("two", "finished"), ("one", "stopped"))]  # fmt: skip
    past.close()

    def listed(*arguments: str) -> list[str]:
        return [row["id"] for row in json.loads(given(program, "list", "--format", "json", *arguments))]

    assert listed() == runs[::-1]
    assert listed("--limit", "2") == runs[:0:-1]
    assert listed("--campaign", "one") == [runs[2], runs[0]]
    assert listed("--campaign", "one", "--state", "finished") == [runs[0]]
    given(program, "list", "--state", "aborted", says="no such runs in ")
    given(program, "list", "--state", "over", code=2, says="'over' is not one of")


def test_an_export_is_one_file(program: Program) -> None:
    past = Past(program.state)
    run_id = past.run({"a": "s"})
    past.close()
    given(program, "export", "last", "run.zip", says="run.zip: ")
    with zipfile.ZipFile(program.folder / "run.zip") as archive:
        assert sorted(archive.namelist()) == [
            f"{run_id}/{name}" for name in ("journal.ndjson", "plan.json", "report.json")
        ]
    given(program, "export", "2099", "run.zip", code=2, says="2099: no such run")
    given(program, "export", "last", "nowhere/none/run.zip")
