"""The service's job templates: shown, saved, and what `validate` finds by them, each with its place."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.cli.conftest import JOBSPEC, Program
from tests.cli.serving import StartSimulator

FREE = "throttle: {creates: null, reads: null}\n"
LOGS = "{type: LOG_COLLECT, params: {days: {regex: '[0-9]+', value: '7'}, bucket: {regex: 'obs://.+'}, inner: {visible: 'false'}}}"
SERVICE = FREE + f"templates: {{given: [{LOGS}]}}\n"
Lane = tuple[str, ...]


@pytest.fixture
def lane(simulator: StartSimulator) -> Lane:
    """The options that name a service with another template for logs."""
    return ("--endpoint", simulator(SERVICE), "--project-id", "p")


def test_all_are_listed_and_one_has_its_parameters(program: Program, lane: Lane) -> None:
    listed = program("templates", *lane)
    assert listed.returncode == 0, listed.stderr
    assert "days, bucket, inner" in listed.stdout
    one = program("templates", "HDK_UPGRADE", *lane)
    assert "ASCEND_SOFTWARE_UPGRADE (ascend-software-upgrade) for ASCEND_GENERIC" in one.stdout
    assert r"version    must be given  ^\d+\.\d+\.\w+.*$  HDK version" in one.stdout
    document = json.loads(program("templates", "LOG_COLLECT", *lane, "--format", "json").stdout)
    assert [param["name"] for param in document[0]["templates"][0]["params"]] == ["days", "bucket", "inner"]
    wrong = program("templates", "LOGCOLLECT", *lane)
    assert wrong.returncode == 2
    assert "did you mean `LOG_COLLECT`" in wrong.stderr


@pytest.mark.parametrize(("paging", "code"), [("none", 0), ("honoured", 0), ("ignored", 7)])
def test_the_list_is_whole_or_refused(program: Program, simulator: StartSimulator, paging: str, code: int) -> None:
    many = ", ".join(f"{{type: T{number}}}" for number in range(30))
    where = ("--endpoint", simulator(FREE + f"templates: {{given: [{many}], paging: {paging}}}\n"), "--project-id", "p")
    found = program("templates", *where, "--format", "json")
    assert found.returncode == code, found.stderr
    if code:
        assert "paging is ignored" in found.stderr
    else:
        assert len(json.loads(found.stdout)[0]["templates"]) == 35


MISTAKES = {
    "type: LOG_COLLECTED": ("job.yaml:11:11", "no template of the type LOG_COLLECTED", "did you mean `LOG_COLLECT`"),
    "spec: {bucket: 'obs://b', day: 7}": ("job.yaml:16:40", "has no parameter `day`", "did you mean `days`"),
    "spec: {bucket: 'obs://b', days: many}": (
        "job.yaml:16:41",
        "'many' does not match the template's pattern [0-9]+",
        "",
    ),
    "spec: {bucket: 'xobs://b'}": ("job.yaml:16:24", "does not match the template's pattern obs://.+", ""),
    "spec: {days: 3}": ("job.yaml:15:9", "asks for `bucket`, and no item gives it", ""),
}


@pytest.fixture
def logs(program: Program) -> Callable[[str], None]:
    """Writes a jobspec of logs with such a line in place of its own."""

    def write(line: str) -> None:
        text = JOBSPEC.replace("type: HDK_UPGRADE\n    job_name", "type: LOG_COLLECT\n    job_name")
        text = text.replace("type: HDK_UPGRADE", "type: DEVICE_LOG_COLLECT").replace(
            'spec: {version: "1.0"}', "spec: {bucket: 'obs://b'}"
        )
        old = "type: LOG_COLLECT" if line.startswith("type") else "spec: {bucket: 'obs://b'}"
        (program.folder / "job.yaml").write_text(text.replace(old, line, 1))

    return write


@pytest.mark.parametrize("line", MISTAKES)
@pytest.mark.parametrize("by", ["online", "saved", "file"])
def test_each_mistake_is_found_with_its_place(
    program: Program, lane: Lane, logs: Callable[[str], None], line: str, by: str
) -> None:
    logs(line)
    if by == "saved":
        assert program("templates", *lane, "--save").returncode == 0
    if by == "file":
        assert program("templates", *lane, "-o", "templates.json").returncode == 0
    extra = {"online": ("--online",), "saved": (), "file": ("--templates", "templates.json")}[by]
    found = program("validate", "job.yaml", *lane, *extra)
    assert found.returncode == 2, found.stdout
    for said in MISTAKES[line]:
        assert said in found.stderr


def test_what_fits_is_valid_and_says_by_what(program: Program, lane: Lane, logs: Callable[[str], None]) -> None:
    logs("spec: {bucket: 'obs://b', days: 12, inner: x}")
    without = program("validate", "job.yaml", *lane)
    assert without.returncode == 0
    assert "no templates of the service are saved" in without.stdout
    assert program("templates", *lane, "--save").returncode == 0
    by_saved = program("validate", "job.yaml", *lane)
    assert by_saved.returncode == 0, by_saved.stderr
    assert "5 templates of" in by_saved.stdout
    assert "no templates of the service are saved" not in by_saved.stdout
    program.jobspec.write_text(JOBSPEC.replace('"1.0"', "24.1.rc3"))
    assert program("validate", "job.yaml", *lane, "--online").returncode == 0


def test_without_a_network_validate_goes_by_what_is_saved(
    program: Program, simulator: StartSimulator, lane: Lane, logs: Callable[[str], None]
) -> None:
    logs("spec: {days: 3}")
    assert program("templates", "-j", "job.yaml", *lane, "--save").returncode == 0
    before = dict(simulator.calls)
    assert program("validate", "job.yaml", *lane).returncode == 2
    assert dict(simulator.calls) == before


def test_servers_of_another_flavor_are_told(program: Program, simulator: StartSimulator) -> None:
    given = "[{type: COMMON, flavor: ASCEND_SNT9B}, {type: OTHER, flavor: ASCEND_SNT9C}]"
    where = ("--endpoint", simulator(FREE + f"templates: {{given: {given}}}\n"), "--project-id", "p")
    (program.folder / "fleet.csv").write_text("id,flavor\na,modelarts.snt9c.4\nb,modelarts.snt9b.4\nc,other\n")
    text = JOBSPEC.replace("HDK_UPGRADE", "COMMON").replace('        spec: {version: "1.0"}\n', "")
    program.jobspec.write_text(text)
    found = program("validate", "job.yaml", *where, "--online")
    assert found.returncode == 2
    assert "is for ASCEND_SNT9B, and group `all` has servers of modelarts.snt9c.4" in found.stderr
    assert "split_by: labels.flavor" in found.stderr
    assert "snt9b.4" not in found.stderr


def test_a_secret_in_spec_is_neither_matched_nor_shown(program: Program, simulator: StartSimulator) -> None:
    given = "[{type: COMMON, params: {key: {regex: '[a-z]+', value: ''}, password: {value: hush}}}]"
    where = ("--endpoint", simulator(FREE + f"templates: {{given: {given}}}\n"), "--project-id", "p")
    text = JOBSPEC.replace("HDK_UPGRADE", "COMMON").replace('{version: "1.0"}', '{key: "{{ secret.KEY }}"}')
    program.jobspec.write_text(text)
    found = program("validate", "job.yaml", *where, "--online", env={"KEY": "Zz9-hidden"})
    assert found.returncode == 0, found.stderr
    shown = program("templates", "COMMON", *where, "--save")
    kept = b"".join(path.read_bytes() for path in program.state.rglob("*.json"))
    said = found.stdout + found.stderr + shown.stdout + shown.stderr
    assert "***" in shown.stdout
    assert "hush" not in said
    assert "Zz9-hidden" not in said
    assert b"hush" not in kept


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"schema_version": "runner/plan/v1"}', '{"schema_version": "runner/templates/v1"}']
)
def test_what_is_no_file_of_templates_is_refused(program: Program, content: str) -> None:
    (program.folder / "templates.json").write_text(content)
    found = program("validate", "job.yaml", "--endpoint", "http://127.0.0.1:9", "--templates", "templates.json")
    assert found.returncode == 2
    assert "templates.json: no file of templates" in found.stderr


def test_a_pattern_of_another_language_finds_nothing(program: Program, simulator: StartSimulator) -> None:
    given = r"[{type: COMMON, params: {key: {regex: '\p{Alpha}+(?<=x)**'}}}]"
    where = ("--endpoint", simulator(FREE + f"templates: {{given: {given}}}\n"), "--project-id", "p")
    program.jobspec.write_text(JOBSPEC.replace("HDK_UPGRADE", "COMMON").replace("{version", "{key"))
    assert program("validate", "job.yaml", *where, "--online").returncode == 0
