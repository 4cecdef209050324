"""`on_event` as users have it: mistakes before anything is sent, recipes that work, and secrets nowhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from runner.spec.loading import load_campaign
from runner.spec.signals import Moment, SignalFile
from tests.app.receiver import Receiver, receiving
from tests.cli.conftest import BEHAVIOUR, JOBSPEC, SIMULATED, Program
from tests.cli.rollouts import given, report
from tests.cli.serving import StartSimulator
from tests.cli.test_check_programs import script

ROOT = Path(__file__).parents[2]
REGION = ("--region", "r-1")
FAILING = BEHAVIOUR.replace("duration_s: 0.3", "duration_s: 0.3, failing_servers: [id-0]")
WEBHOOKS = ("SLACK_WEBHOOK", "FEISHU_WEBHOOK", "DINGTALK_WEBHOOK")


def with_hooks(program: Program, *hooks: str) -> None:
    program.jobspec.write_text(program.jobspec.read_text() + "on_event:\n" + "".join(f"  - {hook}\n" for hook in hooks))


def planned(program: Program, *more: str) -> dict[str, Any]:
    given(program, "plan", "job.yaml", *REGION, "-o", "plan.json", *more)
    document: dict[str, Any] = json.loads((program.folder / "plan.json").read_text())
    return document


def untold(program: Program) -> list[tuple[int, str, str]]:
    return [(one["hook"], one["event"], one["reason"]) for one in report(program)["run"]["signals_lost"]]


@pytest.mark.parametrize(
    ("hook", "says"),
    [
        ("{on: [end]}", "20:5: on_event[0]: expected exactly one of `command` and `post`"),
        ("{on: [end], command: [x], post: http://h/}", "on_event[0]: expected exactly one of `command` and `post`"),
        ("{on: [], post: http://h/}", "20:10: on_event[0].on: "),
        ("{on: [ended], post: http://h/}", "20:11: on_event[0].on[0]: "),
        ("{post: http://h/}", "on_event[0]"),
        ("{on: [end], post: http://h/, bodi: {}}", "did you mean `body`"),
        ("{on: [end], post: http://h/, env: [X]}", "`env` is for a command"),
        ("{on: [end], command: [x], body: {a: b}}", "`body` is for `post`"),
        ("{on: [end], post: http://h/, body: [1]}", "on_event[0].body: "),
        ("{on: [end], post: http://h/, headers: {'A B': x}}", "'A B' is no header to give"),
        ("{on: [end], post: http://h/, headers: {Content-Length: '1'}}", "'Content-Length' is no header to give"),
        ('{on: [end], post: http://h/, headers: {A: "x\\r\\ny"}}', "20:47: on_event[0].headers.A: the header A has a line"),
        ("{on: [end], post: h/x}", "20:23: on_event[0].post: 'h/x' is no URL to post to; expected one such as"),
        ("{on: [end], post: 'http://h:0/'}", "20:23: on_event[0].post: 'http://h:0/' is no URL to post to"),
        ("{on: [end], post: http://h/, timeout: 5}", "on_event[0].timeout: expected a duration such as"),
        ("{on: [end], post: http://h/, attempts: 11}", "on_event[0].attempts: "),
        ("{on: [end], command: [no-such-program]}", "20:27: on_event[0].command[0]: hook: there is no program"),
        ("{on: [end], command: [./told.sh]}", "20:27: on_event[0].command[0]: hook: there is no `./told.sh` in "),
        ('{on: [end], command: [echo, "{{ secret.T }}"]}', "20:33: on_event[0].command[1]: a secret must not stand here"),
        ('{on: [end], post: http://h/, body: {a: "{{ signal.txt }}"}}', "20:44: on_event[0].body.a: template: `signal` has no"),
        ('{on: [end], post: http://h/, body: {a: "{{ signal.txt }}"}}', "did you mean `text`"),
        ('{on: [end], post: http://h/, body: {a: "{{ signal.text | upper }}"}}', "it can only be put in whole"),
        ('{on: [end], post: http://h/, body: {a: "{{ signal }}"}}', "`signal` is no value by itself"),
        ('{on: [end], post: http://h/, body: {a: "{{ signal.counts }}"}}', "is no value by itself"),
        ('{on: [end], post: "http://h/{{ signal.run_id }}"}', "'signal' is undefined"),
        ('{on: [end], post: "http://h/{{ secret.T | upper }}"}', "a secret can only be put in whole"),
        ('{on: [end], post: "http://h/{{ nothing }}"}', "20:23: on_event[0].post: template: 'nothing' is undefined"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_with_its_place_before_anything_is_sent(program: Program, hook: str, says: str) -> None:
    with_hooks(program, hook)
    for how in (("validate",), ("plan",), ("run", "--dry-run"), ("run",)):
        given(program, *how, "job.yaml", *REGION, code=2, says=says)
    assert json.loads(program("list", "--format", "json").stdout) == []


def test_more_hooks_than_anybody_needs_are_refused(program: Program) -> None:
    with_hooks(program, *["{on: [end], post: http://h/}"] * 21)
    given(program, "validate", "job.yaml", *REGION, code=2, says="on_event: ")


@pytest.mark.parametrize(
    ("hook", "env", "says"),
    [
        ('{on: [end], post: "{{ secret.T }}"}', {}, "on_event[0]: hook: the secret T is not in the environment, or empty"),
        ('{on: [end], post: "{{ secret.T }}"}', {"T": "h0st/x"}, "on_event[0]: hook: what `post` is with its secret is no URL"),
        ('{on: [end], post: http://h/, headers: {A: "{{ secret.T }}"}}', {"T": "a\nb"}, "the header A has a line end"),
        ("{on: [end], command: [sh, -c, x], env: [T]}", {}, "on_event[0]: hook: the variable T is not in the environment"),
    ],
)  # fmt: skip
def test_a_new_run_is_refused_where_somebody_could_not_be_told(
    program: Program, hook: str, env: dict[str, str], says: str
) -> None:
    with_hooks(program, hook)
    planned(program)  # on another machine it need not be
    program.env |= env
    said = given(program, "run", "plan.json", *SIMULATED, code=2, says=says)
    assert "h0st" not in said
    assert json.loads(program("list", "--format", "json").stdout) == []


def test_a_program_beside_the_jobspec_is_part_of_what_was_approved(program: Program) -> None:
    with_hooks(program, "{on: [end], command: [./told.sh]}")
    told = script(program.folder / "told.sh", "cat > told.json")
    (hook,) = planned(program)["on_event"]
    assert (hook["folder"], hook["fingerprint"][:7]) == (str(program.folder), "sha256:")
    given(program, "run", "plan.json", *SIMULATED)
    assert json.loads((program.folder / "told.json").read_text())["event"] == "end"
    script(told, "cat > told.json # and more")
    given(program, "run", "plan.json", *SIMULATED, code=6, says=f"hook: {told} was changed after the plan was made")


def test_where_the_program_lies_is_not_in_the_hash_and_who_is_told_is(program: Program) -> None:
    before = planned(program)
    assert "on_event" not in before  # so that plans without hooks keep their hash
    with_hooks(program, "{on: [end], command: [./told.sh]}")
    script(program.folder / "told.sh")
    here = planned(program)
    assert here["plan_hash"] != before["plan_hash"]
    document = {**here, "on_event": [{**here["on_event"][0], "folder": "/elsewhere"}]}
    (program.folder / "plan.json").write_text(json.dumps(document))
    given(program, "validate", "plan.json", code=2, says="hook: there is no `./told.sh` in /elsewhere")
    for changed in ({"on": ["start"]}, {"command": ["./other.sh"]}, {"attempts": 9}):
        document = {**here, "on_event": [{**here["on_event"][0], **changed}]}
        (program.folder / "plan.json").write_text(json.dumps(document))
        given(program, "run", "plan.json", *SIMULATED, code=6, says="the plan was changed after it was made")


def test_plans_and_dry_runs_say_who_is_told_and_show_no_secret(program: Program) -> None:
    program.env["HOOK"] = "http://h/s3cr3t"
    with_hooks(
        program,
        '{on: [hold, end], post: "{{ secret.HOOK }}/x", body: {a: "{{ secret.HOOK }}"}}',
        "{on: [start], command: [sh, -c, echo a], attempts: 1}",
    )
    planned(program)
    for how in (("plan",), ("run", "--dry-run"), ("plan", "--format", "markdown"), ("plan", "--format", "html")):
        said = given(program, *how, "job.yaml", *REGION, says="POST to ")
        assert "within 10 s, up to 3 times" in said
        assert "s3cr3t" not in said
    assert "s3cr3t" not in (program.folder / "plan.json").read_text()
    program.env.pop("HOOK")
    given(program, "validate", "job.yaml", *REGION, says="secrets: HOOK not in this environment")


def recipes() -> list[str]:
    text = (ROOT / "docs" / "signals.md").read_text().partition("## Recipes")[2]
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)


def test_there_are_recipes() -> None:
    assert len(recipes()) == 5


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving('{"errcode": 0, "code": 0}') as receiver:
        yield receiver


@pytest.mark.parametrize("number", range(5))
def test_the_recipes_work(program: Program, receiver: Receiver, number: int) -> None:
    recipe = recipes()[number].replace("https://events.example.com", receiver.url)
    program.jobspec.write_text(program.jobspec.read_text() + recipe)
    bin_folder = program.folder / "bin"
    script(bin_folder / "sendmail", 'cat > "$HOME/mail"')
    program.env |= {name: f"{receiver.url}/{name}" for name in WEBHOOKS}
    program.env |= {"EVENTS_TOKEN": "t0ken-t0ken", "PATH": f"{bin_folder}:{program.env['PATH']}"}
    given(program, "run", "job.yaml", *SIMULATED)
    assert untold(program) == []
    ends = [json.loads(heard.body) for heard in receiver.heard][-1:]
    found = report(program)["run"]
    text = f"run {found['id']} of test, simulated: finished: every server succeeded; 8 servers: 8 succeeded"
    shapes: list[Any] = [
        [{"text": text}],
        [{"msg_type": "text", "content": {"text": text}}],
        [{"msgtype": "text", "text": {"content": f"runner: {text}"}}],
        [],
    ]
    if number < len(shapes):
        assert ends == shapes[number]
    else:
        assert [json.loads(heard.body)["event"] for heard in receiver.heard] == ["start", "end"]
        assert ends[0]["simulated"] is True
        assert receiver.heard[0].headers["Authorization"] == "Bearer t0ken-t0ken"
    mail = program.folder / "mail"
    if mail.exists():
        head, _, body = mail.read_text().partition("\n\n")
        assert head == f"To: fleet-oncall@example.com\nSubject: run {found['id']}: end"
        assert json.loads(body)["text"] == text
    assert mail.exists() is (number == 3)


def test_a_chat_that_says_200_to_what_it_does_not_take_has_not_been_told(program: Program) -> None:
    program.jobspec.write_text(program.jobspec.read_text() + recipes()[2].replace("attempts: 3", ""))
    with receiving('{"errcode": 310000, "errmsg": "keywords not in content"}') as receiver:
        program.env["DINGTALK_WEBHOOK"] = receiver.url
        said = given(program, "run", "job.yaml", *SIMULATED)
        assert len(receiver.heard) == 3
    assert untold(program) == [(0, "end", "its answer has 310000 for errcode")]
    assert "untold     on_event[0]: end: its answer has 310000 for errcode" in said
    assert "on_event[0] could not be told of end: its answer has 310000 for errcode" in said


def test_500_and_then_200_has_been_told(program: Program) -> None:
    with_hooks(program, '{on: [end], post: "{{ secret.T }}"}')
    with receiving(500, 200) as receiver:
        program.env["T"] = receiver.url
        given(program, "run", "job.yaml", *SIMULATED)
        first, second = (json.loads(heard.body) for heard in receiver.heard)
    assert first == second
    assert untold(program) == []


def test_a_run_ends_well_whoever_cannot_be_told(program: Program) -> None:
    """One hangs, one refuses, one is gone since it was planned: exit code and outcome are the run's own."""
    with_hooks(
        program,
        '{on: [start, end], post: "{{ secret.T }}", timeout: 200ms, attempts: 1}',
        "{on: [end], post: 'http://127.0.0.1:9/', attempts: 1}",
        "{on: [start, end], command: [sh, -c, 'exit 3'], attempts: 2}",
    )
    (program.folder / "quick.yaml").write_text(FAILING)
    with receiving("hang") as receiver:
        program.env["T"] = receiver.url
        said = given(program, "run", "job.yaml", *SIMULATED, code=3)
    last = said.splitlines()
    assert any(line.endswith(" finished: 7 of 8 servers succeeded, exit 3") for line in last)
    assert {(hook, event) for hook, event, _ in untold(program)} == {(0, "start"), (0, "end"), (1, "end"), (2, "start"), (2, "end")}  # fmt: skip
    (row,) = json.loads(program("list", "--format", "json").stdout)
    assert (row["state"], row["counts"]["failed"]) == ("finished", 1)
    given(program, "verify", "last")


def test_no_secret_gets_out(program: Program) -> None:
    """Looked for in all that a run leaves and says, where every hook fails in a way of its own and quotes what it was given."""
    token, webhook = "t0k3n-t0k3n-t0k3n", "s3cr3t-path"
    env = {"TOKEN": token, "PAGER_TOKEN": token + "-pager"}
    with_hooks(
        program,
        '{on: [start, end], post: "{{ secret.HOOK }}", body: {t: "{{ secret.TOKEN }}"}, headers: {X: "{{ secret.TOKEN }}"}, attempts: 1}',
        '{on: [start, end], post: "{{ secret.GONE }}", attempts: 1}',
        '{on: [end], command: [sh, -c, "env; cat; echo $PAGER_TOKEN; exit 1"], env: [PAGER_TOKEN], attempts: 1}',
        "{on: [end], command: [sh, -c, 'env; exit 1'], attempts: 1}",
    )
    with receiving(500) as receiver:
        program.env |= env | {"HOOK": f"{receiver.url}/{webhook}", "GONE": f"http://127.0.0.1:9/{webhook}"}
        planned(program)
        said = given(program, "run", "plan.json", *SIMULATED, "-v")
        said += given(program, "show", "last") + given(program, "verify", "last")
        given(program, "export", "last", "run.zip")
    assert len(untold(program)) == 6
    said += json.dumps(report(program))
    written = [path.read_bytes() for path in program.folder.rglob("*") if path.is_file()]
    for secret in (token, webhook):
        assert secret not in said
        assert not any(secret.encode() in content for content in written)


def test_a_resume_goes_on_without_whoever_cannot_be_told(program: Program, simulator: StartSimulator) -> None:
    """A person who goes on with a run at night may not have its webhook: the servers come first."""
    with_hooks(program, '{on: [start, resume, end], post: "{{ secret.T }}", attempts: 1}')
    with receiving() as receiver:
        program.env["T"] = receiver.url
        given(program, "run", "job.yaml", "--endpoint", simulator(), "--no-wait")
        ends = [json.loads(heard.body) for heard in receiver.heard]
    assert [(signal["event"], signal["state"]) for signal in ends] == [("start", "running"), ("end", "submitted")]
    del program.env["T"]
    given(program, "resume", "last")
    why = "the secret T is not in the environment, or empty"
    assert untold(program) == [(0, "resume", why), (0, "end", why)]


def test_a_retry_tells_whom_its_run_told(program: Program) -> None:
    with_hooks(program, "{on: [end], command: [./told.sh]}")
    script(program.folder / "told.sh", "cat >> told.json; echo >> told.json")
    (program.folder / "quick.yaml").write_text(FAILING)
    given(program, "run", "job.yaml", *SIMULATED, code=3)
    script(program.folder / "told.sh", "cat >> told.json; echo >> told.json # as it is now")
    given(program, "retry", "last", *SIMULATED, code=3)
    first, second = map(json.loads, (program.folder / "told.json").read_text().splitlines())
    assert (first["counts"]["servers"], second["counts"]["servers"]) == (8, 1)
    assert first["run_id"] != second["run_id"]


def test_the_document_tells_what_is_so() -> None:
    text = (ROOT / "docs" / "signals.md").read_text()
    (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    SignalFile.model_validate(json.loads(example))
    for moment in get_args(Moment):
        assert f"| `{moment}` |" in text
    for part in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        assert load_campaign(JOBSPEC + part, "signals.md").hooks


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_the_last_line_says_in_one_line_how_it_ended(program: Program, quiet: tuple[str, ...]) -> None:
    (program.folder / "quick.yaml").write_text(FAILING)
    for arguments in (("run", "job.yaml", *SIMULATED), ("retry", "last", *SIMULATED)):
        done = program(*arguments, *quiet)
        found = report(program)
        counts = found["counts"]
        assert done.stdout.splitlines()[-1] == (
            f"run {found['run']['id']} of test finished: {counts['succeeded']} of {counts['servers']} servers succeeded, exit 3"
        )
        assert done.returncode == 3


def test_where_the_report_goes_to_standard_output_nothing_else_does(program: Program) -> None:
    done = program("run", "job.yaml", *SIMULATED, "--report", "-")
    assert json.loads(done.stdout)["run"]["exit_code"] == 0
    assert done.stderr.splitlines()[-1].endswith(" finished: 8 of 8 servers succeeded, exit 0")
