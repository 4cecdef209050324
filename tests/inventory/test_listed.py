"""Servers as the service lists them become labels; whatever a row is made of."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.inventory.files import InventoryFile
from runner.inventory.listed import Surrounding, line_of, listed_server, parted
from runner.model import Server

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=3),
    max_leaves=8,
)


def labels_of(row: dict[str, Any], around: Surrounding | None = None, **lane: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(line_of(row, around or Surrounding(), lane))
    return found


@given(st.lists(st.dictionaries(st.text(min_size=1, max_size=10), values, max_size=6), min_size=1, max_size=6))
def test_every_row_is_a_line_that_the_inventory_reads_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("f") / "f.ndjson"
    lines = [line_of({**row, "id": f"s{number}"}, Surrounding(), {}) for number, row in enumerate(rows)]
    path.write_bytes(b"".join(lines))
    servers = list(InventoryFile(path).read().servers)
    written = [json.loads(line) for line in lines]
    assert [{"id": one.id, "name": one.name, **one.labels} for one in servers] == written


@pytest.mark.parametrize(
    "name", ["password", "adminPass", "admin_pass", "user_data", "x_token", "authorization", "secretKey"]
)
def test_what_is_called_as_a_secret_is_left_out_at_any_depth(name: str) -> None:
    row = {"id": "a", name: "hush", "os": {name: "hush"}, "disks": [{name: {"deep": "hush"}}], "kept": "yes"}
    assert labels_of(row) == {"id": "a", "name": "a", "kept": "yes"}


def test_a_key_pair_is_no_secret() -> None:
    assert labels_of({"id": "a", "key_pair_name": "ops"})["key_pair_name"] == "ops"


def test_a_server_of_the_list_is_one_value() -> None:
    row = {
        "id": "a",
        "name": "n",
        "status": "RUNNING",
        "flavor": "f",
        "category": "HPS",
        "cloud_server": {"id": "c", "type": "HPS"},
        "server_hps": {"id": "h", "name": "hn"},
        "update_at": 7,
    }
    around = Surrounding()
    around.add_hyper_instances(
        [{"id": "h", "status": "ACTIVE", "tags": [{"key": "k", "value": "v"}], "servers": [{}, {}]}]
    )
    around.add_topology([{"resource_id": "c", "network_nodes": ["10.0.0.2", "10.0.0.1"]}, {"resource_id": "x"}])
    labels = labels_of(row, around, **{"lane.region": "r"})
    server_id, name = labels.pop("id"), labels.pop("name")
    server = listed_server(Server(server_id, name, labels))
    assert server[:7] == ("a", "n", "RUNNING", "f", "HPS", "c", "h")
    assert labels["tor"] == "10.0.0.1,10.0.0.2"
    assert labels["hyper_instance.status"] == "ACTIVE"
    assert labels["tags.k"] == "v"
    assert labels["lane.region"] == "r"
    assert "update_at" not in labels


def test_what_the_service_says_itself_goes_before_what_other_lists_say() -> None:
    around = Surrounding()
    around.add_hyper_instances([{"id": "h", "tags": [{"key": "k", "value": "theirs"}]}])
    row = {"id": "a", "server_hps": {"id": "h"}, "tags": [{"key": "k", "value": "own"}], "vpc": "given", "vpc_id": "x"}
    labels = labels_of(row, around)
    assert (labels["tags.k"], labels["vpc"]) == ("own", "given")


def test_hyper_instances_are_parted_where_some_members_are_listed_and_not_all() -> None:
    assert parted({"a": 8, "b": 8, "c": 8}, {"a": 8, "b": 3}) == ["b"]
