"""Tables as spreadsheets and people write them: every form gives the servers that it shows."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import InvalidInput
from runner.inventory.files import InventoryFile

EXPECTED = [("s1", "n1", {"ring": "canary"}), ("s2", "n2", {"ring": "main"}), ("s3", "s3", {})]


def read(folder: Path, text: str | bytes, name: str = "f.csv") -> list[tuple[str, str, dict[str, str]]]:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return [(server.id, server.name, dict(server.labels)) for server in InventoryFile(path).read().servers]


@pytest.mark.parametrize(
    "text",
    [
        "id,name,ring\ns1,n1,canary\ns2,n2,main\ns3,,\n",
        pytest.param("id , name,ring\n s1,n1 , canary\ns2 ,n2,main \ns3, , \n", id="blanks"),
        pytest.param("\xa0id,name\xa0,ring\ns1,\xa0n1,canary\xa0\ns2,n2,\xa0main\ns3,\xa0,\n", id="no-break blanks"),
        pytest.param("\ufeffid;name;ring\r\ns1;n1;canary\r\ns2;n2;main\r\ns3;;\r\n", id="semicolons"),
        pytest.param("id\tname\tring\ns1\tn1\tcanary\ns2\tn2\tmain\ns3\t\t\n", id="tabs"),
        pytest.param("id|name|ring\ns1|n1|canary\ns2|n2|main\ns3||\n", id="bars"),
        pytest.param("sep=;\r\nid;name;ring\r\ns1;n1;canary\r\ns2;n2;main\r\ns3\r\n", id="a separator that is said"),
        pytest.param("id,name,ring\ns1,n1,canary\ns2,n2,main\ns3\n", id="a short row"),
        pytest.param("id,name,ring\ns1,n1,canary\n,,\n\n  , ,\ns2,n2,main\ns3,,\n,,,,,\n", id="rows of nothing"),
        pytest.param("id,name,ring,,\ns1,n1,canary,,\ns2,n2,main,,\ns3,,,,\n", id="columns of nothing"),
        pytest.param("id,name,ring\ns1,n1,canary,,\ns2,n2,main,\ns3,,,\n", id="cells of nothing"),
        pytest.param("\n,,\nid,name,ring\ns1,n1,canary\ns2,n2,main\ns3,,\n", id="rows of nothing before it"),
        pytest.param('"id","name","ring"\n"s1","n1","canary"\n"s2"," n2","main"\n"s3","",""\n', id="all quoted"),
        pytest.param("id,name,ring\u200b\ns1,n1,canary\u200b\ns2,n2,\ufeffmain\ns3,,\n", id="marks that nobody sees"),
    ],
)
@pytest.mark.parametrize("name", ["f.csv", "f.tsv", "f"])
def test_every_way_to_write_a_table_gives_the_same_servers(tmp_path: Path, text: str, name: str) -> None:
    assert read(tmp_path, text, name) == EXPECTED


def test_blanks_inside_a_value_stay_and_are_plain_ones(tmp_path: Path) -> None:
    assert read(tmp_path, "id,site\ns1,a\xa0b\ns2,a b\n") == [
        ("s1", "s1", {"site": "a b"}),
        ("s2", "s2", {"site": "a b"}),
    ]


def test_a_header_may_go_over_two_lines_and_so_may_a_value(tmp_path: Path) -> None:
    text = 'id,"rack\nno"\ns1,"a\nb"\ns2,c\n'
    assert read(tmp_path, text) == [("s1", "s1", {"rack\nno": "a\nb"}), ("s2", "s2", {"rack\nno": "c"})]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ID;Name\ns1;n1\n", "f.csv:1: the first line must name the columns, one of them `id`; it names `ID`, `Name`,"),
        ("ID;Name\ns1;n1\n", "separated by semicolons; if `ID` is it, call it `id`"),
        ("name,Server ID\nn1,s1\n", "separated by commas; if `Server ID` is it, call it `id`"),
        ("name\tuuid\nn1\ts1\n", "separated by tabs; if `uuid` is it, call it `id`"),
        ("name,ring\nn1,x\n", "it names `name`, `ring`, separated by commas"),
        ("", "the first line must name the columns"),
        ("id;name\ns1;n1\ns2;n2;x\n", "f.csv:3: 3 values, the first line names 2 columns; both are separated by semicolons"),
        ("\n\nid,name\ns1,n1,x\n", "f.csv:4: 3 values"),
        ("id,name\ns1;n1\n", "f.csv:2: 's1;n1' is no valid id"),
        ("id,,x\ns1,a,b\n", "f.csv:2: the value 'a' is in a column without a name"),
        ("id,,,x\ns1,,,b\n", "f.csv:1: several columns have no name"),
        ("id,a,a\ns1,1,2\n", "f.csv:1: column `a` stands twice"),
        ('id,a\ns1,"b\n', "not valid CSV"),
        ("id,a\ns1,b\n".encode("utf-16"), "f.csv:1: UTF-16, not UTF-8; save the file as UTF-8 (in Excel: CSV UTF-8)"),
        ("id,城市\ns1,北京\n".encode("gbk"), "f.csv:1: not UTF-8; save the file as UTF-8 (in Excel: CSV UTF-8)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, text)
    assert says in str(caught.value)


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n", exclude_categories=["Cc"]), max_size=9)


@given(st.lists(st.lists(cells, min_size=2, max_size=2), max_size=6), st.sampled_from(",;\t|"), st.booleans())
def test_what_is_read_is_what_stands_in_the_cells(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], separator: str, quoted: bool
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    writer.writerows([("id", "a", "b"), *((f"s{place}", *row) for place, row in enumerate(rows))])
    found = read(tmp_path_factory.mktemp("t"), text.getvalue())
    assert [server_id for server_id, _, _ in found] == [f"s{place}" for place in range(len(rows))]
    for row, (_, _, labels) in zip(rows, found, strict=True):
        for name, cell in zip("ab", row, strict=True):
            for blank, plain in (("\xa0", " "), ("\u202f", " "), ("\u3000", " "), ("\u200b", ""), ("\ufeff", "")):
                cell = cell.replace(blank, plain)  # noqa: PLW2901  what is left of it
            assert labels.get(name, "") == cell.strip()
