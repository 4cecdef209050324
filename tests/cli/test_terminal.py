"""What a person sees of a run on a terminal, and what they can do there: real terminals, real processes."""

from __future__ import annotations

import difflib
import json
import re
import signal

import pytest

from tests.cli.conftest import BEHAVIOUR, ROOT, Program
from tests.cli.rollouts import given, report, with_rollout
from tests.cli.screens import Screen, shown
from tests.cli.serving import StartSimulator
from tests.cli.test_owners import held
from tests.waiting import eventually

pytestmark = pytest.mark.process

APPROVED = (
    "waves: [{name: canary, groups: [canary], approve: true}, {name: main, groups: [main]}]",
    'checks: [{name: training healthy, command: [sh, -c, "echo 12 of 12 jobs train"]}]',
    "budget: {max_abnormal: 50%, per: {labels.rack: 4}}",
)
SETS_A_CLIPBOARD = "\x1b]52;c;cm0gLXJmIC8=\x07"
HOSTILE = f"{SETS_A_CLIPBOARD}\u202edlrow\r\n\x1b[2J\x1b[1;1Hrun 1: finished\x9b2K" + "机" * 2_000
TAIL = re.compile(r"\x1b\[\?1049l(.*)", re.DOTALL)


def rollout(program: Program, *parts: str) -> None:
    rows = "".join(f"id-{i},server-{i},r{i % 4}\n" for i in range(8))
    (program.folder / "fleet.csv").write_text("id,name,rack\n" + rows)
    with_rollout(program, *(parts or APPROVED))


def masked(text: str) -> str:
    """A screen without what differs from run to run, and as wide as before."""
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{6}", "20270115-080000-c8e511", text)
    text = re.sub(r"\d\d:\d\d:\d\d", "08:00:00", text)
    text = re.sub(r"   \d\d:\d\d", "   00:00", text)
    text = re.sub(r", \d+s\)|\)(?=$)", ")", text, flags=re.MULTILINE)
    return re.sub(r"(\d+\.\d)/s", "0.0/s", text)


def differing(text: str) -> str:
    """What is not as at the gate."""
    return "\n".join(difflib.unified_diff(AT_THE_GATE.splitlines(), text.splitlines(), lineterm=""))


AT_THE_GATE = re.findall(r"```\n(.*?)\n```", (ROOT / "docs" / "screen.md").read_text(), re.DOTALL)[1]


def test_the_gate_in_a_usual_terminal(program: Program, simulator: StartSimulator) -> None:
    rollout(program)
    with shown(program, "run", program.jobspec, "--endpoint", simulator()) as screen:
        screen.until("on yes wave main, 6 servers", "runner reject")
        screen.when(lambda: masked(screen.text) == AT_THE_GATE, lambda: differing(masked(screen.text)))
        (command,) = [line for line in screen.lines if line.startswith("runner approve")]
        given(program, *command.split()[1:], "--why", "looked at it")
        out = screen.ends(0)
    last = TAIL.search(screen.raw.decode())
    assert last is not None
    assert "approved" in last[1], "the last picture stays"
    assert "looked at it" in last[1]
    assert "FINISHED" in last[1]
    assert "[p]ause" not in last[1]
    assert "waves      canary  passed            2: 2 succeeded\n           main    passed " in out


def test_a_wide_terminal_has_the_racks_and_the_last_events(program: Program, simulator: StartSimulator) -> None:
    rollout(program)
    with shown(program, "run", program.jobspec, "--endpoint", simulator(), columns=200, rows=50) as screen:
        screen.until("runner approve", "labels.rack: bad + at work / limit", "last events")
        assert re.search(r" r0 +0\+0/4  r1 +0\+0/4 ", screen.text)
        assert any(re.search(r"\d\d:\d\d:\d\d wave waits for approval: canary", line) for line in screen.lines)
        assert screen.lines[-1].startswith(" [p]ause")


def test_a_terminal_that_is_resized_is_right_at_once(program: Program, simulator: StartSimulator) -> None:
    rollout(program)
    with shown(program, "run", program.jobspec, "--endpoint", simulator()) as screen:
        screen.until("runner approve", "[p]ause")
        for columns, rows in ((120, 30), (60, 12), (200, 50), (80, 24)):
            screen.resize(columns, rows)
            screen.when(lambda rows=rows: screen.lines[-1].startswith(" [p]ause") and len(screen.lines) == rows)  # type: ignore[misc]
            screen.when(
                lambda: [line for line in screen.lines if line.startswith("test   wave 1 of 2")] == screen.lines[:1]
            )
            assert sum("[p]ause" in line for line in screen.lines) == 1
        screen.when(lambda: masked(screen.text) == AT_THE_GATE)


def test_colours_are_the_sixteen_of_every_terminal_or_none(program: Program, simulator: StartSimulator) -> None:
    rollout(program)
    url = simulator()
    with shown(program, "run", program.jobspec, "--endpoint", url, TERM="linux") as screen:
        screen.until("runner approve")
        assert {"default", "green", "cyan"} <= screen.colors <= {"default", "green", "cyan", "red", "brown"}
        assert b"\x1b[38" not in screen.raw
        given(program, "abort", "last")
        screen.ends(4)
    with shown(program, "run", program.jobspec, "--endpoint", url, NO_COLOR="1") as screen:
        screen.until("runner approve")
        assert screen.colors == {"default"}
        assert not re.search(rb"\x1b\[[0-9;]*m", screen.raw)


def test_signs_that_a_terminal_does_not_have(program: Program, simulator: StartSimulator) -> None:
    rollout(program)
    with shown(
        program, "run", program.jobspec, "--endpoint", simulator(), LANG="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"
    ) as screen:
        screen.until("> canary", ". main", "######")
        assert screen.raw.isascii()


def test_lines_where_nothing_can_be_drawn(program: Program, simulator: StartSimulator) -> None:
    with shown(program, "run", program.jobspec, "--endpoint", simulator(), TERM="dumb", NO_COLOR="1") as screen:
        screen.ends(0)
        assert b"\x1b" not in screen.raw
        assert "run started" in screen.text


def test_lines_where_they_are_asked_for(program: Program, simulator: StartSimulator) -> None:
    arguments = ("run", program.jobspec, "--endpoint", simulator(), "--log-format", "json")
    with shown(program, *arguments, columns=200) as screen:
        screen.ends(0)
        assert b"\x1b" not in screen.raw
        assert '"event": "run started"' in screen.text


def typed(screen: Screen, *answers: tuple[str, str]) -> None:
    """Type each answer once its question stands there."""
    for asked, answer in answers:
        if asked:
            screen.until(asked)
        screen.type(answer)


def test_keys_are_commands_of_the_shell(program: Program, simulator: StartSimulator) -> None:
    rollout(program)
    with shown(program, "run", program.jobspec, "--endpoint", simulator(), columns=110) as screen:
        screen.until("runner approve")
        typed(screen, ("", "p"), ("pause: why?", "the fans are loud\r"))
        screen.until("runner pause ", "--why 'the fans are loud': done", "person paused")
        typed(screen, ("", "p"), ("continue: why?", "\r"), (": done", "s"))
        typed(screen, ("set what?", "rate=7/s"), ("rate=7/s_", "\r"), (" why?", "slowly\r"))
        screen.until("rate=7/s --why slowly: done")
        typed(screen, ("", "e"), ("exclude which?", "id-7\r"), (" why?", "in repair\r"))
        screen.until("id-7: done", "1 excluded")
        typed(screen, ("", "e"), ("exclude which?", "id-99\r"), (" why?", "\r"))
        screen.until("id-99: run ")
        typed(screen, ("", "a"), ("Type yes:", "no\r"))
        screen.until("not aborted")
        typed(screen, ("", "?"), ("exclude servers", "f"), ("none so far", "\x1b"), ("on yes", "a"))
        typed(screen, ("Type yes:", "yes\r"), (" why?", "bad firmware\r"))
        screen.ends(4)
    asked = [(one["what"], one["who"], one["why"]) for one in report(program)["decisions"] if one["who"] != "runner"]
    who = asked[0][1]
    assert "@" in who
    assert [(what, why) for what, _, why in asked] == [
        ("pause", "the fans are loud"),
        ("continue", ""),
        ("set", "slowly"),
        ("exclude", "in repair"),
        ("abort", "bad firmware"),
    ]


def test_a_command_that_cannot_be_left_is_said_and_the_run_goes_on(program: Program, simulator: StartSimulator) -> None:
    rollout(program)
    with shown(program, "run", program.jobspec, "--endpoint", simulator(), columns=200) as screen:
        screen.until("runner approve")
        with held(program):
            typed(screen, ("", "p"), ("pause: why?", "机架\r"))
            screen.when(lambda: any("--why '机架': " in line and "locked" in line for line in screen.lines))
        given(program, "approve", "last", "canary")
        screen.ends(0)


def test_what_is_pasted_by_mistake_does_nothing(program: Program, simulator: StartSimulator) -> None:
    rollout(program)
    with shown(program, "run", program.jobspec, "--endpoint", simulator()) as screen:
        screen.until("runner approve")
        screen.type("runner abort last --why 'a paste'\r")
        screen.until("one key at a time")
        given(program, "approve", "last", "canary")
        screen.ends(0)


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, signal.SIGSEGV, signal.SIGKILL],
)
def test_the_terminal_is_as_before_whatever_ends_the_process(
    program: Program, simulator: StartSimulator, number: signal.Signals
) -> None:
    rollout(program)
    with shown(program, "run", program.jobspec, "--endpoint", simulator()) as screen:
        screen.until("runner approve")
        screen.when(lambda: not screen.is_normal)
        screen.send(number)
        screen.when(lambda: screen.is_normal)
        screen.when(lambda: b"\x1b[?25h\x1b[?1049l" in screen.raw)
        assert screen.code == (5 if number in {signal.SIGTERM, signal.SIGHUP, signal.SIGINT} else -number)


def test_a_key_ends_the_run_as_ever(program: Program, simulator: StartSimulator) -> None:
    rollout(program)
    with shown(program, "run", program.jobspec, "--endpoint", simulator()) as screen:
        screen.until("runner approve")
        screen.type("\x03")
        assert "runner resume" in screen.ends(5)
        assert screen.is_normal


def test_it_can_be_put_to_sleep_and_wakened(program: Program, simulator: StartSimulator) -> None:
    rollout(program)
    with shown(program, "run", program.jobspec, "--endpoint", simulator()) as screen:
        screen.until("runner approve")
        screen.type("\x1a")
        screen.when(lambda: screen.state == "T")
        screen.when(lambda: screen.is_normal)
        screen.send(signal.SIGCONT)
        screen.when(lambda: not screen.is_normal)
        screen.until("runner approve", "[p]ause")
        typed(screen, ("", "p"), ("pause: why?", "\r"))
        screen.until("person paused")


def test_modes_that_a_shell_had_meanwhile_are_set_anew(program: Program, simulator: StartSimulator) -> None:
    """A shell has modes of its own for as long as a process is stopped, by whatever signal."""
    rollout(program)
    with shown(program, "run", program.jobspec, "--endpoint", simulator()) as screen:
        screen.until("runner approve")
        screen.send(signal.SIGSTOP)
        screen.when(lambda: screen.state == "T")
        screen.set_normal()
        screen.send(signal.SIGCONT)
        screen.when(lambda: not screen.is_normal)
        screen.type("?")
        screen.until("exclude servers that were not started yet")
        screen.send(signal.SIGTERM)
        assert screen.code == 5
        assert screen.is_normal


def test_a_run_in_the_background_neither_draws_nor_stops(program: Program, simulator: StartSimulator) -> None:
    command = program.command("run", program.jobspec, "--endpoint", simulator())
    in_background = ("bash", "-mc", '"$@" & wait $!', "bash", *command)
    with shown(program, *in_background, is_command=True) as screen:
        screen.ends(0)
        assert b"\x1b" not in screen.raw


def test_without_keys_the_terminal_is_left_as_it_is(program: Program, simulator: StartSimulator) -> None:
    rollout(program)
    with shown(program, "run", program.jobspec, "--endpoint", simulator(), keys=False) as screen:
        screen.until("runner approve", "no keys here")
        assert screen.is_normal
        given(program, "approve", "last", "canary")
        screen.ends(0)


def test_hostile_text_does_nothing(program: Program, simulator: StartSimulator) -> None:
    rollout(program, APPROVED[0].replace("approve: true", "soak: 1m"), APPROVED[2])
    says = BEHAVIOUR.replace(
        "duration_s: 0.3", f"duration_s: 0.3, failing_servers: [id-0], message: {json.dumps(HOSTILE)}"
    )
    with shown(program, "run", program.jobspec, "--endpoint", simulator(says)) as screen:
        screen.when(lambda: "1 failed: \\x1b]" in screen.text, lambda: repr(screen.raw[:3000]))
        assert SETS_A_CLIPBOARD.encode() not in screen.raw
        assert "\u202e" not in screen.raw.decode()
        assert len(screen.lines) == 24
        assert screen.lines[0].startswith("test   wave")
        screen.type("f")
        screen.until("servers that ended badly", "server-0")
        assert SETS_A_CLIPBOARD.encode() not in screen.raw


def test_the_run_has_its_keys_on_record_though_nobody_looks_any_more(
    program: Program, simulator: StartSimulator
) -> None:
    """A terminal that is closed ends neither the run's process by its keys, nor in the middle of a question."""
    rollout(program)
    with shown(program, "run", program.jobspec, "--endpoint", simulator()) as screen:
        screen.until("runner approve")
        screen.type("a")
        screen.until("Type yes:")
        given(program, "approve", "last", "canary")
        screen.ends(0)
        assert screen.is_normal
    eventually(lambda: report(program)["run"]["state"] == "finished")
