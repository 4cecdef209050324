"""Small mistakes made on purpose, one at a time, in the modules that decide: which of them does no test notice?

`python -m tests.mutants [--most N] [PATH...]` names those. Nothing on disk is changed: a process of its own makes a mistake as
it imports the module, and runs the tests of that module; a mistake that passes them meets those of all that decides.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import aiohttp  # noqa: F401  loaded here, once, for all the processes to come
import hypothesis  # noqa: F401  likewise
import pydantic  # noqa: F401  likewise
import pytest

DEFAULT = ["runner/rules", "runner/spec/quantities.py", "runner/spec/moments.py", "runner/plan/keys.py"]
ALL_THAT_DECIDES = ["tests/rules", "tests/run", "tests/plan", "tests/spec", "tests/engine"]
OPTIONS = ["-x", "-q", "-n", "0", "-p", "no:randomly", "-p", "no:cacheprovider", "--hypothesis-profile", "same"]
OPTIONS += ["-m", "not process", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
SEED = 1
_LONGEST_S = 300
_MOST_MEMORY = 6 * 2**30

_OTHER: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
}  # fmt: skip
_OTHER_NAME = {"min": "max", "max": "min", "any": "all", "all": "any"}


class Mutant(NamedTuple):
    """A module with one mistake in it, and the place and kind of that."""

    path: Path
    said: str
    tree: ast.Module


def mistakes(node: ast.AST) -> Iterator[tuple[str, object]]:
    """What can be done wrong at one place of the code: which part of it is to be another one."""
    match node:
        case ast.Compare(ops=[op, *more]):
            yield "ops", [_OTHER[type(op)](), *more]
        case ast.BoolOp(op=op) | ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _OTHER:
            yield "op", _OTHER[type(op)]()
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "operand", ast.UnaryOp(ast.Not(), operand)
        case ast.Constant(value=bool(value)):
            yield "value", not value
        case ast.Constant(value=int(value)):
            yield from (("value", value + 1), ("value", value - 1))
        case ast.Constant(value=float(value)):
            yield from (("value", value * 1.05 + 0.001), ("value", value * 0.9 - 0.001))
        case ast.Name(id=name) if name in _OTHER_NAME:
            yield "id", _OTHER_NAME[name]
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            yield "test", ast.UnaryOp(ast.Not(), test)
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield "value", ast.Constant(None)


def mutants_of(path: Path) -> Iterator[Mutant]:
    """The module with each mistake in turn."""
    tree = ast.parse(path.read_text())
    beside_the_point = {id(node) for part in _not_run(tree) for node in ast.walk(part)}
    for place, node in enumerate(ast.walk(tree)):
        for part, other in () if id(node) in beside_the_point else mistakes(node):
            wrong = copy.deepcopy(tree)
            changed = list(ast.walk(wrong))[place]
            setattr(changed, part, copy.deepcopy(other))
            said = f"{path}:{getattr(node, 'lineno', 0)}: {_shown(node)}  ->  {_shown(changed)}"
            yield Mutant(path, said, ast.fix_missing_locations(wrong))


def _not_run(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.arg():
                yield node
            case ast.AnnAssign(annotation=annotation):
                yield annotation
            case ast.FunctionDef(returns=returns, decorator_list=decorators) if returns is not None:
                yield from (returns, *decorators)
            case ast.ClassDef(decorator_list=decorators):
                yield from decorators


def _shown(node: ast.AST) -> str:
    return ast.unparse(getattr(node, "test", node)).splitlines()[0]


class _Mistaken(MetaPathFinder, Loader):
    """Imports the module of a mutant with its mistake."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        is_it = fullname == ".".join(self._mutant.path.with_suffix("").parts)
        return spec_from_file_location(fullname, self._mutant.path, loader=self) if is_it else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._mutant.tree, str(self._mutant.path), "exec"), module.__dict__)  # noqa: S102  that is the point


def started(mutant: Mutant, tests: Sequence[str]) -> int:
    """The id of a process that runs these tests with the mistake made, and ends with the code of pytest."""
    pid = os.fork()
    if pid:
        return pid
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    signal.alarm(_LONGEST_S)  # a mistake that never ends is noticed, too
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    sys.meta_path.insert(0, _Mistaken(mutant))
    os._exit(pytest.main([*OPTIONS, *tests]))


def unnoticed(mutants: Sequence[Mutant], tests: dict[Mutant, Sequence[str]]) -> Iterator[Mutant]:
    """Those whose tests all pass. As many are tried at once as there are processors."""
    at_work: dict[int, Mutant] = {}
    for mutant in [*mutants, None]:
        while at_work and (mutant is None or len(at_work) >= (os.cpu_count() or 1)):
            pid, status = os.wait()
            tried = at_work.pop(pid)
            if status == 0:
                yield tried
        if mutant is not None:
            at_work[started(mutant, tests[mutant])] = mutant


def own_tests(path: Path) -> list[str]:
    """The tests of a module; where it has none, those of its package."""
    folder = Path("tests", *path.parts[1:-1])
    return [str(found)] if (found := folder / f"test_{path.stem}.py").exists() else [str(folder)]


def main() -> None:
    """Try them, and name those that no test notices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", default=DEFAULT, help="modules or folders")
    parser.add_argument("--most", type=int, help="only so many, drawn with a seed that is always the same")
    parser.add_argument("--own", action="store_true", help="only the tests of each module, which is much faster")
    options = parser.parse_args()
    paths = [found for path in map(Path, options.paths) for found in (sorted(path.glob("*.py")) or [path])]
    sound = [Mutant(path, str(path), ast.parse(path.read_text())) for path in paths]
    if len(list(unnoticed(sound, {mutant: own_tests(mutant.path) for mutant in sound}))) < len(sound):
        sys.exit("the tests fail without a mistake, too")
    mutants = [mutant for path in paths for mutant in mutants_of(path)]
    if options.most is not None and options.most < len(mutants):
        mutants = random.Random(SEED).sample(mutants, options.most)
    left = 0
    found = unnoticed(mutants, {mutant: own_tests(mutant.path) for mutant in mutants})
    if not options.own:
        passed = list(found)
        found = unnoticed(passed, dict.fromkeys(passed, ALL_THAT_DECIDES))
    for mutant in found:
        left += 1
        print(f"not noticed: {mutant.said}", flush=True)
    print(f"{len(mutants) - left} of {len(mutants)} noticed, {left} not noticed")


if __name__ == "__main__":
    main()
