"""What people ask of a run at work, from a second process, in every state that a run can be in."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import JOBSPEC, SIMULATED, Program
from tests.cli.rollouts import FAILING, GROUPS, WAVES, decisions, given, operated, report, with_rollout
from tests.cli.serving import StartSimulator
from tests.waiting import eventually

pytestmark = pytest.mark.process

APPROVED = "waves: [{name: canary, groups: [canary], approve: true}, {name: main, groups: [main]}]"
SOAKING = "waves: [{name: canary, groups: [canary], soak: 1h}, {name: main, groups: [main]}]"


def test_a_pause_lets_in_nothing_new_until_it_ends(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, WAVES)
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator(lasting=True)) as run:
        run.until("wave started", wave="canary")
        run.give("pause", "last", "--why", "a look first", says="pause done")
        run.give("pause", "last", code=6, says="the run is paused already")
        shown = run.give("show", "last")
        assert "decided" in shown
        assert "pause a look first (by " in shown
        assert "next       runner continue 2" in shown
        run.give("continue", "last", says="continue done")
        run.give("continue", "last", code=6, says="the run is neither paused nor held")
        simulator.let_tasks_end()
        found = run.ends(0)
    assert decisions(found) == ["start", "pause", "continue", "pass", "start", "pass"]
    pause = found["decisions"][1]
    assert (pause["why"], "@" in pause["who"], pause["wave"]) == ("a look first", True, "canary")
    assert pause in found["waves"][0]["decisions"]
    given(program, "verify", "last", says="entries fit together")
    given(program, "pause", "last", code=6, says="is finished")


def test_an_abort_ends_the_campaign_and_what_is_at_work_is_watched(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, WAVES)
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator(lasting=True)) as run:
        run.until("wave started", wave="canary")
        eventually(lambda: report(program)["requests"]["accepted"])
        run.give("abort", "last", "--why", "wrong version", says="abort done")
        run.give("continue", "last", code=6, says="is aborted")
        simulator.let_tasks_end()
        found = run.ends(4)
    assert found["run"]["state"] == "aborted"
    assert found["run"]["reason"].endswith(": wrong version")
    assert (found["counts"]["succeeded"], found["counts"]["not_started"]) == (2, 6)
    for command in ("resume", "pause", "abort"):
        given(program, command, "last", code=6, says="is aborted")
    given(program, "verify", "last", says="entries fit together")


def test_a_wave_is_approved_if_the_plan_is_the_right_one(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, APPROVED)
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator()) as run:
        asked = run.until("wave waits for approval", wave="canary")
        plan_hash = report(program)["run"]["plan_hash"]
        run.give("approve", "last", "main", code=6, says="wave main does not wait for approval: it is waiting for")
        run.give("approve", "last", "canry", code=6, says="did you mean `canary`?")
        run.give("approve", "last", "canary", "--plan-hash", "sha256:0", code=6, says=f"of plan {plan_hash}, not")
        run.give("continue", "last", code=6, says="neither paused nor held; wave canary waits for `approve`")
        shown = run.give("show", "last")
        assert asked["next"] in shown
        assert "awaiting approval" in shown
        run.give("approve", "last", "canary", "--plan-hash", plan_hash, "--why", "looks well", says="approve done")
        found = run.ends(0)
    approved = found["decisions"][2]
    assert (approved["what"], approved["wave"], approved["why"]) == ("approve", "canary", "looks well")
    assert approved in found["waves"][0]["decisions"]


def test_a_rejected_wave_aborts(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, APPROVED)
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator()) as run:
        run.until("wave waits for approval")
        run.give("reject", "last", "canary", "--why", "too slow", says="reject done")
        found = run.ends(4)
    assert found["waves"][0]["state"] == "rejected"
    assert "wave canary was rejected by" in found["run"]["reason"]


def test_a_limit_that_is_reached_holds_until_it_is_raised(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, WAVES, "budget: {max_abnormal: 1}")
    program.jobspec.write_text(program.jobspec.read_text().replace("servers_per_job: 2", "servers_per_job: 1"))
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator(FAILING)) as run:
        held = run.until("held")
        assert held["reason"].startswith("max_abnormal: 1 abnormal, at most 1 of 8 servers")
        shown = run.give("show", "last")
        first, last = held["next"].split(", or ")
        assert f"next       {first.replace(' and ', ' && ')}   # held: max_abnormal: 1" in shown
        assert f"\n           {last}   # held: max_abnormal: 1" in shown
        assert "hold max_abnormal: 1 abnormal" in shown
        run.give("set", "last", "max_unavailable=3", code=6, says="the plan has no max_unavailable")
        run.give("set", "last", "max_abnormal=few", code=6, says="'few' is no limit; expected")
        run.give("set", "last", "max_abnorml=3", code=6, says="did you mean `max_abnormal`?")
        run.give("set", "last", "max_abnormal", code=2, says="expected NAME=VALUE")
        run.give("continue", "last")
        run.until("held")
        run.give("set", "last", "max_abnormal=50%", "concurrency=2", "rate=5/s")
        run.give("continue", "last")
        found = run.ends(3)
    assert found["counts"]["succeeded"] == 7
    assert (
        next(d for d in found["decisions"] if d["what"] == "set")["evidence"]
        == "max_abnormal=50% concurrency=2 rate=5/s"
    )


def test_a_held_run_is_over_once_the_servers_that_are_left_are_excluded(
    program: Program, simulator: StartSimulator
) -> None:
    with_rollout(program, WAVES, "budget: {max_abnormal: 1}")
    program.jobspec.write_text(program.jobspec.read_text().replace("servers_per_job: 2", "servers_per_job: 1"))
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator(FAILING)) as run:
        run.until("held")
        run.give("exclude", "last", "id-99", code=6, says="is no server of the run, nor an expression")
        run.give("exclude", "last", 'name.startswith("x")', code=6, says="no server of the run is")
        run.give("exclude", "last", "server-5", says="exclude done, 1 servers")
        run.give("exclude", "last", "true", says="exclude done, 6 servers; 1 is over, 1 is excluded already")
        run.give("continue", "last")
        run.until("held", rule="nothing_succeeded")
        run.give("continue", "last")
        found = run.ends(3)
    assert (found["counts"]["excluded"], found["counts"]["failed"]) == (7, 1)


def test_a_group_is_held_and_released(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, "waves: [{name: everything, sizes: [1, rest]}]")
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator(lasting=True)) as run:
        run.until("wave started", wave="everything-1")
        run.give("hold", "last", "man", code=6, says="did you mean `main`?")
        run.give("release", "last", "main", code=6, says="group main is not held")
        run.give("hold", "last", "main", says="hold done")
        run.give("hold", "last", "main", code=6, says="is held already")
        simulator.let_tasks_end()
        run.until("wave started", wave="everything-2")
        assert "next       runner release 2" in run.give("show", "last")
        run.give("release", "last", "main", says="release done")
        found = run.ends(0)
    assert found["counts"]["succeeded"] == 8


def test_a_soak_can_be_paused_and_the_run_killed_in_it(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, SOAKING)
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator()) as run:
        run.until("wave started")
        eventually(lambda: report(program)["waves"][0]["state"] == "soaking")
        run.give("pause", "last")
        run.give("continue", "last")
        run.killed()
    shown = given(program, "show", "last")
    assert "interrupted" in shown.splitlines()[0]
    assert "canary  soaking" in shown
    assert "next       runner resume 2" in shown
    given(program, "approve", "last", "canary", code=6, says="it is soaking")
    given(program, "abort", "last", says="abort noted; it takes effect with `runner resume 2")
    given(program, "resume", "last", code=4, says="aborted by ")
    found = report(program)
    assert (found["run"]["state"], found["counts"]["succeeded"]) == ("aborted", 2)
    given(program, "verify", "last", says="entries fit together")


def test_a_run_killed_while_it_is_held_is_held_still(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, WAVES, "budget: {max_abnormal: 1}")
    program.jobspec.write_text(program.jobspec.read_text().replace("servers_per_job: 2", "servers_per_job: 1"))
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator(FAILING)) as run:
        run.until("held")
        run.killed()
    said = given(program, "resume", "last", "--no-wait-for-person", code=5, says="a person must decide")
    assert "runner continue 2" in said
    assert "runner resume 2" in said
    given(program, "set", "last", "max_abnormal=3", says="set noted")
    given(program, "continue", "last", says="continue noted")
    given(program, "resume", "last", code=3, says="1 of 8 servers did not succeed")
    found = report(program)
    assert found["counts"]["succeeded"] == 7
    # Every server once: the simulator refuses none, and a second job would show as a conflict.
    assert {job["state"] for job in found["jobs"]} == {"settled"}


def test_a_run_that_waits_for_nobody_says_what_to_do(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, APPROVED)
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator(), "--no-wait-for-person") as run:
        found = run.ends(5)
    decide = "a person must decide: wave canary waits for approval; `runner approve` or `runner reject`, then `runner resume`"
    assert found["run"]["reason"] == decide
    assert "runner approve 2" in given(program, "show", "last")
    given(program, "approve", "last", "canary", says="approve noted; it takes effect with `runner resume 2")
    given(program, "resume", "last", says="every server succeeded")


def test_a_run_that_waits_for_no_window_says_what_to_do(program: Program, simulator: StartSimulator) -> None:
    opens = datetime.now(UTC).date() + timedelta(days=2)
    with_rollout(program, WAVES, f'window: {{deny: ["2000-01-01..{opens - timedelta(days=1)}"]}}')
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator(), "--no-wait-for-window") as run:
        found = run.ends(5)
    assert found["run"]["reason"] == f"no window is open before {opens} 00:00 UTC: `runner resume` then"


def test_a_run_stopped_at_an_approval_goes_on_where_it_was(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, APPROVED)
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator()) as run:
        run.until("wave waits for approval")
        run.process.send_signal(signal.SIGINT)
        assert run.ends(5)["run"]["reason"] == "SIGINT received"
    given(program, "pause", "last", says="pause noted")
    given(program, "approve", "last", "canary", says="approve noted")
    with operated(program, "resume", "last") as again:
        again.until("run resumed")
        eventually(lambda: report(program)["waves"][0]["state"] == "passed")
        again.give("continue", "last", says="continue done")
        again.ends(0)


def test_what_is_asked_of_a_stopped_run_is_judged_by_what_was_asked_before(
    program: Program, simulator: StartSimulator
) -> None:
    with_rollout(program, APPROVED)
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator()) as run:
        run.until("wave waits for approval")
        run.process.send_signal(signal.SIGINT)
        run.ends(5)
    given(program, "pause", "last", says="pause noted")
    given(program, "pause", "last", code=6, says="the run is paused already")
    assert "pending    pause\n" in given(program, "show", "last")
    given(program, "continue", "last", says="continue noted")
    given(program, "continue", "last", code=6, says="neither paused nor held")
    given(program, "exclude", "last", 'name in ["server-0", "server-7"]', says="exclude noted, 1 servers; 1 is over")
    given(program, "exclude", "last", "id-7", code=6, says="nothing to exclude: 1 is excluded already")
    given(program, "include", "last", "id-7", says="include noted")
    given(program, "include", "last", "id-7", code=6, says="none of these servers is excluded")
    given(program, "exclude", "last", "id-6", "--why", "a bad fan", says="exclude noted, 1 servers")
    given(program, "approve", "last", "canary", says="approve noted")
    given(program, "reject", "last", "canary", code=6, says="does not wait for approval: it is passed")
    assert "servers    8: 7 succeeded, 1 excluded\n" in given(program, "resume", "last", code=3)
    shown = given(program, "show", "last")
    assert ("pending" in shown, "1 excluded" in shown) == (False, True)
    (excluded,) = (job["excluded"] for job in report(program)["jobs"] if job["excluded"])
    assert ("@" in excluded["who"], excluded["why"]) == (True, "a bad fan")
    given(program, "retry", "last", "--only", "not_started", code=2, says="is not_started")
    given(program, "retry", "last", "--only", "excluded", "--dry-run", says="servers    1 of 1")


def test_a_run_without_a_rollout_can_be_operated_too(program: Program, simulator: StartSimulator) -> None:
    program.jobspec.write_text(JOBSPEC.replace('groups:\n  - name: all\n    select: "true"\n', GROUPS))
    program.jobspec.write_text(
        program.jobspec.read_text().replace("rate: unlimited, settle", "rate: 30/m, burst: 1, settle")
    )
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator()) as run:
        run.until("run started")
        run.give("pause", "last")
        run.give("approve", "last", "canary", code=6, says="the run has no waves: its jobspec has no `rollout`")
        run.give("set", "last", "max_abnormal=3", code=6, says="max_abnormal is of a rollout, and the run has none")
        run.give("set", "last", "rate=soon", code=6, says="'soon' is no rate; expected")
        run.give("set", "last", "concurrency=0", code=6, says="expected 1 to 1024")
        run.give("exclude", "last", "id-7", says="exclude done, 1 servers")
        run.give(
            "exclude", "last", 'labels.ring == "x"', code=6, says="the plan of this run has no labels of its servers"
        )
        run.give("set", "last", "rate=50/s")
        run.give("continue", "last")
        found = run.ends(3)
    assert (found["counts"]["succeeded"], found["counts"]["excluded"]) == (7, 1)
    assert [d for d in decisions(found) if not d.endswith("refused")] == ["pause", "exclude", "set", "continue"]


def test_an_unknown_run_and_a_simulated_one_that_is_gone(program: Program) -> None:
    given(program, "pause", "last", code=2, says="no such run")
    with_rollout(program, APPROVED)
    with operated(program, "run", str(program.jobspec), *SIMULATED) as run:
        run.until("wave waits for approval")
        given(program, "pause", "2020", code=2, says="no such run")
        run.process.send_signal(signal.SIGINT)
        run.ends(5)
    given(program, "approve", "last", "canary", code=6, says="was against a simulator, which ended with it")
    assert "next " not in given(program, "show", "last")


def test_a_deadline_that_is_over_ends_intake_until_it_is_moved(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, WAVES, "deadline: 1h")
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator(lasting=True)) as run:
        run.until("wave started", wave="canary")
        run.give("set", "last", "deadline=soon", code=6, says="'soon': expected a duration such as")
        run.give("set", "last", "deadline=10ms")
        run.until("nothing new is sent, what is at work is watched")
        simulator.let_tasks_end()
        found = run.ends(5)
    assert "the deadline of the rollout has passed" in found["run"]["reason"]
    assert decisions(found)[-1] == "end_intake"
    shown = given(program, "show", "last")
    assert "next       runner set 2" in shown
    given(program, "set", "last", "deadline=2h", says="set noted")
    given(program, "resume", "last", says="every server succeeded")


def test_a_group_that_is_held_keeps_nobody_waiting_who_waits_for_nobody(
    program: Program, simulator: StartSimulator
) -> None:
    with_rollout(program, WAVES)
    url = simulator(lasting=True)
    with operated(program, "run", str(program.jobspec), "--endpoint", url, "--no-wait-for-person") as run:
        run.until("wave started", wave="canary")
        run.give("hold", "last", "main")
        simulator.let_tasks_end()
        found = run.ends(5)
    assert found["run"]["reason"] == "a person must decide: group main is held; `runner release`, then `runner resume`"
    given(program, "release", "last", "main", says="release noted")
    given(program, "resume", "last", says="every server succeeded")
