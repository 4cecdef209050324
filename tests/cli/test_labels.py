"""Labels, lists and names of groups as people write them on the command line and in jobspecs: meant, or refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.plan.codec import hash_plan, plan_from_json, plan_to_json
from runner.spec.rules import NAME
from tests.cli.conftest import JOBSPEC, SIMULATED, Program
from tests.cli.test_mistakes import refused

REGION = ("--region", "cn-north-9")
ROWS = [
    {"id": "s1", "name": "n1", "ring": "canary", "rack": "7", "maint": False, "site": "北京", "slot": "a/b"},
    {"id": "s2", "name": "n2", "ring": "main", "rack": 7, "maint": True, "site": "上海", "slot": "a b"},
    {"id": "s3", "name": "n3", "ring": "main", "rack": "8", "maint": "false", "site": "xian", "slot": "a-b"},
    {"id": "s4", "name": "n4", "ring": "main", "maint": "true", "site": "xian", "slot": "a-b"},
]
TABLE = """\
id,name,ring,rack,maint,site,slot
s1,n1,canary,7,false,北京,a/b
s2,n2,main,7,true,上海,a b
s3,n3,main,8,false,xian,a-b
s4,n4,main,,true,xian,a-b
"""
FORMS = {
    "fleet.csv": TABLE,
    "fleet.json": json.dumps(ROWS),
    "fleet.ndjson": "\n".join(map(json.dumps, ROWS)),
    "fleet.yaml": json.dumps(ROWS, ensure_ascii=False),
}


@pytest.fixture(autouse=True)
def fleet(program: Program) -> None:
    for name, text in FORMS.items():
        (program.folder / name).write_text(text)


def plan(program: Program, *arguments: str | Path) -> dict[str, Any]:
    """The plan, its warnings, and `groups`: the ids of each."""
    result = program("plan", program.jobspec, *REGION, "-o", "plan.json", *arguments)
    assert result.returncode == 0, result.stderr
    document: dict[str, Any] = json.loads((program.folder / "plan.json").read_text())
    return {
        "groups": {group["name"]: group["servers"] for group in document["groups"]},
        "warnings": document["summary"]["warnings"],
        "bodies": [request["body"] for request in document["requests"]],
    }


def chosen(program: Program, *arguments: str | Path) -> list[str]:
    return [server for servers in plan(program, *arguments)["groups"].values() for server in servers]


def with_group(program: Program, *groups: str) -> None:
    old = '  - name: all\n    select: "true"\n'
    assert old in JOBSPEC
    program.jobspec.write_text(JOBSPEC.replace(old, "".join(f"  - {group}\n" for group in groups)))


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ('groups: [{name: g, select: labels.rakc == "7"}]', "groups[0].select"),
        ('groups: [{name: g, select: "true", split_by: labels.rakc}]', "groups[0].split_by"),
        (
            'groups: [{name: g, select: "true"}]\nrollout: {budget: {per: {labels.rakc: 1}}}',
            "rollout.budget.per.labels.rakc",
        ),
        (
            'groups: [{name: g, select: "true"}]\nrollout: {budget: {per: {labels.rakc: whole}}}',
            "budget.per.labels.rakc",
        ),
        ('groups: [{name: g, select: "true"}]\nrollout: {strata: [labels.rakc]}', "rollout.strata[0]"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "validate"])
def test_a_label_that_no_server_has_is_an_error_where_it_is_named(
    program: Program, part: str, path: str, command: str
) -> None:
    head, steps = JOBSPEC.split("groups:\n")[0], JOBSPEC[JOBSPEC.index("steps:") :]
    program.jobspec.write_text(f"{head}{part}\n{steps}")
    said = refused(program, command, program.jobspec, *REGION, code=2, says=f"{path}: no server has a label `rakc`")
    assert "did you mean `rack`?" in said
    assert '`labels["rakc"] is defined` asks for a label that may be missing' in said
    assert said.count("no server has a label") == 1


def test_so_it_is_in_a_limit(program: Program) -> None:
    said = refused(program, "plan", program.jobspec, *REGION, "--limit", 'labels.rakc != "7"', code=2, says="--limit")
    assert "no server has a label `rakc`\n  did you mean `rack`?" in said


@pytest.mark.parametrize("limit", ['labels.get("rakc") == "7"', "labels.rakc is defined", '"rakc" in labels', 'labels.rakc|default("") == "7"'])  # fmt: skip
def test_who_asks_whether_a_label_is_there_may(program: Program, limit: str) -> None:
    assert chosen(program, "--limit", limit) == []
    assert chosen(program, "--limit", f"not ({limit})") == ["s1", "s2", "s3", "s4"]


def test_servers_that_are_listed_without_an_inventory_have_no_labels(program: Program) -> None:
    text = JOBSPEC.replace("inventory: fleet.csv\n", "").replace(
        'select: "true"', "servers: [s1]\n    split_by: labels.rack"
    )
    program.jobspec.write_text(text)
    said = refused(program, "plan", program.jobspec, *REGION, code=2, says="no server has a label `rack`")
    assert "the servers have no labels, only ids and names" in said


def test_exclude_names_a_label_that_no_server_has(program: Program) -> None:
    program.jobspec.write_text(JOBSPEC + "rollout: {waves: [{name: w, approve: true}]}\n")
    stopped = program("run", program.jobspec, *SIMULATED, "--no-wait-for-person")
    assert stopped.returncode == 5, stopped.stderr
    for text, says in (
        ('labels.rakc == "7"', "no server of the run has a label `rakc`; did you mean `rack`?"),
        ("labels.rack == 7", 'labels.rack is text, and is compared with the number 7; write == "7"'),
        ("not labels.maint", "labels.maint is text, and is used as true or false"),
        ("labels.rack", "labels.rack is text, and is used as true or false"),
        ('labels.rack == "9"', 'no server of the run is labels.rack == "9"'),
    ):
        assert says in program("exclude", "last", text).stderr


def test_a_label_that_some_servers_lack_is_told_of_with_what_became_of_them(program: Program) -> None:
    with_group(program, '{name: seven, select: labels.rack == "7"}', '{name: other, select: labels.rack != "7"}')
    text = program.jobspec.read_text()
    program.jobspec.write_text(text + "rollout: {strata: [labels.rack], budget: {per: {labels.rack: 1}}}\n")
    found = plan(program, "--limit", 'labels.rack != "x"')
    assert found["groups"] == {"seven": ["s1", "s2"], "other": ["s3", "s4"]}
    (warning,) = found["warnings"]
    assert warning.split(": ", 1)[0] == "1 of 4 servers lacks the label `rack`"
    assert warning.split(": ", 1)[1].split("; ") == [
        "none is in group `seven`",
        "1 is in group `other`",
        "1 of those planned have no limit by labels.rack",
        "1 of those planned count as alike in the stratum labels.rack",
        "1 is taken by --limit",
    ]
    said = program("validate", program.jobspec, *REGION)
    assert "warning: 1 of 4 servers lacks the label `rack`" in said.stderr
    with_group(program, '{name: all, select: "true"}')
    program.jobspec.write_text(program.jobspec.read_text() + "rollout: {budget: {per: {labels.rack: whole}}}\n")
    assert plan(program)["warnings"] == [
        "1 of 4 servers lacks the label `rack`: 1 of those planned have nothing that goes together by labels.rack"
    ]


@pytest.mark.parametrize("fleet_file", FORMS)
@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ('labels.rack == "7"', ["s1", "s2"]),
        ('labels.rack != "7"', ["s3", "s4"]),
        ('labels.maint == "false"', ["s1", "s3"]),
        ('labels.maint != "false"', ["s2", "s4"]),
        ("labels.rack|int(0) == 7", ["s1", "s2"]),
        ("labels.rack is undefined", ["s4"]),
    ],
)
def test_labels_are_text_in_every_form(program: Program, fleet_file: str, limit: str, expected: list[str]) -> None:
    assert chosen(program, "-i", fleet_file, "--limit", limit) == expected


@pytest.mark.parametrize("fleet_file", FORMS)
@pytest.mark.parametrize(
    ("select", "says"),
    [
        ("not labels.maint", 'labels.maint is text, and is used as true or false\n  write labels.maint == "..."'),
        ("labels.rack != 7", 'labels.rack is text, and is compared with the number 7\n  write != "7"'),
        ("labels.maint == false", 'labels.maint is text, and is compared with false\n  write == "false"'),
    ],
)
def test_a_label_that_is_taken_for_something_else_is_refused(
    program: Program, fleet_file: str, select: str, says: str
) -> None:
    with_group(program, f"{{name: g, select: {select}}}")
    arguments = ("validate", program.jobspec, *REGION, "-i", fleet_file)
    assert "job.yaml:7:23: groups[0].select: " in refused(program, *arguments, code=2, says=says)
    with_group(program, '{name: g, select: "true"}')
    refused(program, *arguments, "--limit", select, code=2, says=says)


@pytest.mark.parametrize(
    ("rollout", "says"),
    [
        ("{budget: {per: {'labels.rack == 7': 1}}}", "labels.rack is text, and is compared with the number 7"),
        ("{budget: {per: {'labels.ring|int': 1}}}", 'for server s1: "canary" is no number'),
        ("{order: listed, strata: ['labels.rack|int']}", "for server s4: a label that the server lacks is no number"),
    ],
)
def test_so_it_is_in_limits_and_strata(program: Program, rollout: str, says: str) -> None:
    program.jobspec.write_text(JOBSPEC + f"rollout: {rollout}\n")
    refused(program, "plan", program.jobspec, *REGION, code=2, says=says)


def test_labels_named_like_functions_are_labels(program: Program) -> None:
    names = ("update", "items", "values", "keys", "copy", "get", "pop")
    rows = "x-1" + ",yes" * len(names) + "\nx-2" + ",no" * len(names) + "\n"
    (program.folder / "fleet.csv").write_text("id," + ",".join(names) + "\n" + rows)
    for name in names:
        assert chosen(program, "--limit", f'labels.{name} == "yes"') == ["x-1"]
        assert chosen(program, "--limit", f'labels.{name} != "yes"') == ["x-2"]


def test_a_limit_of_hundreds_of_clauses(program: Program) -> None:
    limit = " or ".join(f'id == "x{place}"' for place in range(900)) + ' or id == "s2" or labels.rack == "8"'
    assert chosen(program, "--limit", limit) == ["s2", "s3"]


@pytest.mark.parametrize(
    "text",
    [
        "s1\nn3\n",
        "\ufeffs1\r\n\r\n# all of it\r\nn3  # the third\r\n",
        "  s1 \nn3",
        "s[1-1]\nn[3-3]\n",
        "s1\ns1\nn3\n",
    ],
)
def test_a_limit_may_be_a_file_of_ids_and_names(program: Program, text: str) -> None:
    (program.folder / "list.txt").write_text(text)
    assert chosen(program, "--limit", "@list.txt") == ["s1", "s3"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("s1\ns9\n", "list.txt:2:1: --limit: no server in the inventory has the id or name 's9'"),
        ("# nothing\n\n", "list.txt: it lists no server"),
        ("s[1-\n", "list.txt:1: 's[1-': brackets do not match"),
        ('{"servers": []}', "list.txt: JSON, and no report of a run"),
        ("{", "list.txt:1:2: not valid JSON"),
    ],
)
def test_what_is_wrong_with_such_a_file_is_said(program: Program, text: str, says: str) -> None:
    (program.folder / "list.txt").write_text(text)
    refused(program, "plan", program.jobspec, *REGION, "--limit", "@list.txt", code=2, says=says)
    refused(program, "plan", program.jobspec, *REGION, "--limit", "@no.txt", code=2, says="no.txt: cannot be read")


def test_a_limit_may_be_the_servers_of_a_report(program: Program) -> None:
    run = program("run", program.jobspec, *SIMULATED, "--limit", 'labels.ring == "main"', "--report", "report.json")
    assert run.returncode == 0, run.stderr
    found = plan(program, "--limit", "@report.json")
    assert found["groups"] == {"all": ["s2", "s3", "s4"]}
    (warning,) = found["warnings"]
    assert warning.startswith(
        "--limit @report.json: all 3 servers of the report, 3 of which succeeded; `runner retry 2"
    )


def test_an_entry_that_is_the_id_of_one_server_and_the_name_of_another(program: Program) -> None:
    (program.folder / "fleet.csv").write_text("id,name\ns1,n1\ns2,n2\ns3,s2\n")
    says = "'s2' is the id of one server and the name of another: the server s2, and that of the server with the id s3"
    (program.folder / "list.txt").write_text("s2\n")
    for arguments in ((), ("--limit", 'id == "s2"')):
        with_group(program, "{name: g, servers: [s2]}")
        refused(program, "plan", program.jobspec, *REGION, *arguments, code=2, says=f"groups[0].servers[0]: {says}")
    with_group(program, '{name: g, select: "true"}')
    refused(
        program, "plan", program.jobspec, *REGION, "--limit", "@list.txt", code=2, says=f"list.txt:1:1: --limit: {says}"
    )
    run = program("run", program.jobspec, *SIMULATED)
    assert run.returncode == 0, run.stderr
    with_group(program, "{name: g, servers: [s1, s3]}")
    assert chosen(program) == ["s1", "s3"]


def test_a_name_of_several_servers_is_said_with_their_ids(program: Program) -> None:
    (program.folder / "fleet.csv").write_text("id,name\ns1,n1\ns2,n1\ns3,n3\n")
    with_group(program, "{name: g, servers: [n1]}")
    says = "groups[0].servers[0]: 2 servers are called 'n1': those with the ids s1, s2"
    refused(program, "plan", program.jobspec, *REGION, code=2, says=says)


def test_exclude_does_not_guess_either(program: Program) -> None:
    (program.folder / "fleet.csv").write_text("id,name\ns1,n1\ns2,n2\ns3,s2\n")
    program.jobspec.write_text(JOBSPEC + "rollout: {waves: [{name: w, approve: true}]}\n")
    assert program("run", program.jobspec, *SIMULATED, "--no-wait-for-person").returncode == 5
    said = program("exclude", "last", "s2").stderr
    assert "'s2' is the id or the name of several servers: s2, s3; name one by its id" in said


def test_parts_of_a_group_keep_what_distinguishes_them(program: Program) -> None:
    for label in ("site", "slot"):
        with_group(program, f"{{name: g, select: 'true', split_by: labels.{label}}}")
        program.jobspec.write_text(
            program.jobspec.read_text().replace("job_name: hdk", 'job_name: "hdk-{{ group.name }}"')
        )
        found = plan(program)
        assert sorted(found["groups"].values()) == [["s1"], ["s2"], ["s3", "s4"]]
        plain = {"site": "g-xian", "slot": "g-a-b"}[label]
        assert found["groups"][plain] == ["s3", "s4"]
        assert all(NAME.accepts(name) for name in found["groups"])
        assert [body["name"] for body in found["bodies"]] == [f"hdk-{name}" for name in found["groups"]]
        names = {servers[0]: name for name, servers in found["groups"].items()}
        shown = {"site": "北京", "slot": "a/b"}[label]
        assert f"job.yaml:7: the part of group `g` for '{shown}' is called `{names['s1']}`" in " ".join(
            found["warnings"]
        )
        # Its name does not depend on what else is selected.
        assert plan(program, "--limit", 'id == "s1"')["groups"] == {names["s1"]: ["s1"]}
        assert plan(program, "--group", names["s2"])["groups"] == {names["s2"]: ["s2"]}


def test_a_part_is_not_called_as_another_group(program: Program) -> None:
    with_group(
        program,
        "{name: g-xian, servers: [s1]}",
        "{name: g, select: 'id != \"s2\"', split_by: labels.site}",
        "{name: g-a, select: 'true', split_by: labels.ring}",
    )
    (program.folder / "fleet.csv").write_text(TABLE.replace("a-b\ns4", "a-b\ns5,n5,main,,true,a-main,x\ns4"))
    groups = plan(program)["groups"]
    assert groups["g-xian"] == ["s1"]
    assert groups["g-a-main"] == ["s2"]
    assert sorted(groups.values()) == [["s1"], ["s2"], ["s3", "s4"], ["s5"]]


def test_what_a_group_is_split_by_must_be_text(program: Program) -> None:
    with_group(program, "{name: g, select: 'true', split_by: 'labels.slot.split(\"-\")'}")
    says = "groups[0].split_by: for server s1: a list, where text is wanted"
    refused(program, "plan", program.jobspec, *REGION, code=2, says=says)
    with_group(program, "{name: g, select: 'true', split_by: 'labels.ring == \"main\"'}")
    assert plan(program)["groups"] == {"g-false": ["s1"], "g-true": ["s2", "s3", "s4"]}


def test_long_values_make_names_that_the_service_takes(program: Program) -> None:
    (program.folder / "fleet.csv").write_text(f"id,site\ns1,{'x' * 90}\ns2,{'x' * 91}\n")
    with_group(program, "{name: g, select: 'true', split_by: labels.site}")
    groups = plan(program)["groups"]
    assert sorted(groups.values()) == [["s1"], ["s2"]]
    assert all(NAME.accepts(name) and name.startswith("g-xxx") for name in groups)


def test_a_plan_of_a_jobspec_that_would_be_refused_now_is_carried_out(program: Program) -> None:
    """It was approved as it is; what its expressions selected stands in it."""
    with_rollout = JOBSPEC + "rollout: {budget: {per: {labels.rack: 4}}}\n"
    program.jobspec.write_text(with_rollout)
    assert program("plan", program.jobspec, *REGION, "-o", "plan.json").returncode == 0
    made = plan_from_json((program.folder / "plan.json").read_bytes(), "plan.json")
    assert made.rollout is not None
    before = with_rollout.replace('select: "true"', "select: not labels.maint or labels.rakc != 7")
    (rule,) = made.rollout.budget.per
    per = (replace(rule, expression="labels.rakc or labels.rack or labels.values()|list|first"),)
    changed = replace(made.rollout, budget=replace(made.rollout.budget, per=per))
    old = replace(made, jobspec=before, rollout=changed, plan_hash="")
    (program.folder / "old.json").write_bytes(plan_to_json(replace(old, plan_hash=hash_plan(old)), readable=True))
    run = program("run", "old.json", *SIMULATED, "--once-key", "night", "--report", "report.json")
    assert run.returncode == 0, run.stderr
    limits = json.loads((program.folder / "report.json").read_text())["budget"]["limits"]
    assert {limit["scope"].split("=")[1]: limit["of"] for limit in limits} == {"7": 2, "8": 1, "main": 1}
