"""What people write is taken as they meant it, or refused with the reason: driven through the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.cli.conftest import JOBSPEC, ROOT, SIMULATED, Program

REGION = ("--region", "cn-north-9")
NUMBERS = [
    "24.10",
    "012",
    "1_000",
    "1e3",
    "12345678901234567890123",
    "0x1F",
    "+5",
    ".5",
    "12e999",
    "-0",
    "24.1",
    "7",
    ".inf",
]
JSON_NUMBERS = ["24.10", "1e3", "12345678901234567890123", "-0", "24.1", "7", "1e999", "0.50"]


def planned(program: Program, *arguments: str | Path) -> dict[str, Any]:
    result = program("plan", program.jobspec, *REGION, "-o", "plan.json", *arguments)
    assert result.returncode == 0, result.stderr
    plan: dict[str, Any] = json.loads((program.folder / "plan.json").read_text())
    return plan


def sent(program: Program, *arguments: str | Path) -> Any:
    """The spec of the first item of the first request."""
    return planned(program, *arguments)["requests"][0]["body"]["items"][0]["spec"]


def refused(program: Program, *arguments: str | Path) -> str:
    result = program("validate", program.jobspec, *REGION, *arguments)
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def changed(program: Program, old: str, new: str) -> None:
    assert old in JOBSPEC
    program.jobspec.write_text(JOBSPEC.replace(old, new))


# Numbers


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_of_a_jobspec_is_sent_as_it_was_written(program: Program, number: str) -> None:
    changed(
        program,
        'spec: {version: "1.0"}',
        f'spec: {{version: {number}, v: "{{{{ v }}}}", x: "x-{{{{ v }}}}-{{{{ w[0] }}}}"}}',
    )
    text = program.jobspec.read_text()
    program.jobspec.write_text(text.replace("inventory:", f"vars: {{v: {number}, w: [{number}]}}\ninventory:"))
    assert sent(program) == {"version": number, "v": number, "x": f"x-{number}-{number}"}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_of_a_vars_file_is_sent_as_it_was_written(program: Program, number: str) -> None:
    changed(program, '"1.0"', '"{{ v }}"')
    (program.folder / "vars.yaml").write_text(f"v: {number}\n")
    assert sent(program, "--vars-file", "vars.yaml") == {"version": number}
    assert program("run", "plan.json", "--dry-run").returncode == 0


@pytest.mark.parametrize("number", JSON_NUMBERS)
def test_a_number_of_json_is_sent_as_it_was_written(program: Program, number: str) -> None:
    changed(program, '"1.0"', '"{{ v }}"')
    (program.folder / "vars.json").write_text(f'{{"v": {number}}}')
    assert sent(program, "--vars-file", "vars.json") == {"version": number}
    assert sent(program, "-e", f"v={number}") == {"version": number}
    jobspec = json.dumps(YAML(typ="safe", pure=True).load(JOBSPEC))
    program.jobspec = program.folder / "job.json"
    program.jobspec.write_text(jobspec.replace('"1.0"', number))
    assert sent(program) == {"version": number}


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("f.yaml", "- {id: a, driver: 24.10, n: 012}\n- {id: b, driver: 24.1, n: 12}\n"),
        ("f.json", '[{"id": "a", "driver": 24.10, "n": "012"}, {"id": "b", "driver": 24.1, "n": 12}]'),
        (
            "f.json",
            '{"servers": [{"id": "a", "labels": {"driver": 24.10, "n": "012"}}, {"id": "b", "driver": 24.1, "n": 12}]}',
        ),
        ("f.ndjson", '{"id": "a", "driver": 24.10, "n": "012"}\n{"id": "b", "labels": {"driver": 24.1}, "n": 12}\n'),
        ("f.csv", "id,driver,n\na,24.10,012\nb,24.1,12\n"),
    ],
)
def test_labels_that_were_written_otherwise_are_two(program: Program, name: str, rows: str) -> None:
    (program.folder / name).write_text(rows)
    changed(program, "fleet.csv", name)
    program.jobspec.write_text(
        program.jobspec.read_text().replace('select: "true"', 'select: "true"\n    split_by: labels.driver')
    )
    groups = {group["name"]: group["servers"] for group in planned(program)["groups"]}
    assert groups == {"all-24.10": ["a"], "all-24.1": ["b"]}
    assert planned(program, "--limit", 'labels.driver == "24.10"')["groups"][0]["servers"] == ["a"]
    assert planned(program, "--limit", 'labels.n == "12"')["groups"][0]["servers"] == ["b"]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("f.yaml", "- {id: a, n: %s}"),
        ("f.json", '[{"id": "a", "n": %s}]'),
        ("f.ndjson", '{"id": "a", "n": %s}'),
        ("f.ndjson", '{"id": "a", "labels": {"n": %s}}'),
    ],
)
@pytest.mark.parametrize("number", JSON_NUMBERS)
def test_a_label_is_what_was_written(program: Program, name: str, row: str, number: str) -> None:
    (program.folder / name).write_text(row % number)
    changed(program, "fleet.csv", name)
    assert planned(program, "--limit", f'labels.n == "{number}"')["groups"][0]["servers"] == ["a"]


@pytest.mark.parametrize(("number", "servers"), [("3", 3), ("1_0", 10), ("0x2", 2), ("+4", 4), ("05", 5)])
def test_where_a_number_is_meant_it_is_one(program: Program, number: str, servers: int) -> None:
    changed(program, "servers_per_job: 2", f"servers_per_job: {number}")
    assert planned(program)["requests"][0]["stop"] == min(servers, 8)


def test_keys_and_seeds_are_text(program: Program) -> None:
    changed(program, '"1.0"', '"{{ images[v] }}"')
    text = program.jobspec.read_text().replace(
        "inventory:", "vars: {v: 24.10, images: {24.10: img-a, 24.1: img-b}}\ninventory:"
    )
    program.jobspec.write_text(text + "rollout: {order: shuffled, seed: 012}\n")
    plan = planned(program)
    program.jobspec.write_text(text + 'rollout: {order: shuffled, seed: "012"}\n')
    assert sent(program) == {"version": "img-a"}
    assert planned(program)["groups"] == plan["groups"]


# JSON, and bytes that are no text


def test_a_jobspec_in_json_runs_as_it_validates(program: Program) -> None:
    document = YAML(typ="safe", pure=True).load(JOBSPEC)
    document["steps"][0]["items"][0]["spec"] = {"note": "😀", "n": 12345678901234567890123}
    program.jobspec = program.folder / "job.json"
    for indent in (None, 1, "\t"):
        program.jobspec.write_bytes(b"\xef\xbb\xbf" + json.dumps(document, indent=indent).encode())
        assert program("validate", program.jobspec, *REGION).returncode == 0
        assert sent(program) == {"note": "😀", "n": "12345678901234567890123"}
    result = program("run", program.jobspec, *SIMULATED, "--once-key", "slot-{{ run.date }}")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"api_version": "runner/v1", "groups": [}', "job.json:1:41: not valid JSON"),
        ('{"api_version": "runner/v1",\n "name": "a\\ud83d"}', "job.json:2:10: name: half of a character"),
        ('{"name": "x", "steps": [], "groups": []}', "the key `api_version` is missing"),
        ("[]", "a jobspec is a mapping of keys"),
    ],
)
def test_a_jobspec_in_json_that_is_wrong(program: Program, text: str, says: str) -> None:
    program.jobspec = program.folder / "job.json"
    program.jobspec.write_text(text)
    for command in ("validate", "plan", "run"):
        result = program(command, program.jobspec, *REGION)
        assert (result.returncode, says in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("vars.yaml", b"a: 1\nb: x\xff\n", "vars.yaml:2:5: not UTF-8"),
        ("vars.json", b'{"a":\n "\xe4"}', "vars.json:2:3: not UTF-8"),
        ("vars.json", b'{"a":\n "\\ude00"}', "vars.json:2:2: a: half of a character"),
        ("vars.json", b"[]", "vars.json:1: expected a mapping of variables to values"),
    ],
)
def test_a_vars_file_that_is_no_text(program: Program, name: str, data: bytes, says: str) -> None:
    (program.folder / name).write_bytes(data)
    assert says in refused(program, "--vars-file", name)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("f.json", b'[{"id": "a"},\n{"id": "b", "x": "\xff"}]', "f.json:2:19: not UTF-8"),
        ("f.ndjson", b'{"id": "a"}\n{"id": "b", "x": "\xff"}', "f.ndjson:2: not UTF-8"),
        ("f.yaml", b"- {id: a}\n- {id: b, x: \xff}", "f.yaml:2:14: not UTF-8"),
        ("f.csv", b"id,x\na,\xff\n", "f.csv:2: not UTF-8"),
        ("f.ndjson", b'{"id": "a", "x": "\\ud83d"}', "f.ndjson:1:19: not valid JSON: no low surrogate"),
        ("f.json", b'[{"id": "a",\n"x": "\\ude00"}]', "f.json:2:7: not valid JSON: "),
        ("f.ndjson", b'{"id": "a", "x": NaN}', "f.ndjson:1:18: not valid JSON"),
        ("f.json", b'[{"id": "a", "x": 1.5, "y": ' + b"[" * 3000 + b"]" * 3000 + b"}]", "f.json:1:"),
        ("f.json", b'[{"id": 7}]', '7 is no valid id; an id is text: put it in quotes: "7"'),
        ("f.yaml", b"- {id: a, name: 012}", 'f.yaml:1: [0]: the name 012 is no text; put it in quotes: "012"'),
        ("f.json", b'[{"id": "a", "r": "x", "labels": {"r": "y"}}]', "label `r` stands twice"),
    ],
)
def test_an_inventory_that_is_no_text(program: Program, name: str, data: bytes, says: str) -> None:
    (program.folder / name).write_bytes(data)
    assert says in refused(program, "-i", name).replace(str(program.folder) + "/", "")


def test_an_inventory_as_json_libraries_write_it(program: Program) -> None:
    rows = [{"id": "a", "x": "😀"}, {"id": "b", "x": "é"}]
    changed(program, "fleet.csv", "f.json")
    (program.folder / "f.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(rows, indent="\t").encode())
    assert planned(program, "--limit", 'labels.x == "😀"')["groups"][0]["servers"] == ["a"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("-e", "version=\udcff"),
        ("--limit", 'labels.x == "\udce4"'),
        ("--region", "\udcff"),
        ("--group", "\udcff"),
        ("--vars-file", "\udcff.yaml"),
    ],
)
def test_an_argument_that_is_no_text(program: Program, arguments: tuple[str, str]) -> None:
    said = refused(program, *arguments)
    assert f"command line: {arguments[0]}: " in said
    assert "is not UTF-8" in said


def test_a_setting_that_is_no_text(program: Program) -> None:
    program.env["RUNNER_STATE_DIR"] = "state\udcff"
    result = program("list")
    assert result.returncode == 2
    assert "RUNNER_STATE_DIR" in result.stderr
    assert "is not UTF-8" in result.stderr
    del program.env["RUNNER_STATE_DIR"]
    program.env["HOME"] = str(program.folder / "h\udcff")
    assert program("list").returncode == 2


def test_a_folder_whose_name_is_no_text(program: Program) -> None:
    folder = program.folder / "f\udcff"
    folder.mkdir()
    (folder / "check.sh").write_text("#!/bin/sh\n")
    (folder / "check.sh").chmod(0o755)
    (folder / "job.yaml").write_text(JOBSPEC.replace("fleet.csv", str(program.folder / "fleet.csv")))
    program.folder = folder
    program.jobspec = Path("job.yaml")
    assert planned(program)["summary"]["selected"] == 8
    (folder / "job.yaml").write_text(
        (folder / "job.yaml").read_text() + "rollout: {checks: [{name: c, command: [./check.sh]}]}\n"
    )
    assert "check `c`: the name of the folder" in refused(program)


def test_a_variable_of_the_environment_that_is_no_text(program: Program) -> None:
    program.env["BAD"] = "x\udcff"
    assert program("validate", program.jobspec, *REGION).returncode == 0  # nobody asks for it
    changed(program, '"1.0"', '"{{ env.BAD }}"')
    assert "job.yaml:16:25: steps[0].items[0].spec.version: renders to what is no text" in refused(program)
    changed(program, '"1.0"', '"{{ secret.BAD }}"')
    result = program("run", program.jobspec, *SIMULATED)
    assert (result.returncode, "the secret BAD is not UTF-8" in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize("text", ["\"{{ '\\\\ud83d' }}\"", '"\\ud83d"'])
def test_half_of_a_character_in_a_template(program: Program, text: str) -> None:
    changed(program, '"1.0"', text)
    assert "job.yaml:16:25: steps[0].items[0].spec.version: " in refused(program)


# Wrong types say what is wanted and show it


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "rate: unlimited, settle",
            "rate: 10, settle",
            "submit.rate: expected a rate such as 10/s, 600/m or unlimited, found the number 10; write 10/s or 10/m",
        ),
        (
            "timeout: 5s",
            "timeout: 30",
            "submit.timeout: expected a duration such as 500ms, 30s, 5m, 2h or 1d, found the number 30; write 30s if it is in seconds",
        ),
        ("timeout: 5s", "timeout: 1.5", "write 1.5s if"),
        ("timeout: 5s", "timeout: true", "found true"),
        ("timeout: 5s", "timeout: null", "found nothing"),
        ("timeout: 5s", "timeout: 99999999999d", "is no duration"),
        (
            "job_name: hdk",
            "job_name: {{ version }}",
            'steps[0].job_name: a value that begins with a template must be in quotes: "{{ version }}"',
        ),
        (
            "job_name: hdk",
            "job_name: 24.10",
            'steps[0].job_name: expected text, found the number 24.10\n  put it in quotes: "24.10"',
        ),
        ("name: test", "name: true", 'name: expected text, found true\n  put it in quotes: "true"'),
        ("project_id: p", "project_id: 0123", 'expected text, found the number 0123\n  put it in quotes: "0123"'),
        ('select: "true"', 'select: "{{ labels.x == 1 }}"', "an expression is written without braces: labels.x == 1"),
        ('select: "true"', 'select: "{% if x %}"', "an expression is written without braces"),
        ('select: "true"', 'select: "*"', 'all servers are `select: "true"`'),
        ('select: "true"', "select: all", 'all servers are `select: "true"`'),
        (
            'select: "true"',
            "split_by: labels.x",
            'has neither of `select` and `servers`; expected exactly one\n  all servers are `select: "true"`',
        ),
        (
            'select: "true"',
            "servers: [001]",
            'groups[0].servers[0]: expected text, found the number 001\n  put it in quotes: "001"',
        ),
        ('select: "true"', "servers: s1", "expected a list, found the text 's1'"),
        ('select: "true"', "select: 5", "groups[0].select: expected text, found the number 5"),
        ("servers_per_job: 2", "servers_per_job: 1e3", "expected a whole number, found the number 1e3"),
        ("servers_per_job: 2", 'servers_per_job: "2"', "expected a whole number, found the text '2'"),
        ('spec: {version: "1.0"}', "spec: {version: }", "expected text, a number or a boolean, found nothing"),
        ('spec: {version: "1.0"}', "spec: {version: {a: 1}}", "expected text, a number or a boolean, found a mapping"),
    ],
)
def test_a_wrong_type_says_what_is_wanted(program: Program, old: str, new: str, says: str) -> None:
    changed(program, old, new)
    said = refused(program)
    assert says in said
    assert said.count("job.yaml:") == 1, said


@pytest.mark.parametrize(
    ("rollout", "says"),
    [
        (
            "budget: {max_abnormal: 0.02}",
            "expected a number of servers such as 10, or percent such as 2%, found the number 0.02; write 2% if it is a share",
        ),
        ("budget: {max_abnormal: 2.5}", "found the number 2.5"),
        ("budget: {max_abnormal: true}", "found true"),
        ("budget: {max_unavailable: -1}", "found the number -1"),
        ("budget: {per: {id: 0.5}}", "or whole, found the number 0.5; write 50% if it is a share"),
        ("budget: {per: {id: true}}", "or whole, found true"),
        (
            "waves: [{name: w, sizes: [0.05, rest]}]",
            "expected a number of servers such as 5, a share of what is left such as 5%, or rest, found the number 0.05; write 5% if it is a share",
        ),
        ("waves: [{name: w, sizes: {first: 1, most: 0.25}}]", "found the number 0.25; write 25% if it is a share"),
        ("waves: [{name: w, soak: 600}]", "found the number 600; write 600s if it is in seconds"),
        (
            "abort: {sequential: {healthy: 0.01}}",
            "expected a percentage between 0% and 100%, such as 1%, found the number 0.01; write 1% if it is a share",
        ),
        (
            "window: {allow: ['Sat 01:00-06:00'], cutoff: 95}",
            "expected one such as p95 or p50, found the number 95; write p95",
        ),
        ("window: {allow: [100]}", "found the number 100"),
        ("window: {allow: 'Sat 01:00-06:00'}", "expected a list, found the text 'Sat 01:00-06:00'"),
        ("window: {deny: [2026]}", "expected a date such as 2026-12-24"),
        ("deadline: 60", "write 60s if it is in seconds"),
        ("strata: ['{{ labels.x }}']", "an expression is written without braces: labels.x"),
        ("seed: [1]", "rollout.seed: expected text, found a list"),
    ],
)
def test_a_wrong_type_of_a_rollout_says_what_is_wanted(program: Program, rollout: str, says: str) -> None:
    program.jobspec.write_text(JOBSPEC + f"rollout: {{{rollout}}}\n")
    said = refused(program)
    assert says in said
    assert said.count("job.yaml:") == 1, said


@pytest.mark.parametrize("select", ["true", "True", '"true"', "!!bool true"])
def test_true_selects_all(program: Program, select: str) -> None:
    changed(program, 'select: "true"', f"select: {select}")
    assert planned(program)["summary"]["selected"] == 8


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("n-[1-" + "9" * 100 + "]", "is no range"),
        ("n-[" + "1-999999," * 40 + "1]", "has more than 1,000,000 names"),
        ("[1-999999]" * 60, "names or more, at most 1,000,000 are allowed"),
        ("n-[\u0663-\u0665]", "is no range"),
    ],
)
def test_a_range_that_nobody_means(program: Program, entry: str, says: str) -> None:
    changed(program, 'select: "true"', f"servers: ['{entry}']")
    assert says in refused(program)


# Generated files: valid or refused, and what is sent is what an independent reading says

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="{"), max_size=12)
NUMBER_TEXTS = st.one_of(
    st.sampled_from(NUMBERS),
    st.from_regex(r"[-+]?[0-9]{1,25}(\.[0-9]{1,6})?(e[-+]?[0-9]{1,3})?", fullmatch=True),
)
NUMBERS_AND_TEXTS = st.one_of(
    NUMBER_TEXTS.map(lambda text: (text, text)),
    TEXTS.map(lambda text: (json.dumps(text), text)),
    TEXTS.map(lambda text: (json.dumps(text, ensure_ascii=False), text)),
    st.sampled_from([("no", "no"), ("2026-11-24", "2026-11-24"), ("1:30", "1:30")]),
)
"""A value as it is written in YAML, and the text that it is."""
SCALARS = NUMBERS_AND_TEXTS | st.sampled_from([("true", "true"), ("False", "false")])
# With a letter before, none of them is a word of YAML, of Jinja or of the runner.
KEYS = st.from_regex(r"q[a-z0-9_]{1,5}", fullmatch=True)
SLOW = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=25
)


def braces(key: str) -> str:
    return "{{ " + key + " }}"


@SLOW
@given(
    st.dictionaries(KEYS, SCALARS, max_size=4),
    st.dictionaries(KEYS, NUMBERS_AND_TEXTS, max_size=4),
    st.dictionaries(KEYS, NUMBERS_AND_TEXTS, max_size=4),
)
def test_what_is_sent_is_what_was_written(
    program: Program,
    literal: Mapping[str, tuple[str, str]],
    variables: Mapping[str, tuple[str, str]],
    of_file: Mapping[str, tuple[str, str]],
) -> None:
    spec = {f"s_{key}": written for key, (written, _) in literal.items()}
    spec |= {f"v_{key}": f'"{braces(key)}"' for key in {**variables, **of_file}}
    lines = "".join(f"          {key}: {written}\n" for key, written in spec.items())
    changed(program, '        spec: {version: "1.0"}\n', "        spec:\n" + lines if lines else "")
    head = "".join(f"  {key}: {written}\n" for key, (written, _) in variables.items())
    program.jobspec.write_text(
        program.jobspec.read_text().replace("inventory:", f"vars:\n{head}inventory:" if head else "inventory:")
    )
    (program.folder / "v.yaml").write_text(
        "".join(f"{key}: {written}\n" for key, (written, _) in of_file.items()) or "{}"
    )
    expected = {f"s_{key}": text for key, (_, text) in literal.items()}
    expected |= {f"v_{key}": text for key, (_, text) in {**variables, **of_file}.items()}
    assert sent(program, "--vars-file", "v.yaml") == expected


LABELS = st.dictionaries(
    KEYS, st.one_of(NUMBER_TEXTS.filter(lambda text: text[0] != "+"), TEXTS.filter(bool)), max_size=3
)


@SLOW
@given(st.lists(LABELS, min_size=1, max_size=4), st.sampled_from(["yaml", "json", "ndjson"]))
def test_labels_are_what_was_written(program: Program, rows: list[dict[str, str]], form: str) -> None:
    def written(text: str) -> str:
        """As a number if JSON has such a number, else as text."""
        try:
            json.loads(text, parse_constant=lambda _: 1 / 0)
        except (ValueError, ZeroDivisionError):
            return json.dumps(text)
        return text if text.strip('"-').isdigit() or "." in text else json.dumps(text)

    lines = [
        "{" + ", ".join([f'"id": "id-{index}"', *(f'"{key}": {written(text)}' for key, text in row.items())]) + "}"
        for index, row in enumerate(rows)
    ]
    text = {
        "yaml": "".join(f"- {line}\n" for line in lines),
        "json": f"[{','.join(lines)}]",
        "ndjson": "\n".join(lines),
    }
    (program.folder / f"f.{form}").write_text(text[form])
    program.jobspec.write_text(JOBSPEC.replace("fleet.csv", f"f.{form}") + "rollout: {}\n")
    plan = planned(program)
    of = plan["labels"]["of"][0]
    servers = dict(zip(plan["groups"][0]["servers"], of, strict=True))
    assert [plan["labels"]["different"][servers[f"id-{index}"]] for index in range(len(rows))] == rows


PIECES = st.sampled_from(
    [
        "{{ v }}",
        "{{",
        "}}",
        "{%",
        "!x",
        "&a",
        "*a",
        "<<: *a",
        "- ",
        ": ",
        "\n",
        "  ",
        "'",
        '"',
        "#",
        "%YAML 1.1",
        "---",
        "[",
        "]",
        "{",
        "}",
        ",",
        "1e999",
        "24.10",
        "012",
        "null",
        "true",
        "\t",
        "\\ud83d",
        "é",
        "|",
        ">",
        "?",
    ]
)


@SLOW
@given(st.integers(0, len(JOBSPEC)), st.lists(PIECES, max_size=4).map("".join), st.integers(0, 6))
def test_any_jobspec_is_valid_or_refused(program: Program, place: int, piece: str, cut: int) -> None:
    program.jobspec.write_text(JOBSPEC[:place] + piece + JOBSPEC[place + cut :])
    result = program("validate", program.jobspec, *REGION)
    assert result.returncode in {0, 2}, result.stderr
    assert "Traceback" not in result.stderr


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["", "*", "all", "true", "rest", "5%", "200%", "{{ v }}", "{{", "9" * 400 + "s", "9" * 5000, "1/s", "p95", "😀"]
    ),
    st.lists(st.sampled_from(["canary", "x", 1, None, "5%", "rest"]), max_size=3),
    st.dictionaries(
        st.sampled_from(["name", "first", "growth", "labels.rack", "step"]), st.sampled_from([1, "x", None]), max_size=2
    ),
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where a document has values."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inside for place in places(item, (*path, key)))]


@SLOW
@given(st.data())
def test_any_value_in_any_place_is_valid_or_refused(program: Program, data: st.DataObject) -> None:
    """All keys of a rollout with all that it has; a document of JSON is as good as one of YAML."""
    document = YAML(typ="safe", pure=True).load((ROOT / "jobspecs" / "careful-upgrade.yaml").read_text())
    document["inventory"] = str(ROOT / "jobspecs" / "fleet.csv")
    for _ in range(data.draw(st.integers(1, 2))):
        *path, last = data.draw(st.sampled_from(places(document)[1:]))
        here = document
        for part in path:
            here = here[part]
        here[last] = data.draw(ANYTHING)
    program.jobspec.write_text(json.dumps(document))
    program.env["HUAWEICLOUD_SDK_PROJECT_ID"] = "p"
    result = program("validate", program.jobspec, *REGION)
    assert result.returncode in {0, 2}, result.stderr
    assert "Traceback" not in result.stderr


@SLOW
@given(
    st.binary(max_size=40) | st.lists(PIECES, max_size=8).map(lambda parts: "".join(parts).encode()),
    st.sampled_from(["yaml", "json", "ndjson", "csv"]),
)
def test_any_vars_file_and_inventory_is_valid_or_refused(program: Program, data: bytes, form: str) -> None:
    program.jobspec.write_text(JOBSPEC)
    (program.folder / f"x.{form}").write_bytes(data)
    for option in ("--vars-file", "-i"):
        result = program("validate", program.jobspec, *REGION, option, f"x.{form}")
        assert result.returncode in {0, 2}, result.stderr
        assert "Traceback" not in result.stderr
