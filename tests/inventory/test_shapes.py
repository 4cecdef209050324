"""Servers in JSON and YAML: nested values, answers of a service, hosts of Ansible."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import InvalidInput
from runner.inventory.files import InventoryFile
from runner.spec.rules import SERVER_ID

ANSIBLE = """\
all:
  vars: {os: euler, ring: main}
  hosts:
    lonely: {id: id-9}
  children:
    web:
      vars: {ring: web}
      hosts:
        w[01:02]: {rack: r1, loc: {row: 7}}
        w03: {ring: own, ansible_password: hush}
      children:
        edge: {hosts: {w02: }, vars: {ring: edge}}
    db:
      hosts: [d1]
"""


def read(folder: Path, name: str, text: str) -> dict[str, tuple[str, dict[str, str]]]:
    path = folder / name
    path.write_text(text)
    inventory = InventoryFile(path).read()
    assert {id(labels) for labels in inventory.servers.different} == {id(server.labels) for server in inventory.servers}
    return {server.id: (server.name, dict(server.labels)) for server in inventory.servers}


def refused(folder: Path, name: str, text: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(folder, name, text)
    return str(caught.value)


NESTED: dict[str, Any] = {
    "id": "s1",
    "name": None,
    "ring": "",
    "none": None,
    "up": True,
    "down": False,
    "cloud_server": {"id": "c1", "type": "BMS", "deep": {"er": 7}},
    "endpoints": [{"uri": "10.0.0.1"}, {"uri": "10.0.0.2"}],
    "tags": [{"key": "rack", "value": "r1"}, {"key": "row", "value": "7"}],
    "zones": ["a", "b"],
    "empty": {},
    "nothing": [],
    "labels": {"site": "x"},
}
FLAT = {
    "up": "true",
    "down": "false",
    "cloud_server.id": "c1",
    "cloud_server.type": "BMS",
    "cloud_server.deep.er": "7",
    "endpoints.0.uri": "10.0.0.1",
    "endpoints.1.uri": "10.0.0.2",
    "tags.rack": "r1",
    "tags.row": "7",
    "zones.0": "a",
    "zones.1": "b",
    "site": "x",
}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f.json", json.dumps([NESTED])),
        ("f.json", json.dumps({"servers": [NESTED]})),
        ("f.json", json.dumps({"current": 1, "pages": 1, "size": 10, "total": 1, "data": [NESTED]})),
        ("f.json", json.dumps(NESTED)),
        ("f.ndjson", json.dumps(NESTED)),
        ("f.yaml", json.dumps({"data": [NESTED]}, indent=1)),
        ("f.yaml", json.dumps([NESTED])),
        ("f", json.dumps({"data": [NESTED]}, indent=1)),
        ("f", "\ufeff" + json.dumps([NESTED])),
        ("f", json.dumps(NESTED) + "\n"),
    ],
)
def test_nested_values_are_labels_with_dots(tmp_path: Path, name: str, text: str) -> None:
    assert read(tmp_path, name, text) == {"s1": ("s1", FLAT)}


def test_rows_that_are_written_otherwise_share_the_same_labels(tmp_path: Path) -> None:
    rows = [{"id": "a", "x": ""}, {"id": "b"}, {"id": "c", "x": None}, {"id": "d", "x": ""}]
    path = tmp_path / "f.ndjson"
    path.write_text("\n".join(map(json.dumps, rows)))
    inventory = InventoryFile(path).read()
    assert list(inventory.servers.different) == [{}]
    assert len({id(server.labels) for server in inventory.servers}) == 1


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "f.json",
            '{"total": 12, "data": [{"id": "a"}]}',
            "`total` is 12, and the list has 1: this is one page of several",
        ),
        ("f.json", '{"total": 12, "servers": []}', "this is one page of several"),
        ("f.json", "{}", "expected a list of servers, a mapping with `servers` or `data`, or with Ansible's `hosts`"),
        ("f.json", '{"data": [], "servers": []}', "expected a list of servers"),
        ("f.json", '[{"server_id": "a"}]', "`id` is missing; if `server_id` is it, call it `id`"),
        ("f.ndjson", '{"UUID": "a"}', "`id` is missing; if `UUID` is it, call it `id`"),
        ("f.json", '[{"id": "a", "x.y": "1", "x": {"y": "2"}}]', "label `x.y` stands twice, as '1' and '2'"),
        (
            "f.json",
            '[{"id": "a", "x": "1", "labels": {"x": "2"}}]',
            "label `x` stands twice: as '1', and in `labels` as '2'",
        ),
        ("f", "", "it is empty; expected servers"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, name: str, text: str, says: str) -> None:
    assert says in refused(tmp_path, name, text)


@pytest.mark.parametrize("name", ["f.yaml", "f.yml", "f"])
def test_hosts_of_ansible_have_the_labels_of_their_groups(tmp_path: Path, name: str) -> None:
    main = {"os": "euler", "group_db": "false", "group_edge": "false", "group_web": "false"}
    assert read(tmp_path, name, ANSIBLE) == {
        "id-9": ("lonely", {**main, "ring": "main"}),
        "w01": ("w01", {**main, "group_web": "true", "ring": "web", "rack": "r1", "loc.row": "7"}),
        "w02": (
            "w02",
            {**main, "group_web": "true", "group_edge": "true", "ring": "edge", "rack": "r1", "loc.row": "7"},
        ),
        "w03": ("w03", {**main, "group_web": "true", "ring": "own"}),
        "d1": ("d1", {**main, "group_db": "true", "ring": "main"}),
    }


@pytest.mark.parametrize(
    "text",
    [
        "hosts: {s1: {ring: a}, s2: }\n",
        "web: {hosts: {s1: {ring: a}, s2: {}}}\n",
        json.dumps({
            "_meta": {"hostvars": {"s1": {"ring": "a"}}},
            "all": {"children": ["ungrouped", "web"]},
            "web": {"hosts": ["s1", "s2"]},
        }),
    ],
)  # fmt: skip
def test_groups_of_hosts_in_every_form(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, "f.yaml", text)
    group = {"group_web": "true"} if "web" in text else {}
    assert found == {"s1": ("s1", {**group, "ring": "a"}), "s2": ("s2", group)}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hosts: {s1: {ring: '{{ x }}'}}", "host `s1`: `ring` is a template of Ansible, which is not rendered here"),
        ("hosts: {'s[1:x]': }", "is no range"),
        ("hosts: {s1: text}", "host `s1`: expected a mapping of its variables"),
        ("web: {hosts: {s1: }, vars: [a]}", "group `web`: `vars` must be a mapping"),
        ("web: {hosts: 7}", "group `web`: `hosts` must be a mapping, or a list of names"),
        ("web: {hosts: [1]}", "group `web`: `hosts` must be a mapping, or a list of names"),
        ("web: {hosts: {s1: }, children: 7}", "group `web`: `children` must be a mapping, or a list of names"),
        ("web: {hosts: [s1], children: [x]}", "group `web` has a child `x`, which is not there"),
        (
            "a: {hosts: [s1], children: [b]}\nb: {hosts: [s2], children: [a]}",
            "group `a` is in no group but those that are",
        ),
        ("a: {hosts: [s1], children: [a]}", "group `a` is in no group but those that are in it"),
        ("a: {hosts: [s1]}\nb: 7", "group `b`: expected a mapping of some of hosts, children and vars"),
        ("web: {hosts: {s1: }, hots: {}}", "group `web`: expected a mapping of some of hosts, children and vars"),
        (
            "a: {hosts: {s1: }, vars: {ring: x}}\nb: {hosts: {s1: }, vars: {ring: y}}",
            "host `s1`: `ring` is 'x', and 'y' from group `b`",
        ),
        (
            "a: {hosts: {s1: {ring: x}}}\nb: {hosts: {s1: {ring: y}}}",
            "host `s1`: `ring` is 'x', and 'y' in another place",
        ),
    ],
)
def test_what_is_wrong_with_hosts_is_said(tmp_path: Path, text: str, says: str) -> None:
    assert says in refused(tmp_path, "f.yaml", text)


keys = st.sampled_from(
    ["id", "name", "labels", "servers", "data", "total", "hosts", "children", "vars", "_meta", "hostvars", "a", "all"]
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.sampled_from(["a", "b", "", "a[1:2]", "{{ x }}", "x y", "\u5317"])
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=14
)


@given(documents, st.sampled_from(["f.json", "f.ndjson", "f.yaml", "f.csv", "f"]))
def test_any_document_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, document: Any, name: str) -> None:
    path = tmp_path_factory.mktemp("d") / name
    path.write_text(json.dumps(document))
    try:
        servers = InventoryFile(path).read().servers
    except InvalidInput:
        return
    for server in servers:
        assert SERVER_ID.accepts(server.id)
        assert all(type(text) is str and text for text in server.labels.values())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f.json", '{"data": [{"id": "a", "driver": {"version": 24.10, "of": [1e3, -0]}}]}'),
        ("f.ndjson", '{"id": "a", "driver": {"version": 24.10, "of": [1e3, -0]}}\n'),
        ("f.yaml", "data:\n  - {id: a, driver: {version: 24.10, of: [1e3, -0]}}\n"),
        ("f", '{"id": "a", "labels": {"driver": {"version": 24.10, "of": [1e3, -0]}}}'),
        ("f.json", '{"all": {"hosts": {"a": {"driver": {"version": 24.10, "of": [1e3, -0]}}}}}'),
    ],
)
def test_numbers_keep_their_text_at_any_depth(tmp_path: Path, name: str, text: str) -> None:
    labels = read(tmp_path, name, text)["a"][1]
    assert {label: text for label, text in labels.items() if label.startswith("driver")} == {
        "driver.version": "24.10",
        "driver.of.0": "1e3",
        "driver.of.1": "-0",
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '[{"id": "a", "x": 24.10, "labels": {"x": 24.1}}]',
            "label `x` stands twice: as '24.10', and in `labels` as '24.1'",
        ),
        ('[{"id": "a", "x": {"y": 24.10}, "x.y": 24.1}]', "label `x.y` stands twice, as '24.10' and '24.1'"),
    ],
)
def test_two_numbers_for_one_label_are_two_texts(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, "f.json", text)
    assert says in str(caught.value)
