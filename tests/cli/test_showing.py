"""Whoever is on call at three in the morning: each question is one command, and what it says can be typed on."""

from __future__ import annotations

import csv
import io
import json
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import BEHAVIOUR, JOBSPEC, SIMULATED, Program
from tests.cli.rollouts import given, operated, with_rollout
from tests.cli.serving import StartSimulator
from tests.cli.test_hostile_text import HOSTILE, HOSTILE_YAML, is_harmless

RACKS = 4
FLEET = [(f"id-{n}", f"server-id-{n}", f"r{n % RACKS}") for n in range(32)]
BAD = [server for server, _, rack in FLEET if rack == "r2"]
RACK_FAILS = BEHAVIOUR.replace("0.3}", f"0.1, failing_servers: [{', '.join(BAD)}], message: no route to 10.0.0.7}}")
VIEWS = ((), ("--failed",), ("--by", "labels.rack"), ("--server", "server-id-2"), ("--log", "-v"))
FORMS = ("text", "json", "csv", "ids")


@pytest.fixture
def failed(program: Program) -> Program:
    """A run of which a rack failed."""
    (program.folder / "quick.yaml").write_text(RACK_FAILS)
    (program.folder / "fleet.csv").write_text("id,name,rack\n" + "".join(f"{','.join(row)}\n" for row in FLEET))
    program.jobspec.write_text(JOBSPEC.replace("servers_per_job: 2", "servers_per_job: 1"))
    ran = program("run", program.jobspec, *SIMULATED)
    assert ran.returncode == 3, ran.stderr
    return program


@pytest.mark.parametrize(
    ("question", "command", "answer"),
    [
        ("what happened", ("list",), " finished "),
        ("what failed", ("show", "last", "--failed"), "\nid-2   server-id-2   failed   no route to 10.0.0.7\n"),
        ("what failed, for a machine", ("show", "last", "--failed", "--format", "ids"), "id-2\nid-6\n"),
        ("what succeeded", ("show", "last", "--only", "succeeded", "--format", "ids"), "id-0\nid-1\nid-3\n"),
        ("where", ("show", "last", "--by", "labels.rack"), "\nr2                 8          0       8  100.0 %\n"),
        ("why", ("show", "last"), "\n  8 FAILED: no route to 10.0.0.7 (server-id-2, server-id-6, server-id-10, ...)\n"),
        ("why there", ("show", "last"), "\n    where labels.rack=r2: 8 of 8, of the others 0 %, "),
        ("what now", ("show", "last"), "\nnext       runner retry 2"),
        (
            "has it done so before",
            ("show", "last", "--server", "server-id-2"),
            " failed (all upgrade): no route to 10.0.0.7\n",
        ),
        ("what was done, and when", ("show", "last", "--log"), "run started: campaign test, "),
    ],
)
def test_each_question_of_whoever_is_on_call_is_answered_by_one_command(
    failed: Program, question: str, command: tuple[str, ...], answer: str
) -> None:
    assert answer in given(failed, *command), question


def typed(summary: str) -> list[str]:
    """What a person who copies the whole line after `next` gives to a shell."""
    (line,) = [line for line in summary.splitlines() if line.startswith("next ")]
    program, *arguments = shlex.split(line.removeprefix("next "), comments=True)
    assert program == "runner"
    return arguments


def test_the_end_of_a_run_says_what_show_says_and_its_next_line_can_be_typed(failed: Program) -> None:
    again = failed("run", failed.jobspec, *SIMULATED)
    summary = failed("show", "last").stdout
    assert again.stdout.startswith(summary)
    assert "   # 8 failed\n" in summary
    retried = failed(*typed(summary), *SIMULATED)
    assert retried.returncode == 3, retried.stderr
    assert "servers    8: 8 FAILED\n" in retried.stdout


def test_ids_go_on_into_the_next_command(failed: Program) -> None:
    ids = given(failed, "show", "last", "--failed", "--format", "ids")
    assert ids.split() == BAD
    (failed.folder / "ids.txt").write_text(ids)
    planned = json.loads(
        failed("plan", failed.jobspec, "--region", "r", "--limit", "@ids.txt", "--format", "json").stdout
    )
    assert planned[0]["summary"]["selected"] == 8
    (failed.folder / "failed.csv").write_text(given(failed, "show", "last", "--failed", "--format", "csv"))
    planned = json.loads(failed("plan", failed.jobspec, "--region", "r", "-i", "failed.csv", "--format", "json").stdout)
    assert planned[0]["summary"]["inventory_servers"] == 8


def test_every_form_says_the_same(failed: Program) -> None:
    def shown(*options: str) -> str:
        return given(failed, "show", "last", *options)

    of_json, of_csv = json.loads(shown("--failed", "--format", "json")), rows(shown("--failed", "--format", "csv"))
    assert [row["id"] for row in of_json] == [row["id"] for row in of_csv] == BAD
    assert {(row["outcome"], row["why"], row["labels"]["rack"]) for row in of_json} == {
        ("failed", "no route to 10.0.0.7", "r2")
    }
    assert {row["labels.rack"] for row in of_csv} == {"r2"}
    by_json, by_csv = (
        json.loads(shown("--by", "group", "--format", "json")),
        rows(shown("--by", "group", "--format", "csv")),
    )
    assert (by_json[0]["value"], by_json[0]["servers"], by_json[0]["failed"]) == ("all", 32, 8)
    assert (by_csv[0]["group"], by_csv[0]["servers"], by_csv[0]["failed"]) == ("all", "32", "8")
    log_json, log_csv = json.loads(shown("--log", "--format", "json")), rows(shown("--log", "--format", "csv"))
    assert [line["event"] for line in log_json] == [row["event"] for row in log_csv]
    assert len(log_json) == len(shown("--log").splitlines()) > 8
    (history,) = json.loads(shown("--server", "server-id-2", "--format", "json"))
    assert rows(shown("--server", "id-2", "--format", "csv"))[0]["outcome"] == history["outcome"] == "failed"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--failed", "--log"), "--failed and --log are two questions: ask them one after the other"),
        (("--format", "csv"), "--format csv is not for the run: expected text, json"),
        (("--log", "--format", "ids"), "--format ids is not for --log: expected text, json, csv"),
        (("--by", "labels.rakc"), "--by: no server of the run has a label `rakc`\n  did you mean `rack`?"),
        (("--by", "rack"), "--by: 'rack': expected wave, group, lane or a label, such as labels.rack"),
        (("--by", "wave"), "--by: the run has no waves: its jobspec has no `rollout`"),
        (
            ("--server", "server-idd-2"),
            "has no server 'server-idd-2'\n  name a run that had it; did you mean `server-id-2`?",
        ),
        (("--only", "failing"), "'failing': expected some of succeeded, failed,"),
        (("--only", "failed", "--failed"), "--failed and --only are two questions"),
        (("--by", ""), "--by: '': expected wave, group, lane or a label"),
        (("--server", ""), "has no server ''"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(failed: Program, options: tuple[str, ...], says: str) -> None:
    given(failed, "show", "last", *options, code=2, says=says)


def test_what_others_say_does_no_harm_in_any_view(program: Program) -> None:
    says = f"0.1, failing: 1.0, message: {HOSTILE_YAML}}}"
    (program.folder / "quick.yaml").write_text(BEHAVIOUR.replace("0.3}", says))
    named = json.dumps([{"id": "id-0", "name": HOSTILE[:200], "labels": {"rack": HOSTILE[:200]}}])
    (program.folder / "fleet.json").write_text(named)
    program.jobspec.write_text(JOBSPEC.replace("fleet.csv", "fleet.json"))
    assert program("run", program.jobspec, *SIMULATED).returncode == 3
    for view in VIEWS:
        for form in FORMS:
            shown = program(
                "show", "last", *(view if view[:1] != ("--server",) else ("--server", "id-0")), "--format", form
            )
            assert shown.returncode in {0, 2}
            if form != "json":
                is_harmless(shown.stdout, shown.stderr) if form != "csv" else is_harmless(shown.stderr)
            assert "\x1b" not in shown.stdout + shown.stderr
            assert "\u202e" not in shown.stdout + shown.stderr


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_is_a_formula(program: Program, formula: str) -> None:
    says = f"0.1, failing: 1.0, message: {json.dumps(formula)}}}"
    (program.folder / "quick.yaml").write_text(BEHAVIOUR.replace("0.3}", says))
    named = json.dumps([{"id": "id-0", "name": formula.strip(), "labels": {"rack": formula.strip()}}])
    (program.folder / "fleet.json").write_text(named)
    program.jobspec.write_text(JOBSPEC.replace("fleet.csv", "fleet.json"))
    assert program("run", program.jobspec, *SIMULATED).returncode == 3
    for view in (("--failed",), ("--by", "labels.rack"), ("--server", "id-0")):
        text = given(program, "show", "last", *view, "--format", "csv")
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert not [cell for cell in cells if cell.lstrip()[:1] in {"=", "+", "-", "@"}]
        assert f"'{formula.strip()}" in {cell.replace(" ", "") for cell in cells}


@pytest.mark.process
def test_a_run_that_goes_on_says_in_json_what_it_waits_for(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, "waves: [{name: canary, groups: [canary], approve: true}, {name: rest}]")
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator()) as run:
        run.until("wave waits for approval")
        (shown,) = json.loads(run.give("show", "last", "--format", "json"))
        (row,) = json.loads(run.give("list", "--format", "json"))
        listed, text = run.give("list"), run.give("show", "last")
        (wait,) = [wait for wait in shown["standing"]["waits"] if wait["kind"] == "approval"]
        run.give("approve", "last", "canary", "--why", "looked at the graphs")
        run.ends(0)
    run_id = shown["id"]
    assert wait["commands"] == [[f"runner approve {run_id} canary"], [f"runner reject {run_id} canary"]]
    assert wait["since"] is not None
    assert [step["command"] for step in shown["next"]] == [commands[0] for commands in wait["commands"]]
    assert shown["carrier"] == f"process {run.process.pid} on {shown['carrier'].rpartition(' ')[2]}"
    assert f"\nby         {shown['carrier']}\n" in text
    assert (row["waits"], row["progress"]) == (["wave canary waits"], {"good": 2, "bad": 0, "left": 6})
    assert "\n  waits: wave canary waits\n" in listed
    assert "looked at the graphs" in given(program, "show", "last", "--log")
    (ended,) = json.loads(given(program, "show", "last", "--format", "json"))
    assert (ended["standing"], ended["carrier"], ended["next"], ended["exit_code"]) == (None, None, [], 0)
    decisions = [line for line in given(program, "show", "last").splitlines() if line.startswith("decisions ")]
    assert len(decisions) == 1
    assert "approve canary: looked at the graphs (by " in decisions[0]


def test_a_run_that_was_retried_shows_it(failed: Program) -> None:
    first = json.loads(given(failed, "list", "--format", "json"))[0]["id"]
    failed("retry", "last", *SIMULATED)
    second, _ = json.loads(given(failed, "list", "--format", "json"))
    assert (second["retry_of"], second["progress"], second["exit_code"]) == (
        [first],
        {"good": 0, "bad": 8, "left": 0},
        3,
    )
    assert f"\n  retry of {first}\n" in given(failed, "list")
    found = given(failed, "show", "last", "--server", "server-id-2").splitlines()
    assert [line.split()[1] for line in found] == [second["id"], first]  # the newest first
    given(failed, "show", "last", "--server", "server-id-1", code=2, says="has no server 'server-id-1'")
    assert len(given(failed, "show", first, "--server", "server-id-1").splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("show", ""), "last"),
        (("resume", "2"), "2"),
        (("retry", "2"), "2"),
        (("approve", "last", ""), "canary"),
        (("reject", "last", "can"), "canary"),
        (("hold", "last", ""), "main"),
        (("release", "last", "ma"), "main"),
        (("approve", "nosuch", ""), None),
        (("show", "x"), None),
    ],
)
def test_a_shell_offers_runs_waves_and_groups(program: Program, words: tuple[str, ...], offered: str | None) -> None:
    with_rollout(program, "waves: [{name: canary, groups: [canary]}, {name: rest}]")
    assert program("run", program.jobspec, *SIMULATED).returncode == 0
    asked = {
        "COMP_WORDS": shlex.join(["runner", *words]),
        "COMP_CWORD": str(len(words)),
        "_RUNNER_COMPLETE": "bash_complete",
    }
    completed = program(env=asked)
    found = [line.removeprefix("plain,") for line in completed.stdout.splitlines()]
    assert (completed.returncode, completed.stderr) == (0, "")
    if offered is None:
        assert not any(found)
    else:
        assert any(word.startswith(offered) for word in found)
        assert all(word.startswith(words[-1]) for word in found)


def test_a_shell_offers_nothing_where_there_is_no_state_folder(program: Program, tmp_path: Path) -> None:
    asked = {"COMP_WORDS": "runner approve last ''", "COMP_CWORD": "3", "_RUNNER_COMPLETE": "bash_complete"}
    completed = program(env={**asked, "RUNNER_STATE_DIR": str(tmp_path / "none")})
    assert (completed.returncode, completed.stdout.strip(), completed.stderr) == (0, "", "")
    assert not (tmp_path / "none").exists()
