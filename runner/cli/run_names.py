"""Arguments that name a run, and a wave or a group of it: what a shell offers for them (`runner completion`).

It is asked while somebody types: what cannot be read offers nothing, and no more is read than the names.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.errors import RunnerError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.plan.codec import PlanNames

_MOST = 200
_LAST = "last"


def offered_runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The ids of runs that start so, newest first."""
    del param
    from runner.app.listing import open_store

    folder = ctx.params.get("state_dir")
    ids: list[str] = []
    if isinstance(folder, Path):
        try:
            with open_store(folder, reading=True) as store:
                ids = list(store.starting_with(incomplete)[:_MOST])
        except RunnerError:
            pass
    return [*([_LAST] if _LAST.startswith(incomplete) else []), *ids]


def offered_waves(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The waves of the run that was typed before."""
    del param
    names = _names(ctx)
    return _starting(incomplete, names.waves if names is not None else ())


def offered_groups(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The groups of the run that was typed before."""
    del param
    names = _names(ctx)
    return _starting(incomplete, names.groups if names is not None else ())


def _starting(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _names(ctx: click.Context) -> PlanNames | None:
    from runner.app.listing import open_store
    from runner.plan.codec import names_in_plan

    folder, run = ctx.params.get("state_dir"), ctx.params.get("run")
    if not isinstance(folder, Path) or not isinstance(run, str):
        return None
    try:
        with open_store(folder, reading=True) as store:
            return names_in_plan(store.load_plan(store.run(store.resolve(run)).plan_hash))
    except RunnerError:
        return None


run_argument = click.argument("run", metavar="RUN", shell_complete=offered_runs)
runs_argument = click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=offered_runs)
wave_argument = click.argument("wave", shell_complete=offered_waves)
group_argument = click.argument("group", shell_complete=offered_groups)
