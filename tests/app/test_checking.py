"""What a check is given and what is recorded of what it says: no secrets, no control characters."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.app.checking import LocalChecker
from runner.app.local_programs import LocalPrograms
from runner.plan.rollout.model import PlannedCheck
from runner.spec.secrets import redactor

SECRET = "s3cr3t-value"
ENV = {
    "PATH": "/usr/bin:/bin",
    "PWD": "/a/folder/of/mine",
    "HOME": "/home/me",
    "HUAWEICLOUD_SDK_AK": "AKAKAKAKAK",
    "HUAWEICLOUD_SDK_SK": "sksksksksk",
    "HUAWEICLOUD_SDK_PROJECT_ID": "p",
    "HW_AUTH_TOKEN": "tokentoken",
    "HW_DOMAIN_NAME": "domain",
    "DB_PASSWORD": "hunter2hunter2",
    "GRAFANA_TOKEN": "glsa_grafana",
    "API_KEY": "short",
    "LICENCE": f"of {SECRET}",
    "KEYBOARD": "qwertz",
    "TERM": "xterm",
}


def check_of(script: str, *env: str, timeout_s: float = 30.0) -> PlannedCheck:
    return PlannedCheck("health", ("sh", "-c", script), None, None, timeout_s, 1, env)


def made(check: PlannedCheck, env: Mapping[str, str] = ENV) -> tuple[bool, str]:
    return asyncio.run(LocalChecker(redactor([SECRET]), env=env).check(check))


def names_given(*env: str) -> set[str]:
    passed, said = made(check_of("env | cut -d= -f1", *env))
    assert passed
    return set(said.split()) & ENV.keys()


def test_a_command_has_no_credentials_of_the_runner_and_no_secrets() -> None:
    assert names_given() == {"PATH", "PWD", "HOME", "KEYBOARD", "TERM"}


def test_a_command_has_what_it_asks_for() -> None:
    asked = ("GRAFANA_TOKEN", "LICENCE", "HUAWEICLOUD_SDK_PROJECT_ID", "NO_SUCH")
    assert names_given(*asked) == {"PATH", "PWD", "HOME", "KEYBOARD", "TERM", *asked} - {"NO_SUCH"}


def test_what_it_was_given_is_not_recorded() -> None:
    script = "echo $GRAFANA_TOKEN, $LICENCE, $DB_PASSWORD."
    assert made(check_of(script, "GRAFANA_TOKEN", "LICENCE")) == (True, "***, of ***, .")
    assert made(check_of("echo /a/folder/of/mine")) == (
        True,
        "/a/folder/of/mine",
    )  # it is called PWD, and is no password


def test_a_proxy_s_user_and_password_are_not_recorded() -> None:
    env = {
        **ENV,
        "HTTPS_PROXY": "http://someone:p@ss/w0rd@proxy.test:3128",
        "http_proxy": "someone:p@ss/w0rd@proxy.test",
    }
    said = "http://***@proxy.test:3128, ***@proxy.test, ***"
    assert made(check_of("echo $HTTPS_PROXY, $http_proxy, p@ss/w0rd"), env) == (True, said)


@pytest.mark.parametrize(
    ("script", "recorded"),
    [
        ("exit 0", (True, "")),
        ("echo well", (True, "well")),
        ("exit 7", (False, "exit 7")),
        ("echo 3 are ill >&2; exit 7", (False, "exit 7: 3 are ill")),
        ("kill -9 $$", (False, "exit -9")),
    ],
)
def test_what_is_recorded_of_a_command(script: str, recorded: tuple[bool, str]) -> None:
    assert made(check_of(script)) == recorded


def test_on_a_time_out_what_it_said_is_recorded() -> None:
    assert made(check_of("echo half done; exec sleep 600", timeout_s=0.5)) == (
        False,
        "not over within 0.5 s: half done",
    )
    assert made(check_of("exec sleep 600", timeout_s=0.5)) == (False, "not over within 0.5 s")


def test_a_program_that_is_gone_is_said() -> None:
    gone = PlannedCheck("health", ("./gone.sh",), None, None, 30.0, 1, folder="/no/such/folder")
    assert made(gone) == (False, "there is no `./gone.sh` in /no/such/folder")
    nowhere = PlannedCheck("health", ("no-such-program",), None, None, 30.0, 1)
    assert made(nowhere) == (False, "there is no program `no-such-program` on PATH")


def test_a_program_is_run_where_it_was_found_in_the_runners_folder(tmp_path: Path) -> None:
    script = tmp_path / "my checks" / "where.sh"
    script.parent.mkdir()
    script.write_text('#!/bin/sh\necho "$0 $1"; pwd -P\n')
    script.chmod(0o700)
    check = PlannedCheck("health", ("my checks/where.sh", "$x y"), None, None, 30.0, 1, folder=str(tmp_path))
    assert made(check) == (True, f"{script} $x y\n{Path.cwd().resolve()}")


# Clear the screen, set a title, write to the clipboard, go back in the line, overwrite.
ATTACKS = r"\033[2J\033]0;title\007\033]52;c;eA==\033\\\rover\bx\0\177\302\233"


def test_nothing_of_what_a_check_says_acts_on_a_terminal() -> None:
    passed, said = made(check_of(rf"printf '\033[31mred\033[0m\tand\r\n{ATTACKS}the end'; exit 1"))
    assert not passed
    assert said == "exit 1: red     and\n[2J]0;title]52;c;eA==\\overxthe end"


def test_a_secret_that_is_hidden_in_control_characters_is_not_recorded() -> None:
    script = r"printf 's3cr3t\033[1m-value s3cr3t\0-value \003s\0033\003cr3t-value'"
    passed, said = made(check_of(script))
    assert passed
    assert said == "*** *** ***"


def test_a_secret_that_has_control_characters_is_not_recorded() -> None:
    secret = "tab\there"
    checker = LocalChecker(redactor([secret]), env={})
    check = check_of(r"printf 'it is tab\there, or not'")
    assert asyncio.run(checker.check(check)) == (True, "it is ***, or not")


@given(st.text(max_size=50))
def test_what_is_recorded_is_printable(text: str) -> None:
    said = LocalPrograms(redactor([]), {}).public(text)  # what every check's words go through
    assert all(character.isprintable() or character == "\n" for character in said)
    assert said == text or not text.isprintable()


def test_a_web_page_is_cleaned_as_well() -> None:
    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 500 no\r\nConnection: close\r\n\r\nill \x1b[2J\x07" + SECRET.encode())
        await writer.drain()
        writer.close()

    async def ask() -> tuple[bool, str]:
        async with await asyncio.start_server(answers, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            check = PlannedCheck("health", None, f"http://127.0.0.1:{port}/", None, 30.0, 1)
            return await LocalChecker(redactor([SECRET]), env=ENV).check(check)

    assert asyncio.run(ask()) == (False, "HTTP 500 ill [2J***")
