"""The programs of checks, found before anything is sent: beside the jobspec, at a path of their own, or on PATH.

One that is named by a relative path stands beside the jobspec, as its inventory does, and is part of what is planned: the
plan has its fingerprint, in the hash, and the jobspec's folder, outside of it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import InvalidInput, Problem, RefusedToStart
from runner.plain import is_text, plain
from runner.plan.codec import hash_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runner.plan.plan import Plan
    from runner.plan.rollout.model import PlannedCheck
    from runner.spec.campaign import Campaign


class NoProgram(Exception):
    """There is no such program, or it cannot be run; the message says why."""


def path_of(check: PlannedCheck, env: Mapping[str, str]) -> str:
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
    """The plan with the programs of its checks found, for the jobspec in `folder`.

    Raises:
        InvalidInput: some are not there.
    """
    problems: dict[tuple[int, str], Problem] = {}

    def placed(index: int, check: PlannedCheck) -> PlannedCheck:
        spec = campaign.rollout.checks[index] if campaign.rollout else None
        try:
            return _placed(check, str(folder.absolute()), env)
        except NoProgram as error:
            problem = Problem(f"check `{check.name}`: {error}", hint=_HINT)
            if spec is not None and spec.command:
                place = spec.command[0].place
                problem = replace(problem, file=place.file, line=place.line, column=place.column, path=place.path)
            problems[index, str(error)] = problem
            return check

    found = _with_checks(plan, placed)
    if problems:
        raise InvalidInput(*problems.values())
    return found


_HINT = "a path is relative to the jobspec's folder; a name without `/` is looked for on PATH"


def with_programs_of_now(plan: Plan, env: Mapping[str, str]) -> Plan:
    """A plan made from another one, with the programs of its checks as they are now.

    Raises:
        InvalidInput: some are not there.
    """

    def placed(_: int, check: PlannedCheck) -> PlannedCheck:
        try:
            return _placed(check, check.folder, env)
        except NoProgram as error:
            raise InvalidInput(_problem(check, str(error))) from error

    return _with_checks(plan, placed)


def refuse_unready(plan: Plan, env: Mapping[str, str]) -> None:
    """Look whether the checks of a plan can be made here.

    Raises:
        InvalidInput: a program is not there, or a variable that a check asks for.
        RefusedToStart: a program is not the one that the plan was made with.
    """
    problems = []
    for check in _commands(plan):
        try:
            path = path_of(check, env)
        except NoProgram as error:
            problems.append(_problem(check, str(error)))
            continue
        if check.fingerprint is not None and _fingerprint(Path(path)) != check.fingerprint:
            raise RefusedToStart(
                f"check `{check.name}`: {path} was changed after the plan was made", hint="make the plan anew"
            )
        problems += [
            _problem(check, f"the variable {name} is not in the environment") for name in check.env if name not in env
        ]
    if problems:
        raise InvalidInput(*problems)


def _problem(check: PlannedCheck, message: str) -> Problem:
    return Problem(f"check `{check.name}`: {message}", path="rollout.checks")


def _commands(plan: Plan) -> Iterator[PlannedCheck]:
    """Every check that is a command, once."""
    waves = plan.rollout.waves if plan.rollout else ()
    checks = (check for wave in waves for check in wave.checks if check.command is not None)
    return iter(
        {(check.name, check.command[:1] if check.command else (), check.env): check for check in checks}.values()
    )


def _placed(check: PlannedCheck, folder: str | None, env: Mapping[str, str]) -> PlannedCheck:
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


def _with_checks(plan: Plan, changed: Callable[[int, PlannedCheck], PlannedCheck]) -> Plan:
    """The plan with each check of each wave changed, by its place in the wave."""
    if plan.rollout is None:
        return plan
    waves = tuple(
        replace(wave, checks=tuple(changed(index, check) for index, check in enumerate(wave.checks)))
        for wave in plan.rollout.waves
    )
    if waves == plan.rollout.waves:
        return plan
    plan = replace(plan, rollout=replace(plan.rollout, waves=waves))
    return replace(plan, plan_hash=hash_plan(plan))
