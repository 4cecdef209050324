"""A new limit is one line of the table: shown with a copy of the program that has two more."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from runner.spec.rollout.limits import LIMITS, Scope
from tests.cli.conftest import ROOT, SIMULATED, Program
from tests.cli.rollouts import WAVES, given, report, with_rollout

TABLE = Path("runner/spec/rollout/limits.py")
MORE = """\
    LimitKind("max_harm", Scope.CAMPAIGN, Counted.ABNORMAL, "Harm.", settable=True),
    LimitKind("max_skipped_per_group", Scope.GROUP, Counted.SKIPPED, "Skipped servers of each group."),
)
PER = """


@pytest.fixture
def with_more_limits(program: Program) -> Program:
    """The program with two more lines in its table."""
    copy = program.folder / "copy"
    shutil.copytree(ROOT / "runner", copy / "runner", ignore=shutil.ignore_patterns("__pycache__"))
    text = (copy / TABLE).read_text()
    assert text.count(")\nPER = ") == 1
    (copy / TABLE).write_text(text.replace(")\nPER = ", MORE))
    program.env["PYTHONPATH"] = str(copy)
    program.apart = True
    return program


def budget_of(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["rollout"]["budget"]
    return found


@pytest.mark.process
def test_a_limit_of_the_table_is_known_everywhere(with_more_limits: Program) -> None:
    program = with_more_limits
    with_rollout(program, WAVES, "budget: {max_harm: 50%, max_skipped_per_group: 2}")
    shown = given(program, "plan", "job.yaml", "--region", "r-1", "-o", "plan.json")
    assert "limits     max_harm: 4 of 8 servers" in shown
    assert "limits     max_skipped_per_group: canary 2 of 2, main 2 of 6" in shown
    planned = budget_of(json.loads((program.folder / "plan.json").read_text()))
    assert (planned["max_harm"], planned["max_skipped_per_group"], planned["max_skipped"]) == ("50%", "2", None)
    given(program, "run", "plan.json", *SIMULATED)
    limits = report(program)["budget"]["limits"]
    used = {(limit["name"], limit["scope"]): (limit["most"], limit["counts"]) for limit in limits}
    assert used["max_harm", "campaign"] == (4, "abnormal")
    assert used["max_skipped_per_group", "group main"] == (2, "skipped")
    assert "max_harm" in given(program, "set", "--help")
    for name in ("jobspec", "plan"):
        given(program, "schema", name, says="max_skipped_per_group")
    with_rollout(program, WAVES, "budget: {max_harm: 1%}")
    says = "job.yaml:21:22: rollout.budget.max_harm: max_harm comes to 0 of 8 servers: not one could be touched"
    given(program, "validate", "job.yaml", "--region", "r-1", code=2, says=says)


@pytest.mark.process
def test_plans_made_before_a_limit_was_added_are_run_and_have_their_hash(with_more_limits: Program) -> None:
    program = with_more_limits
    with_rollout(program, WAVES, "budget: {max_abnormal: 50%}")
    copied, program.env["PYTHONPATH"] = program.env["PYTHONPATH"], str(ROOT)
    given(program, "plan", "job.yaml", "--region", "r-1", "-o", "plan.json")
    made = json.loads((program.folder / "plan.json").read_text())
    program.env["PYTHONPATH"] = copied
    given(program, "run", "plan.json", *SIMULATED, "--require-hash", made["plan_hash"])
    given(program, "verify", "last", says=f"plan: {made['plan_hash']}")
    given(program, "plan", "job.yaml", "--region", "r-1", says=made["plan_hash"])
    assert "max_harm" not in budget_of(made)


def test_no_other_module_names_a_limit() -> None:
    names = {kind.name for kind in LIMITS}
    found = {
        (source.relative_to(ROOT), node.value)
        for source in (ROOT / "runner").rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert found == {(TABLE, name) for name in names}


def test_the_documents_have_every_limit() -> None:
    text = (ROOT / "docs" / "rollouts.md").read_text()
    assert all(f"`{kind.name}`" in text for kind in LIMITS)


def test_only_a_limit_of_the_campaign_can_be_set() -> None:
    assert {kind.scope for kind in LIMITS if kind.settable} == {Scope.CAMPAIGN}
