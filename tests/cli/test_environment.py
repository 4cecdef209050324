"""What the environment says is taken as it was meant, or refused with the reason: zones, homes, folders, colours, locales."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, SIMULATED, Program
from tests.cli.inside import ClockSetTo
from tests.cli.processes import LONGEST_S, works
from tests.cli.serving import StartSimulator
from tests.cli.shells import COMMANDS, PLAN, RUN, SIGNS, TRACES, ends, furnish

pytestmark = pytest.mark.process

NOBODY = ("unshare", "--user", "--map-user=54321", "--map-group=54321")
"""What starts a program as a user of whom no list tells."""
ZONED = (("validate", "job.yaml"), PLAN, ("run", "job.yaml", "--simulate"), ("resume", "last"), ("retry", "last"))
"""Commands that may look at a person's clock."""


@pytest.fixture
def furnished(program: Program) -> Program:
    furnish(program)
    return program


def said(program: Program, arguments: Sequence[str], **variables: str) -> tuple[int, str, str]:
    """What a command ends with and says where its environment has `variables` too."""
    done = program(*arguments, env=variables)
    return done.returncode, done.stdout, done.stderr


# Time zones


@pytest.mark.parametrize("name", ["TZ", "CRON_TZ"])
@pytest.mark.parametrize(
    ("zone", "hint"),
    [("Mars/Base", ""), ("asia/shanghai", "did you mean Asia/Shanghai? "), ("Asia", ""), ("CST", ""), ("/nope", ""), ("UTC+25", "")],
)  # fmt: skip
def test_a_zone_that_nobody_knows(program: Program, name: str, zone: str, hint: str) -> None:
    for arguments in ZONED if zone == "Mars/Base" else ZONED[:1]:
        code, out, err = said(program, arguments, **{name: zone})
        assert (code, out) == (2, "")
        assert f"error: environment: {name}: {zone!r} is no time zone that is known here; expected an IANA" in err
        assert f"{hint}Correct {name}, or unset it: as it is, times such as 05:00 would be taken for UTC\n" in err


def test_a_deadline_in_a_zone_that_nobody_knows(program: Program) -> None:
    program.env["TZ"] = "Mars/Base"
    for arguments in (("run", "job.yaml", "--simulate", "--deadline", "05:00"), ("list",), ("locks",), ("schema",)):
        assert said(program, arguments)[0] == (2 if "run" in arguments else 0)


@pytest.mark.parametrize(
    "zone",
    ["", "UTC", ":Asia/Shanghai", "Asia/Shanghai", "CST-8", "UTC0", "<+08>-8", "EST5EDT", "EST5EDT,M3.2.0,M11.1.0", "/etc/localtime", ":/etc/localtime"],
)  # fmt: skip
def test_zones_that_the_system_knows(program: Program, zone: str) -> None:
    if "/etc" in zone and not Path("/etc/localtime").exists():
        pytest.skip("this machine has none")
    assert said(program, ("validate", "job.yaml", "--region", "r"), TZ=zone)[0] == 0


@pytest.mark.parametrize(
    ("variables", "hour"),
    [
        ({"TZ": "Asia/Shanghai"}, "11"),
        ({"TZ": "CST-8"}, "11"),
        ({"CRON_TZ": "Asia/Shanghai"}, "11"),
        ({"TZ": "UTC", "CRON_TZ": "Asia/Shanghai"}, "03"),
        ({"TZ": "", "CRON_TZ": "Asia/Shanghai"}, "11"),
        ({"TZ": "Asia/Shanghai", "TZDIR": "/nowhere"}, "11"),
    ],
)
def test_a_time_is_one_of_the_zone_that_is_named(program: Program, variables: dict[str, str], hour: str) -> None:
    """Where the system has no list of zones as well: its own functions would take it for UTC."""
    program.env |= variables
    program.clock = ClockSetTo(datetime(2026, 11, 27, 3, 30, tzinfo=UTC))
    missed = program("run", "job.yaml", *SIMULATED, "--not-after", f"{hour}:29")
    assert f"missed: it is {hour}:30:0" in missed.stdout
    assert (
        program("run", "job.yaml", *SIMULATED, "--not-after", f"{hour}:31", "--once-key", "{{ run.slot }}").returncode
        == 0
    )
    deadline = program("run", "job.yaml", *SIMULATED, "--deadline", f"{hour}:31", "--report", "r.json")
    assert deadline.returncode == 0
    assert "(2026-11-27T03:31:00Z)" in (program.folder / "r.json").read_text() or "report: " in deadline.stdout


def test_what_a_person_sets_in_a_zone_that_nobody_knows(program: Program, simulator: StartSimulator) -> None:
    program.jobspec.write_text(
        program.jobspec.read_text() + "rollout: {waves: [{name: all, groups: [all], approve: true}]}\n"
    )
    url = simulator()
    assert program("run", "job.yaml", "--endpoint", url, "--no-wait-for-person").returncode == 5
    zone = "Mars/Base"
    assert said(program, ("set", "last", "deadline=05:00"), TZ=zone)[0] == 2
    assert said(program, ("set", "last", "rate=5/s"), TZ=zone)[0] == 0
    assert said(program, ("abort", "last"), TZ=zone)[0] == 0


# Homes and users


@pytest.fixture
def nobody(furnished: Program) -> Program:
    if not works(*NOBODY):
        pytest.skip("this machine lets nobody have a user namespace")
    for name in ("HOME", "RUNNER_STATE_DIR"):
        del furnished.env[name]
    return furnished


def as_nobody(program: Program, *arguments: str) -> tuple[int, str, str]:
    process = program.start(*arguments, within=NOBODY)
    out, err = process.communicate(timeout=LONGEST_S)
    assert not any(trace in err for trace in TRACES), err
    return process.returncode, out, err


HOMELESS = [
    *(
        (arguments, code)
        for arguments, code in COMMANDS.items()
        if "last" not in arguments and arguments[0] in {"validate", "plan", "schema"}
    ),
    ((*RUN, "--dry-run"), 0),
    (("diff", "plan.json", "plan.json"), 0),
]
NEEDS_HOME = [*{a[0]: a for a in COMMANDS if "last" in a or a[0] in {"list", "locks", "prune"}}.values(), RUN]


def test_what_needs_no_home_works_without(nobody: Program) -> None:
    for arguments, code in HOMELESS:
        assert as_nobody(nobody, *arguments)[0] == code, arguments


@pytest.mark.parametrize("home", [None, "", "relative"])
def test_what_needs_a_home_says_so(nobody: Program, home: str | None) -> None:
    if home is not None:
        nobody.env["HOME"] = home
    for arguments in NEEDS_HOME if home is None else [RUN]:
        code, out, err = as_nobody(nobody, *arguments)
        assert (code, out) == (6, ""), arguments
        assert err.splitlines() == [
            "error: there is no folder for journals and reports: neither HOME nor the list of users tells of this user's home",
            "  name a folder with --state-dir or RUNNER_STATE_DIR, or set HOME to a whole path",
        ]
    assert not (nobody.folder / "~").exists()
    assert not (nobody.folder / "relative").exists()


def test_a_user_without_a_name_runs_and_is_on_record(nobody: Program, simulator: StartSimulator) -> None:
    nobody.env["RUNNER_STATE_DIR"] = str(nobody.state)
    nobody.jobspec.write_text(
        nobody.jobspec.read_text(encoding="utf-8") + "rollout: {waves: [{name: all, groups: [all], approve: true}]}\n",
        encoding="utf-8",
    )
    assert as_nobody(nobody, "run", "job.yaml", "--endpoint", simulator(), "--no-wait-for-person")[0] == 5
    assert as_nobody(nobody, "approve", "last", "all")[0] == 0
    assert as_nobody(nobody, "resume", "last", "--report", "r.json")[0] == 0
    decisions = json.loads((nobody.folder / "r.json").read_text())["decisions"]
    assert [each["who"].partition("@")[0] for each in decisions if each["what"] == "approve"] == ["54321"]


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({}, "and nothing tells of a home folder to look in\n"),
        (
            {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": "~/keys"},
            "error: ~/keys is to be in the user's home folder, and neither HOME",
        ),
        (
            {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": "keys"},
            "error: keys is to be in the user's home folder, and neither HOME",
        ),
        ({"HW_PROFILE": "mine"}, "error: ~/.hcloud/config.json is to be in the user's home folder, and neither HOME"),
    ],
)
def test_credentials_in_a_home_that_nobody_knows(nobody: Program, variables: dict[str, str], says: str) -> None:
    del nobody.env["HUAWEICLOUD_SDK_AK"], nobody.env["HUAWEICLOUD_SDK_SK"]
    nobody.env |= {"RUNNER_STATE_DIR": str(nobody.state), **variables}
    code, _, err = as_nobody(nobody, "run", "job.yaml", "--endpoint", "http://127.0.0.1:9")
    assert (code, says in err) == (7, True), err


def test_credentials_in_a_file_that_is_named_need_no_home(nobody: Program, simulator: StartSimulator) -> None:
    keys = nobody.folder / "keys"
    keys.write_text(
        f"[basic]\nak = {nobody.env.pop('HUAWEICLOUD_SDK_AK')}\nsk = {nobody.env.pop('HUAWEICLOUD_SDK_SK')}\n"
    )
    nobody.env |= {"RUNNER_STATE_DIR": str(nobody.state), "HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(keys)}
    assert as_nobody(nobody, "run", "job.yaml", "--endpoint", simulator())[0] == 0


def test_an_empty_home_is_that_of_the_list_of_users(program: Program) -> None:
    del program.env["RUNNER_STATE_DIR"]
    without = {name: value for name, value in program.env.items() if name != "HOME"}
    command = program.command("list")
    said = [
        subprocess.run(command, env=env, cwd=program.folder, capture_output=True, text=True, check=False).stdout
        for env in (without, without | {"HOME": ""})
    ]
    assert said[0] == said[1]
    assert said[0]


# The state folder


@pytest.mark.parametrize("given", ["", "  "])
def test_a_state_folder_that_is_empty(program: Program, given: str) -> None:
    for arguments in (("list",), ("run", "job.yaml", *SIMULATED), ("pause", "last"), ("report", "last")):
        code, out, err = said(program, arguments, RUNNER_STATE_DIR=given)
        assert (code, out) == (2, "")
        assert "RUNNER_STATE_DIR" in err
        assert "empty" in err
        code, _, err = said(program, (*arguments, "--state-dir", given))
        assert (code, "Invalid value for '--state-dir'" in err, "is empty; expected a path" in err) == (2, True, True)
    assert not (program.folder / "journal.db").exists()
    assert said(program, ("list", "--state-dir", "state"), RUNNER_STATE_DIR=given)[0] == 0


def test_a_state_folder_that_depends_on_where_one_stands(program: Program) -> None:
    for arguments in (("list",), ("run", "job.yaml", *SIMULATED), ("abort", "last")):
        code, out, err = said(program, arguments, RUNNER_STATE_DIR="here")
        assert (code, out) == (2, "")
        assert "environment: RUNNER_STATE_DIR: 'here' is another folder wherever one stands" in err
        assert f"set it to a whole path, such as {program.folder}/here" in err
    code, out, _ = said(program, ("run", "job.yaml", *SIMULATED, "--state-dir", "here"))
    assert (code, f"report: {program.folder}/here/reports/" in out) == (0, True)
    assert said(program, ("list", "--state-dir", "elsewhere"))[1] == f"no runs in {program.folder}/elsewhere\n"
    assert not (program.folder / "elsewhere").exists()


def test_a_home_that_no_shell_wrote_out(program: Program) -> None:
    home = program.folder / "home"
    home.mkdir()
    shutil.copy(program.folder / "fleet.csv", home)
    env = {"HOME": str(home), "RUNNER_STATE_DIR": "~/state"}
    arguments = ("run", "job.yaml", *SIMULATED, "--report=~/r.json", "--inventory=~/fleet.csv")
    assert said(program, arguments, **env)[0] == 0
    assert (home / "r.json").exists()
    assert (home / "state" / "journal.db").exists()
    assert not (program.folder / "~").exists()
    code, _, err = said(program, ("plan", "~nobody-has-this-name/job.yaml"))
    assert (code, "no home folder is known for it" in err) == (2, True)


def test_an_empty_path_is_no_folder(program: Program) -> None:
    for arguments in (
        ("run", "job.yaml", "--report", ""),
        ("plan", "job.yaml", "-o", ""),
        ("plan", ""),
        ("backup", ""),
    ):
        code, _, err = said(program, arguments)
        assert (code, "is empty; expected a path" in err) == (2, True)


def test_a_folder_that_is_gone(program: Program) -> None:
    gone = program.folder / "gone"
    gone.mkdir()
    started = ("sh", "-c", 'cd gone; rmdir ../gone; exec "$@"', "sh")
    for arguments, code in ((("list", "--state-dir", "here"), 2), (("list",), 0), (("plan", "job.yaml"), 2)):
        gone.mkdir(exist_ok=True)
        process = program.start(*arguments, within=started)
        _, err = process.communicate(timeout=LONGEST_S)
        assert (process.returncode, "Traceback" in err) == (code, False), err


# Colours and terminals


def on_a_terminal(program: Program, *arguments: str, **variables: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        program.command(*arguments), cwd=program.folder, env={**program.env, **variables},
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        said = b"".join(_until_closed(terminal.fileno()))
    return process.wait(LONGEST_S), said.decode("utf-8", "replace")


def _until_closed(terminal: int) -> Iterator[bytes]:
    try:
        while data := os.read(terminal, 65536):
            yield data
    except OSError:  # how Linux says that the other end is closed
        return


COLOUR = re.compile(r"\x1b\[[0-9;]*[0-9]m")


@pytest.mark.parametrize("log", [(), ("--log-format", "console", "-v")])
def test_colours_unless_no_color_is_set_to_anything(furnished: Program, log: tuple[str, ...]) -> None:
    for value, is_coloured in (("1", False), ("0", False), ("false", False), ("", True), (None, True)):
        variables = {"TERM": "xterm-256color"} | ({} if value is None else {"NO_COLOR": value})
        code, said = on_a_terminal(furnished, *RUN, *log, **variables)
        assert code == 3
        assert bool(COLOUR.search(said)) is is_coloured, (value, said)
    code, said = on_a_terminal(furnished, *RUN, *log, "--no-color", TERM="xterm-256color")
    assert (code, COLOUR.search(said)) == (3, None)


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {}])
def test_what_is_no_live_view_has_no_colours_at_all(furnished: Program, variables: dict[str, str]) -> None:
    for arguments in (PLAN, ("--help",), ("frobnicate",), ("show", "last"), ("list",), ("validate", "missing.yaml")):
        code, said = on_a_terminal(furnished, *arguments, TERM="xterm", **variables)
        assert (code, "\x1b" in said) == (COMMANDS.get(arguments, 0), False)


@pytest.mark.parametrize("term", ["dumb", "unknown", "", None])
def test_a_terminal_that_cannot_draw_gets_lines(furnished: Program, term: str | None) -> None:
    code, said = on_a_terminal(furnished, *RUN, **({} if term is None else {"TERM": term}))
    assert (code, "\x1b" in said) == (3, False)
    assert re.search(r"\[info +\] run started", said)


@pytest.mark.parametrize("size", [{"COLUMNS": "0"}, {"COLUMNS": "1", "LINES": "1"}, {"COLUMNS": "many"}])
def test_a_terminal_of_no_size(furnished: Program, size: dict[str, str]) -> None:
    code, said = on_a_terminal(furnished, *RUN, TERM="xterm", **size)
    assert (code, "8 FAILED" in said or "2 FAILED" in said) == (3, True)


# Locales

ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
LOCALES = {
    "ascii": ASCII,
    "gbk": {"PYTHONIOENCODING": "gbk"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "none": {"LC_ALL": "xx_YY.UTF-8"},
}
DESCRIBED = {
    "ascii": b"gr\\xf6\\xdfe \\u5317\\u4eac \\U0001f600",
    "gbk": b"gr\\xf6\\xdfe " + "北京".encode("gbk") + b" \\U0001f600",
    "latin-1": "größe".encode("latin-1") + b" \\u5317\\u4eac \\U0001f600",
    "none": "größe 北京 😀".encode(),
}


# What is for people and in JSON, a result and a mistake, a run, and bytes as they are.
OF_EACH_FORM = (PLAN, (*PLAN, "--format", "json"), ("list",), ("frobnicate",), RUN, ("report", "last", "--report", "-"))


@pytest.mark.parametrize("locale", LOCALES)
def test_a_locale_shows_what_it_can_and_goes_on(furnished: Program, locale: str) -> None:
    """With the poorest of them every command, with the others one of each form: all print by the same two functions."""
    env = {**furnished.env, **LOCALES[locale]}
    for arguments in COMMANDS if locale == "ascii" else OF_EACH_FORM:
        done = subprocess.run(
            furnished.command(*arguments),
            cwd=furnished.folder,
            env=env,
            capture_output=True,
            check=False,
            timeout=LONGEST_S,
        )
        assert done.returncode == COMMANDS[arguments], arguments
        assert not any(trace.encode() in done.stderr for trace in TRACES)
        if arguments == PLAN:
            assert DESCRIBED[locale] in done.stdout
        if "json" in arguments:
            json.loads(done.stdout)
            assert SIGNS in str(json.loads(done.stdout)) or "plan" not in arguments


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("log", [("console",), ("json",)])
def test_a_log_and_a_live_view_in_every_locale(furnished: Program, locale: str, log: tuple[str, ...]) -> None:
    command = (*RUN, "-v", "--report", "r.json")
    assert ends(furnished, (*command, "--log-format", *log), env=LOCALES[locale])[0] == 3
    assert json.loads((furnished.folder / "r.json").read_bytes())["run"]["display_lost"] is None
    code, _ = on_a_terminal(furnished, *command, TERM="xterm", **LOCALES[locale])
    assert code == 3
    report = json.loads((furnished.folder / "r.json").read_bytes())
    assert report["run"]["display_lost"] is None


def test_arguments_that_a_locale_cannot_read(furnished: Program) -> None:
    for arguments in (
        ("validate", "größe.yaml"),
        ("pause", "last", "--why", "größe"),
        (*PLAN, "-e", "x=größe"),
        ("größe",),
    ):
        code, _, err = ends(furnished, arguments, env=ASCII)
        assert code == 2
        assert r"gr\xf6\xdfe" in err
        assert "cannot be read in a locale of ascii: set LC_ALL=C.UTF-8, unset PYTHONUTF8" in err
    folder = {"RUNNER_STATE_DIR": str(furnished.folder / "größe")}
    code, _, err = ends(furnished, ("list",), env={**ASCII, **folder})
    assert (code, "cannot be read in a locale of ascii" in err) == (2, True)
    assert ends(furnished, ("list",), env=folder)[0] == 0


def test_a_person_whose_name_is_no_text(program: Program, simulator: StartSimulator) -> None:
    program.env |= ASCII | {"LOGNAME": "größe"}
    program.jobspec.write_text(
        program.jobspec.read_text() + "rollout: {waves: [{name: all, groups: [all], approve: true}]}\n"
    )
    assert ends(program, ("run", "job.yaml", "--endpoint", simulator(), "--no-wait-for-person"))[0] == 5
    code, out, _ = ends(program, ("abort", "last"))
    assert (code, "abort noted" in out) == (0, True)


@pytest.fixture
def compiled(tmp_path: Path) -> dict[str, str]:
    """A locale of GBK, made for the test."""
    if shutil.which("localedef") is None:
        pytest.skip("this machine makes no locales")
    folder = tmp_path / "locales"
    folder.mkdir()
    subprocess.run(["localedef", "-i", "zh_CN", "-f", "GBK", folder / "zh_CN.GBK"], check=False, capture_output=True)  # noqa: S607  found on PATH
    if not (folder / "zh_CN.GBK").exists():
        pytest.skip("this machine has no sources of locales")
    return {"LOCPATH": str(folder), "LC_ALL": "zh_CN.GBK"}


def test_a_terminal_of_gbk(furnished: Program, compiled: dict[str, str]) -> None:
    env = {**furnished.env, **compiled, "PYTHONPATH": str(ROOT)}
    name = "北京.yaml".encode("gbk")
    (furnished.folder / os.fsdecode(name)).write_text(furnished.jobspec.read_text(encoding="utf-8"), encoding="utf-8")
    command = [*map(os.fsencode, furnished.command("validate")), name, b"--region", b"r"]
    done = subprocess.run(command, cwd=furnished.folder, env=env, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(name)
