"""Variables of the command line: those that the jobspec knows, as text, or as a value where that is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import JOBSPEC, Program
from tests.cli.test_mistakes import refused

REGION = ("--region", "cn-north-9")
VALUE = 'version: "1.0"'


@pytest.fixture(autouse=True)
def jobspec(program: Program) -> None:
    with_value(program, "{{ version }}")


def with_value(program: Program, template: str, more: str = "") -> None:
    text = JOBSPEC.replace("name: test\n", f"name: test\nvars: {{version: 24.1.rc3.10}}\n{more}")
    program.jobspec.write_text(text.replace(VALUE, f"version: '{template}'"))


def plan(program: Program, *arguments: str) -> dict[str, Any]:
    result = program("plan", program.jobspec, *REGION, "-o", "plan.json", *arguments)
    assert result.returncode == 0, result.stderr
    document: dict[str, Any] = json.loads((program.folder / "plan.json").read_text())
    return document


def sent(program: Program, *arguments: str) -> str:
    value: str = plan(program, *arguments)["requests"][0]["body"]["items"][0]["spec"]["version"]
    return value


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("version=24.10", "24.10"),
        ("version=012", "012"),
        ('version={"a": 1}', '{"a": 1}'),
        ("version=[1, 2]", "[1, 2]"),
        ("version=true", "true"),
        ("version=null", "null"),
        ("version=a=b", "a=b"),
        ("version= a ", " a "),
        ('version:="24.10"', "24.10"),
        ("version:=text", "text"),
        ('version:=""', ""),
    ],
)
def test_what_is_given_is_what_is_sent(program: Program, given: str, value: str) -> None:
    assert sent(program, "-e", given) == value


def test_a_typed_value_is_one(program: Program) -> None:
    with_value(program, '{{ version|join("+") }}')
    assert sent(program, "-e", "version:=[a, b]") == "a+b"
    with_value(program, "{% if version %}yes{% else %}no{% endif %}")
    assert [sent(program, "-e", f"version:={value}") for value in ("false", "true")] == ["no", "yes"]
    assert sent(program, "-e", "version=false") == "yes"
    with_value(program, "{{ version.a }}")
    assert sent(program, "-e", 'version:={"a": "x"}') == "x"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("version:=[1", "not valid YAML"),
        ("version:=", "the file is empty"),
        ("=1", "expected KEY=VALUE"),
        (":=1", "expected KEY=VALUE"),
        ("a-b=1", "expected KEY=VALUE"),
        ("version", "expected KEY=VALUE, such as -e version=24.1.0.3, or KEY:=VALUE"),
    ],
)
def test_what_is_no_variable_is_said(program: Program, given: str, says: str) -> None:
    refused(program, "plan", program.jobspec, *REGION, "-e", given, code=2, says=says)


@pytest.mark.parametrize("command", ["validate", "plan", "run"])
def test_a_name_that_the_jobspec_does_not_know_is_an_error(program: Program, command: str) -> None:
    arguments = (command, program.jobspec, *REGION, "-e", "verson=1")
    said = refused(program, *arguments, code=2, says="-e verson=...: the jobspec has no variable `verson`")
    assert "did you mean `version`?" in said
    assert sent(program, "-e", "verson=1", "--allow-new-vars") == "24.1.rc3.10"


def test_names_that_are_used_or_set_anywhere_are_known(program: Program) -> None:
    program.env["SOME"] = "1"
    (program.folder / "vars.yaml").write_text("in_file: x\ntitle: 'of {{ by_file }}'\n")
    with_value(program, '{{ used }}{{ vars.by_vars }}{{ vars["by_key"] }}{{ perhaps|default("") }}')
    text = program.jobspec.read_text().replace("  - name: all\n", "  - name: all\n    vars: {of_group: x}\n")
    program.jobspec.write_text(text)
    names = ("used", "by_vars", "by_key", "perhaps", "version", "of_group", "in_file", "by_file")
    given = [part for name in names for part in ("-e", f"{name}={name}")]
    assert sent(program, *given, "--vars-file", "vars.yaml") == "usedby_varsby_keyperhaps"


def test_a_name_that_only_the_key_of_a_slot_uses_is_known(program: Program) -> None:
    run = program("run", program.jobspec, "--simulate", "-e", "shift=a", "--once-key", "nightly-{{ shift }}")
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("given", ["version=", "version=  "])
def test_an_empty_variable_is_an_error_where_it_is_used_without_default(program: Program, given: str) -> None:
    says = "-e version=: it is empty, and "
    said = refused(program, "plan", program.jobspec, *REGION, "-e", given, code=2, says=says)
    assert "job.yaml:17 uses it without `default`" in said
    for template in ('{{ version|default("x") }}', '{{ version|default("x", true) }}', '{{ vars.version|d("x") }}'):
        with_value(program, template)
        assert sent(program, "-e", given) == "x"
    with_value(program, '{{ version|default("x") }}{{ version|upper }}')
    refused(program, "plan", program.jobspec, *REGION, "-e", given, code=2, says=says)
    with_value(program, "{% if version is defined %}yes{% else %}no{% endif %}")
    assert sent(program, "-e", given) == "no"


def test_a_groups_own_variable_that_overrides_is_told_of(program: Program) -> None:
    text = program.jobspec.read_text().replace("  - name: all\n", "  - name: all\n    vars: {version: '9'}\n")
    program.jobspec.write_text(text)
    found = plan(program, "-e", "version=8")
    assert found["requests"][0]["body"]["items"][0]["spec"]["version"] == "9"
    (warning,) = found["summary"]["warnings"]
    assert warning.endswith("job.yaml:8: group `all` has a `version` of its own, and does not use that of -e")
    assert plan(program)["summary"]["warnings"] == []
