"""Servers and their labels by column come to the same as one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.servers import LabelTable, ServerColumns, in_pieces

names = st.lists(st.sampled_from(["ring", "zone", "rack"]), unique=True, max_size=3)
texts = st.sampled_from(["a", "b", "c"])
labels = names.flatmap(lambda some: st.fixed_dictionaries({}, optional=dict.fromkeys(some, texts)))
fleets = st.lists(st.lists(st.tuples(st.permutations(["ring", "zone", "rack"]), labels), max_size=3), max_size=8)


def written(order: list[str], some: dict[str, str]) -> dict[str, str]:
    return {name: some[name] for name in order if name in some}


@given(fleets, st.data())
def test_a_table_has_the_labels_that_were_added_with_their_names_in_order(
    fleet: list[list[tuple[list[str], dict[str, str]]]], data: st.DataObject
) -> None:
    table, expected = LabelTable(), list[dict[str, str]]()
    for batch in fleet:
        for order, some in batch:
            one = written(order, some)
            assert list(table.add(tuple(one), [[text] for text in one.values()], 1)) == [len(expected)]
            expected.append(one)
    places = data.draw(st.lists(st.integers(0, len(expected) - 1), max_size=9) if expected else st.just([]))
    assert [list(one.items()) for one in table.rows(places)] == [list(expected[place].items()) for place in places]
    assert [list(one.items()) for one in table] == [list(one.items()) for one in expected]
    for name in ("ring", "zone", "rack", "other"):
        assert list(table.column(name)) == [one.get(name) for one in expected]
    assert set(table.names) == {name for one in expected for name in one}
    in_order = [tuple(one.items()) for one in expected]
    first = [in_order.index(one) for one in in_order]
    assert (table.first_alike() or list(range(len(first)))) == first


def test_labels_that_are_looked_at_twice_are_one_object() -> None:
    """What was found out about labels is remembered by what they are."""
    table = LabelTable()
    table.add(("ring",), [["a", "b"]], 2)
    servers = ServerColumns(["s0", "s1"], ["n0", "n1"], table, range(2))
    assert servers[1].labels is servers[1].labels is list(servers)[1].labels is table[-1]
    assert servers.take([1])[0].labels is servers[1].labels
    with pytest.raises(IndexError):
        table[2]


@given(st.integers(0, 1200))
def test_pieces_are_all_of_it(count: int) -> None:
    pieces = list(in_pieces(range(count)))
    assert [value for piece in pieces for value in piece] == list(range(count))
    assert all(pieces)
