"""The programs of checks and hooks, found before anything is sent: beside the jobspec, at a path of their own, or on PATH.

One that is named by a relative path stands beside the jobspec, as its inventory does, and is part of what is planned: the
plan has its fingerprint, in the hash, and the jobspec's folder, outside of it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from runner.app.hook_secrets import post_troubles
from runner.errors import InvalidInput, Problem, RefusedToStart
from runner.plain import is_text, plain
from runner.plan.codec import hash_plan
from runner.plan.hooks import PlannedHook

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.plan.plan import Plan
    from runner.plan.rollout.model import PlannedCheck
    from runner.spec.campaign import Campaign, Place
    from runner.spec.hooks import HookSpec
    from runner.spec.rollout.model import CheckSpec


class Program(Protocol):
    """A command of a plan, as `PlannedCheck` says."""

    @property
    def command(self) -> tuple[str, ...] | None:
        """Program and arguments."""
        ...

    @property
    def env(self) -> tuple[str, ...]:
        """Variables that it asks for."""
        ...

    @property
    def folder(self) -> str | None:
        """Where one is that stands beside the jobspec."""
        ...

    @property
    def fingerprint(self) -> str | None:
        """What that one was when the plan was made."""
        ...


P = TypeVar("P", "PlannedCheck", "PlannedHook")


class NoProgram(Exception):
    """There is no such program, or it cannot be run; the message says why."""


def path_of(check: Program, env: Mapping[str, str]) -> str:
    """Where the program of a command is.

    Raises:
        NoProgram: it is not there.
    """
    name = (check.command or ("",))[0]
    if "/" not in name:
        found = shutil.which(name, path=env.get("PATH", os.defpath)) if name else None
        if found is None:
            raise NoProgram(f"there is no program `{name}` on PATH")
        return found
    path = Path(check.folder or "", name)
    if not path.exists():
        where = "" if path.is_absolute() and str(path) == name else f" in {check.folder or Path.cwd()}"
        raise NoProgram(f"there is no `{name}`{where}")
    if not path.is_file():
        raise NoProgram(f"{path} is no file")
    if not os.access(path, os.X_OK):
        raise NoProgram(f"{path} cannot be executed: chmod +x, if it is the right one")
    return str(path)


def with_programs(plan: Plan, campaign: Campaign, folder: Path, env: Mapping[str, str]) -> Plan:
    """The plan with the programs of its checks and hooks found, for the jobspec in `folder`.

    Raises:
        InvalidInput: some are not there.
    """
    problems: dict[Problem, None] = {}  # a check's is that of every wave

    def placed(index: int, program: P) -> P:
        try:
            return _placed(program, str(folder.absolute()), env)
        except NoProgram as error:
            problem, place = _problem(index, program, str(error)), _written_at(campaign, index, program)
            problem = replace(problem, file=place.file, line=place.line, column=place.column, path=place.path)
            problems[replace(problem, hint=_HINT)] = None
            return program

    found = _with_commands(plan, placed)
    if problems:
        raise InvalidInput(*problems)
    return found


def _written_at(campaign: Campaign, index: int, program: PlannedCheck | PlannedHook) -> Place:
    checks = campaign.rollout.checks if campaign.rollout else ()
    spec: CheckSpec | HookSpec = campaign.hooks[index] if isinstance(program, PlannedHook) else checks[index]
    return spec.command[0].place if spec.command else spec.place


_HINT = "a path is relative to the jobspec's folder; a name without `/` is looked for on PATH"


def with_programs_of_now(plan: Plan, env: Mapping[str, str]) -> Plan:
    """A plan made from another one, with the programs of its checks and hooks as they are now.

    Raises:
        InvalidInput: some are not there.
    """

    def placed(index: int, program: P) -> P:
        try:
            return _placed(program, program.folder, env)
        except NoProgram as error:
            raise InvalidInput(_problem(index, program, str(error))) from error

    return _with_commands(plan, placed)


def refuse_unready(plan: Plan, env: Mapping[str, str]) -> None:
    """Look whether the checks of a plan can be made here, and its hooks be told.

    Raises:
        InvalidInput: a program is not there, or a variable or secret that is asked for; or a secret makes no URL or header.
        RefusedToStart: a program is not the one that the plan was made with.
    """
    problems = []
    for index, program in _commands(plan):
        try:
            path = path_of(program, env)
        except NoProgram as error:
            problems.append(_problem(index, program, str(error)))
            continue
        if program.fingerprint is not None and _fingerprint(Path(path)) != program.fingerprint:
            raise RefusedToStart(
                f"{_title(program)}{path} was changed after the plan was made", hint="make the plan anew"
            )
        problems += [
            _problem(index, program, f"the variable {name} is not in the environment")
            for name in program.env
            if name not in env
        ]
    problems += [
        _problem(index, hook, trouble) for index, hook in enumerate(plan.hooks) for trouble in post_troubles(hook, env)
    ]
    if problems:
        raise InvalidInput(*problems)


def _problem(index: int, program: PlannedCheck | PlannedHook, message: str) -> Problem:
    path = f"on_event[{index}]" if isinstance(program, PlannedHook) else "rollout.checks"
    return Problem(f"{_title(program)}{message}", path=path)


def _title(program: PlannedCheck | PlannedHook) -> str:
    return "hook: " if isinstance(program, PlannedHook) else f"check `{program.name}`: "


def _commands(plan: Plan) -> Iterator[tuple[int, PlannedCheck | PlannedHook]]:
    """Every check that is a command, once, and every hook that is one, each with its place."""
    waves = plan.rollout.waves if plan.rollout else ()
    checks = (check for wave in waves for check in wave.checks if check.command is not None)
    different = {(check.name, check.command[:1] if check.command else (), check.env): check for check in checks}
    yield from enumerate(different.values())
    yield from ((index, hook) for index, hook in enumerate(plan.hooks) if hook.command is not None)


def _placed(check: P, folder: str | None, env: Mapping[str, str]) -> P:
    if check.command is None:
        return check
    name = check.command[0]
    is_beside = "/" in name and not Path(name).is_absolute()
    if is_beside and folder is not None and not is_text(folder):
        raise NoProgram(f"the name of the folder {plain(folder)} is not UTF-8, and the plan has to have it")
    check = replace(check, folder=folder if is_beside else None)
    path = path_of(check, env)
    return replace(check, fingerprint=_fingerprint(Path(path)) if is_beside and folder is not None else None)


def _fingerprint(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InvalidInput(Problem(f"cannot be read: {error.strerror}", str(path))) from error


class _Placing(Protocol):
    def __call__(self, index: int, program: P, /) -> P: ...


def _with_commands(plan: Plan, changed: _Placing) -> Plan:
    """The plan with each check of each wave changed, by its place in the wave, and each hook, by its place among them."""
    hooks, rollout = tuple(changed(index, hook) for index, hook in enumerate(plan.hooks)), plan.rollout
    if rollout is not None:
        waves = tuple(
            replace(wave, checks=tuple(changed(index, check) for index, check in enumerate(wave.checks)))
            for wave in rollout.waves
        )
        rollout = rollout if waves == rollout.waves else replace(rollout, waves=waves)
    if hooks == plan.hooks and rollout is plan.rollout:
        return plan
    plan = replace(plan, rollout=rollout, hooks=hooks)
    return replace(plan, plan_hash=hash_plan(plan))
