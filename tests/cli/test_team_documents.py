"""Documents for people who run campaigns: nothing is left out, every command is one, every output is real."""

from __future__ import annotations

import re
import shlex

import click
import pytest
from ruamel.yaml import YAML

from runner.app.process import this_host
from runner.cli.main import cli
from runner.errors import ExitCode
from runner.model import Outcome, RunState
from runner.run.waits import WaitKind
from runner.spec.loading import load_campaign
from tests.cli.conftest import BEHAVIOUR, JOBSPEC, ROOT, Program
from tests.cli.serving import StartSimulator

_NAMES = ("first-minutes", "runbook", "retries", "approvals", "hours", "pipelines")
DOCS = {name: (ROOT / "docs" / f"{name}.md").read_text() for name in _NAMES}
RACKS = 4
FLEET = "id,name,ring,rack\n" + "".join(
    f"id-{n},server-id-{n},{'canary' if n < 2 else 'main'},r{n % RACKS}\n" for n in range(32)
)
BAD = ", ".join(f"id-{n}" for n in range(32) if n % RACKS == 2)
RACK_FAILS = BEHAVIOUR.replace("0.3}", f"0.1, failing_servers: [{BAD}], message: no route to 10.0.0.7}}")
# What differs each time: runs, people, hashes, times, files.
VARIES = [
    (r"\d{8}-\d{6}-[0-9a-f]{6}", "RUN"),
    (r"[\w.-]+@[\w.-]+", "WHO@HOST"),
    (r"sha256:[0-9a-f.]+", "HASH"),
    (r"(\d{4}-\d\d-\d\dT)?\d\d:\d\d:\d\dZ?", "TIME"),
    (r", \d+ s\b", ", N s"),
    (r"report: \S+", "report: FILE"),
    (r"\b\d+[smhd]\b", "AGE"),
    (r" +", " "),
]


def first_column(name: str, header: str) -> list[str]:
    """What stands first in the rows of a table, without quotes."""
    _, _, table = DOCS[name].partition(header)
    rows = re.findall(r"\A(?:\|.*\n)+", table.partition("|---|---|---|\n")[2])
    return [row.split("|")[1].strip().strip("`") for row in rows[0].splitlines()]


def test_the_runbook_has_every_state_every_exit_code_and_every_outcome() -> None:
    assert sorted(first_column("runbook", "| state |")) == sorted(RunState)
    assert first_column("runbook", "| exit |") == [str(code.value) for code in ExitCode]
    assert sorted(first_column("runbook", "| outcome |")) == sorted(Outcome)


WORDS = {
    WaitKind.PAUSE: "paused",
    WaitKind.HOLD: "held: ",
    WaitKind.GROUP: " is held",
    WaitKind.APPROVAL: " waits",
    WaitKind.SOAK: " soaks",
    WaitKind.CHECK: " is checked by ",
    WaitKind.WINDOW: "no window is open",
    WaitKind.BUDGET: "no room: ",
    WaitKind.EVIDENCE: "the wave grows with what is known of it",
    WaitKind.THROTTLED: "throttled by the service",
    WaitKind.PACE: "the pace is ",
    WaitKind.RETRY: "requests that were refused are sent again",
    WaitKind.BUSY: " in another operation",
    WaitKind.OUTAGE: "the service cannot be reached",
    WaitKind.DOUBT: " in doubt, looked up",
    WaitKind.SURVEY: "what was sent before the run was resumed is looked up",
    WaitKind.ANSWERS: " requests are on their way or in doubt",
    WaitKind.CREDENTIAL: "the credential ",
    WaitKind.LOCK: "the state folder is locked by another process",
    WaitKind.LANE: " stopped",
}
"""What a run says of each wait, as far as it is always the same."""


def test_the_runbook_has_every_wait_in_the_words_that_a_run_says() -> None:
    assert WORDS.keys() == set(WaitKind)
    code = "".join(
        (ROOT / "runner" / "run" / f"{name}.py").read_text() for name in ("lane_waits", "person_waits", "standing")
    )
    rows = first_column("runbook", "| it says |")
    assert {kind for kind, words in WORDS.items() if words not in code} == set()
    assert {kind for kind, words in WORDS.items() if not any(words.strip() in row for row in rows)} == set()


_LINE = r"(?m)^(?:    (?:tmux .* |systemd-run .* )?|\$ | +- (?:run: )?)(runner .*)$"


def commands() -> list[tuple[str, str]]:
    """Every command that a document names, with the document."""
    found = []
    for name, text in DOCS.items():
        lines = re.findall(r"`(runner [^`]*)`", text) + re.findall(_LINE, text)
        found += [(name, line) for line in lines]
    return found


@pytest.mark.parametrize(("name", "line"), commands())
def test_every_command_is_understood(name: str, line: str) -> None:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    end = next((place for place, word in enumerate(words) if set(word) <= set("<>|&;")), len(words))
    _, command_name, *arguments = words[:end]
    with click.Context(cli, obj=this_host) as context:
        command = cli.get_command(context, command_name)
        assert command is not None, name
        if arguments:  # without any it is only named
            command.make_context(command_name, arguments, parent=context)


def sessions(name: str) -> list[list[tuple[str, str]]]:
    """Commands of a document and what they say, in the blocks that show a terminal."""
    blocks = re.findall(r"```console\n(.*?)```", DOCS[name], re.DOTALL)
    return [re.findall(r"(?m)^\$ (.*)\n((?:(?!\$ ).*\n)*)", block) for block in blocks]


def settled(text: str) -> str:
    for pattern, word in VARIES:
        text = re.sub(pattern, word, text)
    return text


@pytest.fixture
def upgraded(program: Program, simulator: StartSimulator) -> Program:
    """A jobspec over a fleet of which a rack fails, beside the plan that somebody is to approve."""
    url = simulator(RACK_FAILS)
    (program.folder / "fleet.csv").write_text(FLEET)
    lane = f"lane:\n  endpoint: {url}\n  project_id: p\n"
    text = JOBSPEC.replace("lane:\n  project_id: p\n", lane).replace("servers_per_job: 2", "servers_per_job: 1")
    (program.folder / "upgrade.yaml").write_text(text.replace("name: test", "name: hdk-upgrade"))
    return program


def repeat(program: Program, session: list[tuple[str, str]], hash_of_plan: str = "") -> None:
    for line, expected in session:
        shown = program(*shlex.split(line.replace("sha256:...", hash_of_plan or "sha256:..."), comments=True)[1:])
        (code,) = re.findall(r"  # exit (\d)$", line) or ["0"]
        assert shown.returncode == int(code), line + shown.stderr
        if expected:
            assert settled(shown.stdout) == settled(expected), line


@pytest.mark.parametrize("name", ["runbook", "retries"])
def test_what_the_sessions_show_is_what_is_said(upgraded: Program, name: str) -> None:
    ran = upgraded("run", "upgrade.yaml")
    assert ran.returncode == 3, ran.stderr
    for session in sessions(name):
        repeat(upgraded, session)


def test_the_sessions_of_approvals_are_real(upgraded: Program) -> None:
    of_plan, of_wave = sessions("approvals")
    upgraded("plan", "upgrade.yaml", "-o", "plan.json")
    (found,) = re.findall(r'"plan_hash": *"(sha256:[0-9a-f]+)"', (upgraded.folder / "plan.json").read_text())
    repeat(upgraded, of_plan, found)
    (rollout,) = re.findall(r"```yaml\n(.*?)```", DOCS["approvals"], re.DOTALL)
    path = upgraded.folder / "upgrade.yaml"
    groups = '  - {name: canary, select: labels.ring == "canary"}\n  - {name: all, select: "true"}\n'
    text = path.read_text().replace('  - name: all\n    select: "true"\n', groups) + rollout
    assert load_campaign(text, "upgrade.yaml").rollout is not None
    path.write_text(text.replace("soak: 30m", "soak: 10ms"))
    repeat(upgraded, of_wave)


def test_the_first_minutes_are_real(program: Program) -> None:
    text = DOCS["first-minutes"]
    names = {"csv": ["fleet.csv"], "yaml": ["upgrade.yaml", "failing.yaml"]}
    for kind, files in names.items():
        for name, body in zip(files, re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL), strict=True):
            (program.folder / name).write_text(body)
    for session in sessions("first-minutes"):
        repeat(program, session)
    assert "the image is not there" not in (program.folder / "report.html").read_text()


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", DOCS["pipelines"], re.DOTALL))
def test_pipelines_are_documents_that_can_be_read(block: str) -> None:
    assert isinstance(YAML(typ="safe").load(block), dict)
