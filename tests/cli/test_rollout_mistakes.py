"""Mistakes in a jobspec's rollout: one message each, with its place and what was expected."""

from __future__ import annotations

import pytest

from tests.cli.conftest import JOBSPEC, SIMULATED, Program
from tests.cli.rollouts import WAVES, with_rollout
from tests.cli.test_mistakes import refused

MAIN = "waves: [{name: canary, groups: [canary]}, "


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([WAVES, "budgt: {}"], "job.yaml:21:3: rollout: unknown key `budgt`\n  did you mean `budget`?"),
        (["waves: [{name: all, soke: 1h}]"], "job.yaml:20:23: rollout.waves[0]: unknown key `soke`\n  did you mean `soak`?"),
        ([MAIN + "{name: main, groups: [man]}]"], "job.yaml:20:52: rollout.waves[1].name: wave `main`: no such group `man`\n  did you mean `main`?"),
        ([MAIN + "{name: rest, groups: [canary, main]}]"], "group `canary` is in wave `canary` already, and in `rest`"),
        ([MAIN[:-2] + "]"], "job.yaml:20:3: rollout: group `main` is in no wave\n  name it in an entry of waves, or add an entry without `groups`"),
        (["waves: [{name: all, sizes: [1, 2]}]"], "job.yaml:20:18: rollout.waves[0].name: wave `all`: sizes cover 3 of 8 servers; end with `rest`"),
        (["waves: [{name: all, sizes: [5kg, rest]}]"], "job.yaml:20:31: rollout.waves[0].sizes[0]: '5kg' is no size; expected a number of servers such as 5, a share of what is left such as 5%, or rest"),
        (["waves: [{name: all, sizes: [120%, rest]}]"], "rollout.waves[0].sizes[0]: '120%' is no size; expected"),
        (["waves: []"], "job.yaml:20:10: rollout.waves: expected at least one entry, found none"),
        (["waves: [{name: all, sizes: []}]"], "job.yaml:20:30: rollout.waves[0].sizes: expected at least one entry, found none"),
        (["waves: [{name: all, sizes: [0, rest]}]"], "job.yaml:20:31: rollout.waves[0].sizes[0]: expected a number of servers such as 5, a share of what is left"),
        (["waves: [{name: all, sizes: [0%, rest]}]"], "rollout.waves[0].sizes[0]: '0%' is no size; expected"),
        (["waves: [{name: all, sizes: [rest, 5]}]"], "job.yaml:20:37: rollout.waves[0].sizes[1]: nothing is left after `rest`\n  take out what stands after it"),
        (["waves: [{name: all, sizes: [1, rest, rest]}]"], "job.yaml:20:40: rollout.waves[0].sizes[2]: nothing is left after `rest`"),
        (["waves: [{name: all, sizes: [1, 100%, rest]}]"], "job.yaml:20:40: rollout.waves[0].sizes[2]: nothing is left after `100%`"),
        (["waves: [{name: all, sizes: {first: 1, most: rest}}]"], "job.yaml:20:47: rollout.waves[0].sizes.most: 'rest' is no limit of a ramp; expected a number of servers such as 5, or percent of the entry's servers such as 25%"),
        (["waves: [{name: all, sizes: {first: 10, most: 5}}]"], "job.yaml:20:30: rollout.waves[0].sizes: first (10) must not be more than most (5)"),
        (["waves: [{name: all, sizes: {first: 0}}]"], "rollout.waves[0].sizes.first: expected at least 1, found the number 0"),
        (["waves: [{name: all, sizes: {factor: 1}}]"], "rollout.waves[0].sizes.factor: expected more than 1, found the number 1"),
        (["waves: [{name: main, groups: [main]}, {name: main}]"], "a second wave called `main`; the first is on line 20"),
        (["waves: [{name: main, groups: [main, main]}, {name: rest}]"], "job.yaml:20:18: rollout.waves[0].name: wave `main` names group `main` twice"),
        ([WAVES, "budget: {max_abnormal: 10pc}"], "job.yaml:21:26: rollout.budget.max_abnormal: '10pc' is no limit; expected"),
        ([WAVES, 'window: {allow: ["Sam 01:00-06:00"]}'], "job.yaml:21:20: rollout.window.allow[0]: 'Sam 01:00-06:00' is no window; expected days and times such as"),
        ([WAVES, "window: {timezone: Europe/Berlinn}"], "job.yaml:21:22: rollout.window.timezone: 'Europe/Berlinn' is no time zone known here; expected an IANA time zone"),
        ([WAVES, "checks: [{name: a, step: upgrad}]"], "job.yaml:21:12: rollout.checks[0]: there is no step `upgrad`\n  did you mean `upgrade`?"),
        ([WAVES, "on_failure: {step: upgrad}"], "there is no step `upgrad`\n  did you mean `upgrade`?"),
        ([WAVES, "checks: [{name: a, http: http://x, command: [x]}]"], "job.yaml:21:12: rollout.checks[0]: check `a` needs exactly one of `command`, `http` and `step`"),
        ([WAVES, "budget: {max_abnormal: 1%}"], "rollout.budget.max_abnormal: max_abnormal comes to 0 of 8 servers: not one could be touched\n  give a number of servers, or a larger percentage"),
        (["waves: [{name: all, sizes: adaptive}]"], "rollout.waves[0].name: wave `all` is adaptive, and there is no evidence for it to follow\n  add abort.sequential"),
        ([WAVES, "abort: {sequential: {healthy: 5%, bad: 5%}}"], "job.yaml:21:23: rollout.abort.sequential: healthy (5%) must be less than bad (5%)"),
        ([WAVES, "abort: {sequential: {healthy: 5}}"], "rollout.abort.sequential.healthy: expected a percentage between 0% and 100%, such as 1%, found the number 5; write 5% if it is that"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_rollout(program: Program, parts: list[str], says: str) -> None:
    with_rollout(program, *parts)
    said = refused(program, "plan", program.jobspec, "--region", "cn-north-9", code=2, says=says)
    assert said.count(str(program.jobspec)) == 1, said


@pytest.mark.parametrize(
    "sizes", ["[100%]", "[1, rest]", "[rest]", "{first: 5, most: 5}", "{first: 8}", "{first: 3, most: 100%}"]
)
def test_sizes_that_may_stand(program: Program, sizes: str) -> None:
    with_rollout(program, f"waves: [{{name: all, sizes: {sizes}}}]")
    assert program("validate", program.jobspec, "--region", "r-1").returncode == 0


def test_an_empty_wave_is_an_error_and_can_be_allowed(program: Program) -> None:
    with_rollout(program, WAVES)
    says = "job.yaml:20:18: rollout.waves[0].name: wave `canary` has no server: group `canary` "
    how = "\n  correct the group, take the wave out, or leave it out with --allow-empty-wave"
    region = ("--region", "r-1")
    for options, why in (
        (("--limit", 'id not in ["id-0", "id-1"]'), "(id-0, id-1) selects 2 of 8 servers: 2 left out by --limit"),
        (("--group", "main"), "is left out by --group"),
    ):
        for command in (("validate",), ("plan",), ("run", "--dry-run"), ("run", "--simulate")):
            where = () if "--simulate" in command else region
            refused(program, *command, program.jobspec, *where, *options, code=2, says=says + why + how)
            if command != ("run", "--simulate"):
                allowed = program(*command, program.jobspec, *where, *options, "--allow-empty-wave")
                warned = f"warning: {program.jobspec}:20: wave `canary` has no server: group `canary` {why}"
                assert (allowed.returncode, warned in allowed.stderr) == (0, True), allowed.stderr
    ran = program("run", program.jobspec, *SIMULATED, "--group", "main", "--allow-empty-wave")
    assert (ran.returncode, "6 succeeded" in ran.stdout) == (0, True), ran.stdout + ran.stderr
    retried = program("retry", "last", "--only", "not_started", "--dry-run")
    assert "no server of" in retried.stderr


def test_servers_that_must_go_together_and_cannot(program: Program) -> None:
    rows = "id,name,pod\n" + "".join(f"id-{i},server-{i},p{i // 4}\n" for i in range(8))
    (program.folder / "fleet.csv").write_text(rows)
    says = "rollout.budget.per.labels.pod: "
    program.jobspec.write_text(JOBSPEC + "rollout:\n  budget: {per: {labels.pod: whole}}\n")
    whole = "job.yaml:10:11: steps[0].name: step `upgrade`: 4 servers must go together, and servers_per_job is 2\n  raise it"
    refused(program, "plan", program.jobspec, "--region", "r-1", code=2, says=whole)
    program.jobspec.write_text(program.jobspec.read_text().replace("servers_per_job: 2", "servers_per_job: 4"))
    limit = ["--limit", 'name != "server-7"']
    refused(
        program,
        "plan",
        program.jobspec,
        "--region",
        "r-1",
        *limit,
        code=2,
        says=says + "p1 is selected in part: server-7",
    )


def test_a_rollout_must_be_watched(program: Program) -> None:
    with_rollout(program, WAVES)
    says = "--no-wait: a campaign of waves must be watched, for the next ones to start"
    refused(program, "run", program.jobspec, "--simulate", "--no-wait", code=2, says=says)
