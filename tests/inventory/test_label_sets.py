"""Rows that are read together come to the same as rows that are read one by one, whichever labels are kept."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import InvalidInput
from runner.inventory.files import InventoryFile
from runner.inventory.label_sets import NARROWED_AT, LabelSets

values = st.sampled_from(["a", "b", "", " a ", "é", None, True, 1, 1.0, 24.5, ["x", "y"], {"deep": "z"}])
texts = st.sampled_from(["a", "b", "", " a ", "\u00a0b"])
names = st.sampled_from(["ring", "zone", "slot"])
wanted = st.one_of(st.none(), st.sets(st.sampled_from(["ring", "zone", "slot.deep", "other"])))
kept = st.dictionaries(names, values, max_size=3)


@st.composite
def fleets(draw: st.DrawFn) -> list[dict[str, Any]]:
    fleet = []
    for number, labels in enumerate(draw(st.lists(kept, max_size=8))):
        row: dict[str, Any] = {"id": f"a-{number}"}
        if draw(st.booleans()):
            row["name"] = draw(st.sampled_from([f"n-{number}", "", None]))
        fleet.append({**row, "labels": labels} if draw(st.booleans()) else {**row, **labels})
    return fleet


def read(folder: Path, name: str, text: str, labels: set[str] | None) -> list[tuple[str, str, dict[str, str]]]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    servers = InventoryFile(path, wanted=labels).read().servers
    return [(server.id, server.name, dict(server.labels)) for server in servers]


@given(fleets(), wanted)
def test_lines_are_what_entries_of_a_list_are(fleet: list[dict[str, Any]], labels: set[str] | None) -> None:
    with TemporaryDirectory() as name:
        found = read(Path(name), "f.ndjson", "\n".join(map(json.dumps, fleet)), labels)
        listed = read(Path(name), "f.json", json.dumps(fleet), None)
    assert found == listed


@given(st.lists(st.tuples(texts, texts, texts), max_size=8), wanted, st.booleans(), st.booleans())
def test_rows_of_a_table_are_what_lines_are(
    cells: list[tuple[str, ...]], labels: set[str] | None, quoted: bool, named: bool
) -> None:
    fleet = [
        {
            "id": f"a-{number}",
            "name": f"n-{number}" if named else "",
            "ring": a.strip(),
            "zone": b.strip(),
            "slot": c.strip(),
        }
        for number, (a, b, c) in enumerate(cells)
    ]
    with TemporaryDirectory() as name:
        path = Path(name, "f.csv")
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
            writer.writerow(["id", "name", "ring", "zone", "slot"])
            writer.writerows([row["id"], row["name"], *raw] for row, raw in zip(fleet, cells, strict=True))
        servers = InventoryFile(path, wanted=labels).read().servers
        found = [(server.id, server.name, dict(server.labels)) for server in servers]
        expected = read(Path(name), "f.ndjson", "\n".join(map(json.dumps, fleet)), labels)
    assert found == expected


@pytest.mark.parametrize("wanted_labels", [None, {"ring"}, set[str]()])
def test_what_is_wrong_has_its_line_however_many_rows_come_before_it(
    tmp_path: Path, wanted_labels: set[str] | None
) -> None:
    lines = [json.dumps({"id": f"a-{number}", "ring": "x", "serial": str(number)}) for number in range(700)]
    lines[333] = '{"id": "a-333", "ring": "x"'
    lines[555] = '{"id": "a-1"}'
    lines[600] = '{"id": "a-600", "loc": {"row": "a"}, "loc.row": "b"}'
    path = tmp_path / "f.ndjson"
    path.write_text("\n".join(lines))
    with pytest.raises(InvalidInput) as caught:
        InventoryFile(path, wanted=wanted_labels).read()
    found = [(problem.line, problem.message[:20]) for problem in caught.value.problems]
    assert found == [
        (334, "not valid JSON: unex"),
        (601, "label `loc.row` stan"),
        (556, "the id a-1 stands on"),
    ]
    table = ["id,ring", *(f"a-{number},x" for number in range(700))]
    table[401] = '"a-400,x'
    (tmp_path / "f.csv").write_text("\n".join(table))
    with pytest.raises(InvalidInput, match=r"f\.csv:402: not valid CSV"):
        InventoryFile(tmp_path / "f.csv", wanted=wanted_labels).read()


@given(st.lists(st.dictionaries(names, st.sampled_from(["a", "b"]), min_size=1), max_size=20), st.integers(1, 5))
def test_labels_that_do_not_repeat_are_merged_where_they_do_after_all(
    fleet: list[dict[str, str]], looked_at: int
) -> None:
    sets, sharing = LabelSets(None, looked_at), LabelSets(None)
    places, expected = list[int](), list[int]()
    for row in fleet:
        places += sets.places_of([dict(row)], lambda _: -1)
        expected += sharing.places_of([dict(row)], lambda _: -1)
    merged = sets.merged(places)
    assert [sets.different[place] for place in merged] == fleet == [sharing.different[place] for place in expected]
    repeated = {
        (one, other) for one in range(len(fleet)) for other in range(len(fleet)) if expected[one] == expected[other]
    }
    assert {pair for pair in repeated if merged[pair[0]] != merged[pair[1]]} == set()


MANY = NARROWED_AT + 2_000


def many(*, sparse: Any = "x") -> list[dict[str, Any]]:
    """Servers with a serial number each; late ones have a label that none before had, and one lacks a label."""
    fleet = [{"id": f"a-{n}", "ring": f"r{n % 7}", "serial": f"{n:09}", "mac": f"m-{n}"} for n in range(MANY)]
    fleet[-1]["maint"] = sparse
    del fleet[-2]["ring"]
    return fleet


def written(folder: Path, fleet: list[dict[str, Any]], form: str) -> Path:
    path = folder / f"f.{form}"
    if form == "ndjson":
        path.write_text("\n".join(map(json.dumps, fleet)))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["id", "ring", "serial", "mac", "maint"])
            writer.writeheader()
            writer.writerows(fleet)
    return path


@pytest.mark.parametrize("form", ["ndjson", "csv"])
@pytest.mark.parametrize("asked", [set[str](), {"serial"}, None])
def test_of_a_large_fleet_only_labels_that_nobody_asks_for_and_that_group_nothing_are_dropped(
    tmp_path: Path, form: str, asked: set[str] | None
) -> None:
    fleet = many()
    servers = list(InventoryFile(written(tmp_path, fleet, form), wanted=asked).read().servers)
    kept = {"ring", "maint", *(asked or ())} if asked is not None else {"ring", "serial", "mac", "maint"}
    assert [server.id for server in servers] == [row["id"] for row in fleet]
    assert [dict(server.labels) for server in servers] == [
        {name: text for name, text in row.items() if name in kept} for row in fleet
    ]
    if asked == set():
        assert len({id(server.labels) for server in servers}) == 9  # seven rings, one without, one with more


def test_a_fleet_that_is_not_that_large_keeps_all(tmp_path: Path) -> None:
    fleet = many()[: NARROWED_AT - 1]
    servers = InventoryFile(written(tmp_path, fleet, "ndjson"), wanted=set()).read().servers
    assert all(set(server.labels) == {"ring", "serial", "mac"} for server in servers)


def test_what_is_wrong_in_a_label_that_is_dropped_is_seen(tmp_path: Path) -> None:
    fleet = many()
    fleet[-5] |= {"serial": {"no": "1"}, "serial.no": "2"}
    with pytest.raises(InvalidInput, match=f"{MANY - 4}: label `serial.no` stands twice"):
        InventoryFile(written(tmp_path, fleet, "ndjson"), wanted=set()).read()
