from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import InvalidInput
from runner.inventory.files import InventoryFile

ROWS = [{"id": "a-1", "name": "n1", "ring": "x"}, {"id": "a-2", "name": "n2", "ring": "x"}]


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f.csv", "id,name,ring\na-1,n1,x\na-2,n2,x\n"),
        ("f.csv", "\ufeffid,name,ring\r\na-1,n1,x\r\n\r\na-2,n2,x"),
        ("f.json", json.dumps(ROWS)),
        ("f.json", json.dumps({"servers": ROWS})),
        ("f.ndjson", "\n".join(map(json.dumps, ROWS)) + "\n\n"),
        ("f.jsonl", "\n".join(json.dumps({"id": r["id"], "name": r["name"], "labels": {"ring": "x"}}) for r in ROWS)),
        ("f.yaml", "- {id: a-1, name: n1, ring: x}\n- {id: a-2, name: n2, ring: x}\n"),
    ],
)
def test_every_format_gives_the_same_servers(tmp_path: Path, name: str, text: str) -> None:
    servers = InventoryFile(write(tmp_path, name, text)).read().servers
    assert [(s.id, s.name, s.labels) for s in servers] == [("a-1", "n1", {"ring": "x"}), ("a-2", "n2", {"ring": "x"})]
    assert servers[0].labels is servers[1].labels


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("f.ndjson", '{"id": "a"}\n{"id": \n', "f.ndjson:2"),
        ("f.ndjson", '{"id": "a"}\n\n{"id": "a"}\n', "f.ndjson:3: the id a stands on line 1 already"),
        ("f.ndjson", '{"name": "a"}\n', "f.ndjson:1: `id` is missing"),
        ("f.ndjson", "[1]\n", "f.ndjson:1: expected a mapping with `id`"),
        ("f.ndjson", '{"id": 5}\n', "f.ndjson:1: 5 is no valid id"),
        ("f.csv", "id,id\na,b\n", "column `id` stands twice"),
        ("f.csv", b"id,name\na,\xff\n", "f.csv:2: not UTF-8"),
        ("f.json", "{}", "expected a list of servers"),
        ("f.yaml", "- {id: a}\n- {id: a}\n", "f.yaml:2: [1]: the id a stands on line 1 already"),
        ("f.txt", "", "expected one of .csv"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, name: str, text: str | bytes, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        InventoryFile(write(tmp_path, name, text)).read()
    assert says in str(caught.value)


def test_many_wrong_rows_are_counted(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="and 80 more"):
        InventoryFile(write(tmp_path, "f.ndjson", '{"id": ""}\n' * 100)).read()


def test_a_folder_is_no_inventory(tmp_path: Path) -> None:
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(InvalidInput, match="Is a directory"):
        InventoryFile(tmp_path / "d.csv").read()


@given(
    st.lists(
        st.tuples(st.from_regex(r"[-_.a-zA-Z0-9]{1,20}", fullmatch=True), st.text("abc ,\"'", max_size=9)),
        unique_by=lambda r: r[0],
    )
)
def test_csv_keeps_what_spreadsheets_write(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("id", "note"), *rows])
    servers = InventoryFile(write(tmp_path_factory.mktemp("csv"), "f.csv", text.getvalue())).read().servers
    assert [(s.id, s.labels.get("note", "")) for s in servers] == [(server, note.strip()) for server, note in rows]
