"""Keys make the commands that a shell has, and nothing is done by mistake."""

from __future__ import annotations

import shlex

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli.main import cli
from runner.run.commands import Command
from runner.run.facts import Facts, initial_facts
from runner.screen.cells import text_of
from runner.screen.charset import Charset
from runner.screen.dialogue import Detached, Dialogue, Given
from runner.screen.picture import Subject
from tests.conftest import small_plan

FACTS = initial_facts(small_plan())


def dialogue(*, may_detach: bool = True) -> Dialogue:
    return Dialogue(Charset(), may_type=True, may_detach=may_detach)


def typed(of: Dialogue, *texts: str, facts: Facts = FACTS) -> list[Given | Detached]:
    return [found for text in texts if (found := of.take(text, facts)) is not None]


@pytest.mark.parametrize(
    ("keys", "command", "line"),
    [
        (("p", "\r"), Command("pause"), "runner pause RUN"),
        (("p", "the fans are loud\r"), Command("pause"), "runner pause RUN --why 'the fans are loud'"),
        (
            ("s", "rate=5/s max_abnormal=10", "\r", "half at rest\r"),
            Command("set", settings={"rate": "5/s", "max_abnormal": "10"}),
            "runner set RUN rate=5/s max_abnormal=10 --why 'half at rest'",
        ),
        (
            ("e", 'labels.rack == "r07"\r', "\r"),
            Command("exclude", 'labels.rack == "r07"'),
            """runner exclude RUN 'labels.rack == "r07"'""",
        ),
        (("a", "yes\r", "bad firmware\r"), Command("abort"), "runner abort RUN --why 'bad firmware'"),
        (("p", "x\x7fwhy\x15because", "\r"), Command("pause"), "runner pause RUN --why because"),
        (("p", "\x1b[A", "up\r"), Command("pause"), "runner pause RUN --why up"),
    ],
)
def test_a_command_and_the_line_that_a_shell_would_have(keys: tuple[str, ...], command: Command, line: str) -> None:
    (given_,) = typed(dialogue(), *keys)
    assert isinstance(given_, Given)
    assert given_.command == command
    assert given_.typed("RUN") == line


def test_a_run_that_is_paused_goes_on_by_the_same_key() -> None:
    facts = initial_facts(small_plan())
    facts.controls.paused = True
    (given_,) = typed(dialogue(), "p", "\r", facts=facts)
    assert isinstance(given_, Given)
    assert given_.command == Command("continue")


@pytest.mark.parametrize(
    "keys",
    [
        ("a", "y\r"),
        ("a", "YES\r"),
        ("a", "\r"),
        ("a", "\x1b", "yes\r"),
        ("s", "rate\r"),
        ("s", "rate=\r"),
        ("s", "\r"),
        ("e", "\r"),
        ("e", "  \r"),
        ("p", "\x1b", "\r"),
        ("pause\r",),  # pasted, or typed ahead
        ("a", "yes\rwhy\r"),  # pasted over the second question
        ("\x1b[15~",),
        ("P",),
        ("x",),
    ],
)
def test_what_is_not_meant_does_nothing(keys: tuple[str, ...]) -> None:
    assert typed(dialogue(), *keys) == []


@given(st.text(alphabet="psefdx\r\x1b?q =[]", max_size=40))
def test_nothing_aborts_but_a_typed_yes(keys: str) -> None:
    found = typed(dialogue(), *keys)
    assert all(isinstance(one, Detached) or one.command.action != "abort" for one in found)


def test_whoever_watches_may_leave_and_the_process_of_the_run_is_not_left() -> None:
    assert typed(dialogue(), "d") == [Detached()]
    own = dialogue(may_detach=False)
    assert typed(own, "d") == []
    assert "this process is the run" in text_of(own.foot(200).lines[0])
    assert "[d]etach" not in text_of(own.foot(200).lines[1])


def test_pages_come_and_go() -> None:
    shown = dialogue()
    for key, page in (
        ("f", Subject.FAILED),
        ("?", Subject.HELP),
        ("?", Subject.RUN),
        ("f", Subject.FAILED),
        ("\x1b", Subject.RUN),
    ):
        shown.take(key, FACTS)
        assert shown.foot(80).subject is page


def test_the_end_of_a_long_answer_is_seen() -> None:
    shown = dialogue()
    typed(shown, "p", "x" * 200 + "end")
    assert text_of(shown.foot(80).lines[0]).endswith("xend_")


@given(st.text(max_size=60), st.text(max_size=30))
def test_the_shell_would_do_the_same(which: str, why: str) -> None:
    """The line that is shown, read by a shell and by the command line, is the command that was given."""
    given_ = Given(Command("exclude", which), why)
    words = shlex.split(given_.typed("RUN"))
    assert words[:2] == ["runner", "exclude"]
    with click.Context(cli) as context:
        command = cli.get_command(context, "exclude")
        assert command is not None
        made = command.make_context("exclude", words[2:], parent=context, resilient_parsing=True)
        assert made.params["servers"] == (which or None)
        assert made.params["why"] == why
