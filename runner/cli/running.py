"""`runner run` and `runner resume`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from runner.cli.options import (
    Duration,
    OutputPath,
    ReportTarget,
    ca_option,
    campaign_options,
    credential_option,
    lock_option,
    log_options,
    offline_option,
    pass_host,
    patience_of,
    patience_options,
    plan_inputs,
    some_of,
)
from runner.cli.paths import UserPath, state_options
from runner.cli.run_names import run_argument, runs_argument
from runner.cli.scheduling import deadline_option, slot_from, slot_options
from runner.errors import ExitCode
from runner.files.writing import is_stdout
from runner.model import JsonObject, Outcome
from runner.plain import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from runner.app.carrying import RunResult
    from runner.app.host import Host
    from runner.app.running import RunOptions
    from runner.app.slots import Untouched
    from runner.engine.run import Deadline
    from runner.plan.plan import Plan
    from runner.simulator.behaviour import Behaviour

_report_option = click.option(
    "--report",
    "reports",
    metavar="[FORMAT=]FILE",
    type=ReportTarget(),
    multiple=True,
    help="Where to write the report (default: state folder); - is stdout. FORMAT: json, html, junit, markdown, csv, prom"
    " (repeatable). `resume` writes the same files.",
)
_behaviour_option = click.option("--behaviour", type=UserPath(), help="How the simulator behaves: a YAML file.")


_RETRIED = tuple(outcome.value for outcome in Outcome if outcome is not Outcome.SUCCEEDED)


def _outcomes(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    from runner.app import retrying

    if value is None:
        return tuple(outcome.value for outcome in retrying.DEFAULT_OUTCOMES)
    return some_of(_RETRIED, ctx, param, value)


@click.command("run")
@click.argument("file", metavar="JOBSPEC|PLAN.json", type=UserPath())
@campaign_options
@offline_option
@click.option("--dry-run", is_flag=True, help="Only show the plan.")
@click.option("--simulate", is_flag=True, help="Run against a simulator that is started for it.")
@_behaviour_option
@click.option("--require-hash", metavar="sha256:...", help="Only if this is the plan's hash.")
@click.option("--max-plan-age", "max_age_s", type=Duration(), help="Only if the plan is not older.")
@slot_options
@click.option("--no-wait", is_flag=True, help="Submit, and do not watch; `runner resume` watches later.")
@deadline_option
@patience_options
@lock_option
@credential_option
@_report_option
@ca_option
@state_options
@log_options
@pass_host
def run_command(host: Host, file: Path, **options: Any) -> int:
    """Carry out a jobspec, or exactly a plan that `runner plan -o` wrote."""
    from runner.app import approving, planning, simulating, slots
    from runner.cli import output
    from runner.cli.planning import show_plan

    host.zone()
    inputs = plan_inputs(file, options, once_key=options["once_key"])
    simulate = options.pop("simulate") or options["behaviour"] is not None
    dry_run = options.pop("dry_run")
    behaviour = simulating.simulator_behaviour(options.pop("behaviour"), demo=True) if simulate else None
    slot, required_hash, max_age_s = slot_from(options), options.pop("require_hash"), options.pop("max_age_s")

    def approved_plan() -> Plan:
        plan = planning.read_or_make_plan(host, inputs, simulated=simulate)
        approving.refuse_unapproved(plan, required_hash, max_age_s, host.clock.wall())
        plan = planning.rehearsed(plan, inputs)
        if not dry_run:
            output.warnings(plan)
        return plan

    if dry_run:
        show_plan(host, approved_plan(), inputs=inputs)
        return ExitCode.OK
    how = _how(host, options, watch=not options.pop("no_wait"), behaviour=behaviour)
    result = slots.run_in_slot(host, slot, inputs, approved_plan, how, required_hash=required_hash, warn=output.warning)
    return _finish(result, options)


@click.command("resume")
@run_argument
@deadline_option
@patience_options
@lock_option
@credential_option
@_report_option
@ca_option
@state_options
@log_options
@pass_host
def resume_command(host: Host, run: str, **options: Any) -> int:
    """Go on with a run that was stopped or crashed. RUN is its id, the start of it, or `last`."""
    from runner.app import running

    host.zone()
    return _finish(running.resume_run(host, run, _how(host, options, watch=True, behaviour=None)), options)


@click.command("retry")
@runs_argument
@click.option("--only", callback=_outcomes, metavar="OUTCOME,...", help="Default: failed,timed_out,unknown.")
@click.option("--no-look", is_flag=True, help="Do not read the jobs of timed-out and unknown servers once more.")
@click.option("-o", "--output", "plan_file", type=OutputPath(), help="Only write the plan; - is stdout.")
@click.option("--dry-run", is_flag=True, help="Only show the plan.")
@click.option("--simulate", is_flag=True, help="Rehearse it against a simulator. A retry of a rehearsal is one anyway.")
@_behaviour_option
@deadline_option
@patience_options
@lock_option
@credential_option
@_report_option
@ca_option
@state_options
@log_options
@pass_host
def retry_command(host: Host, runs: tuple[str, ...], only: tuple[str, ...], **options: Any) -> int:
    """Do again, as a new run, those servers of earlier runs that did not succeed, and have not since.

    A server goes on at the step that it did not get through. OUTCOMEs: failed, timed_out, unknown, not_started, skipped.
    """
    from runner.app import planning, retrying, running, simulating
    from runner.cli import output
    from runner.cli.planning import show_plan

    host.zone()
    look, plan_file, dry_run = not options.pop("no_look"), options.pop("plan_file"), options.pop("dry_run")
    state_dir, ca_bundle = options["state_dir"], options["ca_bundle"]
    plan, simulated, at_work = retrying.plan_retry(
        host, state_dir, runs, only, look=look, ca_bundle=ca_bundle, try_credential=options["try_credential"]
    )
    for left_out in at_work:
        output.warning(f"left out: {left_out}")
    path, simulate = options.pop("behaviour"), options.pop("simulate")
    behaviour = simulating.simulator_behaviour(path, demo=True) if simulated or simulate or path is not None else None
    if plan_file is not None:
        planning.write_plan(plan, plan_file)
    if dry_run or plan_file is not None:
        show_plan(host, plan, plan_file=plan_file)
        return ExitCode.OK
    how = _how(host, options, watch=True, behaviour=behaviour)
    return _finish(running.run_plan(host, plan, how), options)


def _how(host: Host, options: JsonObject, *, watch: bool, behaviour: Behaviour | None) -> RunOptions:
    from runner.app.reporting import report_places
    from runner.app.running import RunOptions
    from runner.cli.displaying import progress_of

    return RunOptions(
        state_dir=options["state_dir"],
        report=report_places(options["reports"]),
        watch=watch,
        behaviour=behaviour,
        ca_bundle=options["ca_bundle"],
        wait_for_lock_s=_patience(options["wait_for_lock_s"], options["deadline"], host.clock.wall()),
        deadline=options["deadline"],
        patience=patience_of(options),
        try_credential=options["try_credential"],
        progress=progress_of(host, options),
    )


def _patience(wait_s: float, deadline: Deadline | None, now: float) -> float:
    """For how long to wait for servers, seconds: after the deadline they would be of no use."""
    return wait_s if deadline is None else max(0.0, min(wait_s, deadline.at - now))


def _finish(result: RunResult | Untouched, options: JsonObject) -> int:
    """Say how it ended. Not on stdout where the report goes there."""
    from runner.app.reporting import write_streams
    from runner.app.slots import Untouched
    from runner.cli import output, streams

    quiet = options["quiet"]
    tell = streams.say if any(is_stdout(file.path) for file in options["reports"]) else streams.echo
    if isinstance(result, Untouched):
        tell(result.reason)
        return ExitCode.OK
    lines = [] if quiet else [result.summary]
    if result.report.path is not None:
        lines.append(f"report: {one_line(str(result.report.path))}")
    lines += [f"report as {file.form}: {one_line(str(file.path))}" for file in result.report.others]
    if result.resumable and quiet:  # the summary says it, and what must come before
        lines.append(f"go on with: runner resume {result.run_id}")
    lines.append(result.last_line)
    with suppress(KeyboardInterrupt):
        if result.report.problem:
            output.error(result.report.problem)
        tell("\n".join(lines))
        for trouble in write_streams(result.report, result.run_id):
            output.error(trouble)
    return result.exit_code
