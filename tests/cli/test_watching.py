"""`runner watch`: a run of another process, to its end, to a person, or for as long as somebody wants to see it."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.cli.conftest import SIMULATED, Program
from tests.cli.processes import ended
from tests.cli.rollouts import FAILING, given, operated, with_rollout
from tests.cli.screens import shown
from tests.cli.serving import StartSimulator

pytestmark = pytest.mark.process

APPROVED = "waves: [{name: canary, groups: [canary], approve: true}, {name: main, groups: [main]}]"


def lines(err: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in err.splitlines()]


def test_the_picture_is_that_of_the_run_and_the_exit_code_too(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, APPROVED)
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator(FAILING)) as run:
        run.until("wave waits for approval")
        with shown(program, "watch", "last") as screen:
            screen.until("wave canary waits for a person to approve", "1 failed", "[d]etach")
            screen.type("p")
            screen.until("pause: why?")
            screen.type("a look at the racks\r")
            screen.until("--why 'a look at the racks': done", "person paused")
            run.give("continue", "last")
            run.give("approve", "last", "canary")
            assert "finished" in screen.ends(3)
            assert screen.is_normal
        run.ends(3)


def test_whoever_has_seen_enough_leaves_and_the_run_goes_on(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, APPROVED)
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator()) as run:
        run.until("wave waits for approval")
        for key in ("d", "\x03"):
            with shown(program, "watch", "last") as screen:
                screen.until("runner approve")
                screen.type(key)
                assert "goes on; watch it again: runner watch 2" in screen.ends(5)
                assert screen.is_normal
        run.give("approve", "last", "canary")
        run.ends(0)


def test_without_a_terminal_there_is_a_line_for_each_change(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, APPROVED)
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator()) as run:
        run.until("wave waits for approval")
        watch = program.start("watch", "last")
        assert watch.stderr is not None
        first = json.loads(watch.stderr.readline())
        assert (first["event"], first["wait"]) == ("waits for a person", "wave canary waits")
        run.give("approve", "last", "canary")
        run.ends(0)
        code, out, err = ended(watch)
    said = [line["event"] for line in lines(err)]
    assert code == 0, err
    assert out.count("\n") == 1
    assert said.count("wave waits for approval") == 0
    assert [what for what in said if what.startswith("wave")] == ["wave started", "wave passed"]


def test_until_a_person_is_waited_for(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, APPROVED)
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator()) as run:
        run.until("run started")
        code, out, _ = ended(program.start("watch", "last", "--until-person", "-q"))
        assert code == 5
        assert "waits for a person: wave canary waits: runner approve 2" in out
        code, out, _ = ended(program.start("watch", "last", "--until-person", "-q"))
        assert code == 5
        run.give("approve", "last", "canary")
        code, out, _ = ended(program.start("watch", "last", "--until-person", "-q"))
        assert (code, "finished" in out) == (0, True)


def test_a_run_whose_process_is_gone(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, APPROVED)
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator()) as run:
        run.until("wave waits for approval")
        watch = program.start("watch", "last", "-q")
        run.killed()
        code, out, _ = ended(watch)
    assert (code, "its process is gone; go on with it: runner resume 2" in out) == (5, True)


def test_a_run_that_is_over_has_its_exit_code_at_once(program: Program, simulator: StartSimulator) -> None:
    program("run", program.jobspec, "--endpoint", simulator(FAILING))
    watched = program("watch", "last")
    assert watched.returncode == 3
    assert watched.stdout.startswith("run 2")
    assert program("watch", "nothing").returncode == 2


def test_a_run_that_was_stopped_can_be_resumed_while_it_is_watched(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, APPROVED)
    url = simulator()
    assert program("run", program.jobspec, "--endpoint", url).returncode == 5
    assert program("watch", "last").returncode == 5
    with operated(program, "resume", "last") as run:
        run.until("waits for a person")
        assert program("watch", "last", "--until-person").returncode == 5
        run.give("approve", "last", "canary")
        run.ends(0)
    assert program("watch", "last").returncode == 0


class TestWithoutATerminal:
    """A run that nobody sits at does not hang where a person must decide."""

    def test_it_ends_at_a_gate_and_can_be_resumed(self, program: Program, simulator: StartSimulator) -> None:
        with_rollout(program, APPROVED)
        ran = program("run", program.jobspec, "--endpoint", simulator())
        assert ran.returncode == 5
        assert "a person must decide: wave canary waits for approval" in ran.stdout
        given(program, "approve", "last", "canary")
        given(program, "resume", "last", code=0)

    def test_it_waits_where_that_is_asked_for(self, program: Program, simulator: StartSimulator) -> None:
        with_rollout(program, APPROVED)
        with operated(program, "run", str(program.jobspec), "--endpoint", simulator(), "--wait-for-person") as run:
            assert "runner approve" in run.until("wave waits for approval")["next"]
            run.give("approve", "last", "canary")
            run.ends(0)

    def test_a_terminal_is_not_waited_at_where_that_is_asked_for(
        self, program: Program, simulator: StartSimulator
    ) -> None:
        with_rollout(program, APPROVED)
        arguments = ("run", program.jobspec, "--endpoint", simulator(), "--no-wait-for-person")
        with shown(program, *arguments) as screen:
            screen.ends(5)

    def test_whoever_paused_it_is_waited_for(self, program: Program, simulator: StartSimulator) -> None:
        url = simulator(lasting=True)
        with_rollout(program, "waves: [{name: canary, groups: [canary]}, {name: main, groups: [main]}]")
        process = program.start("run", str(program.jobspec), "--endpoint", url, "--log-format", "json")
        assert process.stderr is not None
        next(line for line in process.stderr if "wave started" in line)
        given(program, "pause", "last")
        simulator.let_tasks_end()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(6.0)  # its jobs are over long before
        given(program, "continue", "last")
        code, _, _ = ended(process)
        assert code == 0

    def test_so_does_one_that_is_held(self, program: Program) -> None:
        with_rollout(program, "waves: [{name: canary, groups: [canary], approve: true}, {name: main, groups: [main]}]")
        assert program("run", program.jobspec, *SIMULATED).returncode == 5
