"""What depends on labels is asked once for what is alike in those that it reads, and comes to the same as server by server."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runner.errors import Problem
from runner.model import Server
from runner.plan.batching import Cap, batch_sizes
from runner.plan.grouping import select_groups
from runner.servers import LabelTable, ServerColumns, columns_of, indices_by
from runner.spec.campaign import GroupSpec, LaneSpec, Place, Template
from runner.spec.expressions import ServerExpression, labels_read_by
from runner.spec.names import Names
from runner.spec.per_labels import PerLabels
from runner.spec.templates import TemplateProblem

HERE = Place("f.yaml", 3, 5, "select")
CONTEXT = {"vars": Names("vars", {"key": "ring"})}
labels = st.dictionaries(st.sampled_from(["ring", "zone", "slot"]), st.sampled_from(["a", "b", "7", "x"]), max_size=3)
fleets = st.lists(labels, max_size=12).map(
    lambda fleet: [Server(f"id-{number}", f"n-{number}", of_one) for number, of_one in enumerate(fleet)]
)
SELECTORS = [
    'labels.ring == "a"',
    'labels.ring != "a" and labels.zone in ["a", "b"]',
    "labels.slot|int > 5",
    '"zone" in labels',
    'labels[key] == "b"',
    "labels|length > 1",
    'id == "id-3"',
    'labels.get("zone", "b") == "b"',
    "true",
]


def group(name: str, select: str) -> GroupSpec:
    nowhere = LaneSpec(None, None, None)
    return GroupSpec(name=name, place=HERE, lane=nowhere, vars={}, select=Template(select, HERE))


def in_a_table(fleet: list[Server]) -> ServerColumns:
    """The same servers as an inventory has them, each with labels of its own."""
    table = LabelTable()
    for server in fleet:
        table.add(tuple(server.labels), [[text] for text in server.labels.values()], 1)
    return ServerColumns([one.id for one in fleet], [one.name for one in fleet], table, range(len(fleet)))


@given(fleets, st.lists(st.sampled_from(SELECTORS), min_size=1, max_size=4), st.sampled_from([columns_of, in_a_table]))
def test_groups_have_the_servers_that_each_was_asked_for_one_by_one(
    fleet: list[Server], selectors: list[str], columns: Callable[[list[Server]], ServerColumns]
) -> None:
    groups = [group(f"g{number}", select) for number, select in enumerate(selectors)]
    problems: list[Problem] = []
    found = select_groups(groups, columns(fleet), [CONTEXT] * len(groups), problems)
    expected: list[list[str]] = [[] for _ in groups]
    tests = [ServerExpression(Template(s, HERE), CONTEXT["vars"].values, is_condition=True) for s in selectors]
    failed: list[Problem] = []
    for server in fleet:
        try:
            first = next((number for number, test in enumerate(tests) if test.value(server)), None)
        except TemplateProblem as error:
            failed.append(error.problem)
            continue
        if first is not None:
            expected[first].append(server.id)
    assert problems == failed[:1]  # of the first server that cannot be looked at
    if not failed:
        assert [[server.id for server in one.servers] for one in found] == expected


@pytest.mark.parametrize("select", ['labels[key] == "b"', "labels|length > 1"])
def test_labels_of_a_thousand_servers_are_not_taken_for_each_other(select: str) -> None:
    """What is known by which object labels are is not taken for that of others, which came later to the same place."""
    fleet = [Server(f"id-{n}", "n", {"ring": "ab"[n % 7 == 3]} | ({"zone": "a"} if n % 5 else {})) for n in range(1700)]
    expected = [n for n in range(1700) if (n % 7 == 3 if "key" in select else n % 5)]
    (found,) = select_groups([group("g", select)], in_a_table(fleet), [CONTEXT], [])
    assert list(found.servers.ids) == [f"id-{n}" for n in expected]
    expression = ServerExpression(Template(select, HERE), CONTEXT["vars"].values, is_condition=True)
    test = PerLabels(expression, expression.value)
    assert [n for n in range(1700) if test(Server("", "", dict(fleet[n].labels)))] == expected


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ('labels.ring == "a"', {"ring"}),
        ('labels["ring"] == labels.get("zone", labels.slot)', {"ring", "zone", "slot"}),
        ('"zone" in labels and "x" not in labels', {"zone", "x"}),
        ("labels.location.row is defined", {"location.row"}),
        ("id", set()),
        ("labels[key]", None),
        ("labels|length", None),
        ("labels.ring in labels", None),
        ("labels", None),
    ],
)
def test_which_labels_an_expression_reads(source: str, reads: set[str] | None) -> None:
    assert labels_read_by(Template(source, HERE)) == reads


def test_a_function_is_asked_once_for_each_value_of_the_labels_that_it_reads() -> None:
    fleet = columns_of([Server(f"id-{n}", "n", {"ring": "ab"[n % 2], "serial": str(n)}) for n in range(100)])
    asked: list[str] = []

    def ring(server: Server) -> str:
        asked.append(server.labels["ring"])
        return server.labels["ring"]

    once = PerLabels(ServerExpression(Template("labels.ring", HERE)), ring)
    assert once.of(fleet) == ["ab"[n % 2] for n in range(100)]
    assert [once(server) for server in fleet[:4]] == ["a", "b", "a", "b"]
    assert asked == ["a", "b"]


@given(st.lists(st.integers(0, 9), max_size=8), st.lists(st.integers(0, 7), max_size=6), st.data())
def test_servers_that_are_taken_out_of_others_are_the_ones_meant(
    first: list[int], second: list[int], data: st.DataObject
) -> None:
    whole = ServerColumns([f"id-{n}" for n in range(10)], [f"n-{n}" for n in range(10)], [{"a": "1"}, {}], [0, 1] * 5)
    servers = list(whole)
    one, other = whole.take(first), whole.take(second)
    assert list(one) == [servers[n] for n in first]
    assert list(one.then([other, one])) == [servers[n] for n in (*first, *second, *first)]
    some = data.draw(st.slices(len(first)))
    assert list(one[some]) == [servers[n] for n in first][some]
    assert [one[n] for n in range(len(one))] == list(one)
    with pytest.raises(ValueError, match="several fleets"):
        whole.then([columns_of(servers)])


@given(st.lists(st.sampled_from("abc"), max_size=20))
def test_indices_are_where_values_stand(values: list[str]) -> None:
    assert indices_by(values) == {v: [n for n, one in enumerate(values) if one == v] for v in dict.fromkeys(values)}


caps = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 4), max_size=4)


@given(
    st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=12),
    st.integers(3, 6),
    st.lists(caps, max_size=2),
    st.data(),
)
def test_requests_are_as_large_as_every_limit_lets_them(
    units: list[tuple[int, bool]], most: int, limits: list[dict[str, int]], data: st.DataObject
) -> None:
    lengths = [length if together else 1 for length, together in units]
    column = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=sum(lengths), max_size=sum(lengths))
    of_limits = [Cap(data.draw(column), limit) for limit in limits]

    def fits(start: int, stop: int) -> bool:
        used = [(cap.values[start:stop], cap.most) for cap in of_limits]
        return stop - start <= most and all(v.count(x) <= limit for v, m in used for x, limit in m.items())

    ends = [sum(lengths[:number]) for number in range(len(lengths) + 1)]
    assume(all(fits(*unit) for unit in pairwise(ends)))  # else it is refused before
    sizes = batch_sizes(lengths, most, of_limits)
    assert sum(sizes) == sum(lengths)
    start = 0
    for size in sizes:
        stop = start + size
        assert stop in ends
        assert fits(start, stop)
        if stop < ends[-1]:
            assert not fits(start, ends[ends.index(stop) + 1])
        start = stop
