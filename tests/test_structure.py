"""The shape of the code: what no other tool looks at."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "runner").rglob("*.py"))


def test_no_two_public_classes_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for source in SOURCES:
        for node in ast.parse(source.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(source.as_posix())
    # An event and the answer that it records are two things; so is what a report's schema says of a limit.
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


# A stream that a run shows itself on is written to by the outlet alone.
_MAY_PRINT = {"cli/streams.py"}


def test_all_that_is_printed_is_made_fit_for_a_terminal_in_one_place() -> None:
    printing = {
        source.relative_to(ROOT / "runner").as_posix()
        for source in SOURCES
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"print", "click.echo", "click.secho", "sys.stdout.write"}
    }
    assert printing == _MAY_PRINT


# What tells the time, who one is and what one has around, and what chance brings: `random.Random(seed)` is none of it.
_OUTSIDE = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "clock_gettime", "localtime", "sleep"},
    "datetime.datetime": {"now", "utcnow", "today"},
    "datetime.date": {"today"},
    "os": {"environ", "environb", "getenv", "getpid", "getppid", "getuid", "getlogin", "urandom", "uname"},
    "getpass": {"getuser"},
    "socket": {"gethostname", "getfqdn"},
    "platform": {"node", "uname"},
    "pathlib.Path": {"home"},
    "random": {"SystemRandom", "random", "choice", "randint", "randbytes", "shuffle", "sample", "uniform"},
    "secrets": {"*"},
    "uuid": {"uuid1", "uuid4"},
}
_MAY_ASK = {
    "app/process.py": "it makes the host",
    "cli/main.py": "the home of the process, which libraries look up, before there is a host",
    "cli/paths.py": "the variable of an option, which click takes for one that is not set where it is empty",
    "engine/clock.py": "the clocks of the host",
    "journal/owner.py": "what a process is, and whether one still lives",
    "journal/sqlite.py": "the clock of a store that is given none",
    "journal/writer.py": "it waits for a file that another process holds, in a thread of its own",
    "journal/database.py": "likewise, before there is a thread",
    "simulator/server.py": "a service of its own, in its own time",
}


def asked_outside(source: str) -> Iterator[str]:
    """The names in a module's text that tell of its process, however they were imported."""
    tree = ast.parse(source)
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            first, dot, rest = ast.unparse(node).partition(".")
            owner, _, name = (imported.get(first, "") + dot + rest).rpartition(".")
            if {name, "*"} & _OUTSIDE.get(owner, set()):
                yield f"{owner}.{name}"


def test_time_chance_and_environment_come_in_as_arguments() -> None:
    asking = {
        source.relative_to(ROOT / "runner").as_posix(): names
        for source in SOURCES
        if (names := set(asked_outside(source.read_text())))
    }
    assert {place: names for place, names in asking.items() if place not in _MAY_ASK} == {}
    assert _MAY_ASK.keys() - asking.keys() == set()


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import time\nprint(time.time())", {"time.time"}),
        ("import time as t\ndef f(now=t.monotonic): ...", {"time.monotonic"}),
        ("from time import time\ntime()", {"time.time"}),
        ("from datetime import datetime as dt\ndt.now()", {"datetime.datetime.now"}),
        ("import datetime\ndatetime.datetime.now()", {"datetime.datetime.now"}),
        ("import os\nos.environ['A']", {"os.environ"}),
        ("from secrets import token_hex\ntoken_hex(3)", {"secrets.token_hex"}),
        ("import random\nrandom.Random(1).random()", set()),
        ("def f(clock): clock.time.time()", set()),
    ],
)
def test_however_it_is_asked_it_is_seen(source: str, names: set[str]) -> None:
    assert set(asked_outside(source)) == names
