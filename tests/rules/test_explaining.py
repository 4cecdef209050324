"""On made fleets the label that is to blame is named; where chance alone is at work, nothing is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

import pytest

from runner.rules.explaining import Explanation, explain

SERVERS = 600
Fleet = dict[str, list[str | None]]


def fleet(rng: Random) -> Fleet:
    """Thirty racks of twenty in two zones, three flavors, four waves, a serial number, and a label that few have."""
    racks = [place // 20 for place in range(SERVERS)]
    waves = [min(3, place * 4 // SERVERS) for place in range(SERVERS)]
    rng.shuffle(waves)
    return {
        "az": [f"az{rack % 2}" for rack in racks],
        "flavor": [f"f{rng.randrange(3)}" for _ in racks],
        "few": ["yes" if rng.random() < 0.02 else None for _ in racks],
        "rack": [f"r{rack}" for rack in racks],
        "serial": [f"s{place}" for place in range(SERVERS)],
        "wave": [f"w{wave}" for wave in waves],
    }


def bad_in(rng: Random, columns: Fleet, rate: Callable[[Mapping[str, str | None]], float]) -> list[int]:
    return [
        place
        for place in range(SERVERS)
        if rng.random() < rate({label: column[place] for label, column in columns.items()})
    ]


def explained(seed: int, rate: Callable[[Mapping[str, str | None]], float]) -> list[Explanation]:
    rng = Random(seed)
    columns = fleet(rng)
    (found,) = explain(columns, [bad_in(rng, columns, rate)])
    return found


@pytest.mark.parametrize(
    ("label", "value", "rate"),
    [
        ("rack", "r7", 0.6),
        ("flavor", "f1", 0.2),
        ("wave", "w2", 0.2),
        ("az", "az1", 0.15),
    ],
)
def test_the_right_label_is_named_first_and_alone(label: str, value: str, rate: float) -> None:
    seeds = range(60)
    named = [explained(seed, lambda of: rate if of[label] == value else 0.02) for seed in seeds]
    right = sum(bool(found) and (found[0].label, found[0].value) == (label, value) for found in named)
    assert right >= 0.95 * len(seeds)
    assert sum(len(found) > 1 for found in named) <= 0.05 * len(seeds)


@pytest.mark.parametrize("rate", [0.005, 0.03, 0.2, 0.6])
def test_where_chance_is_at_work_less_than_one_fleet_in_twenty_has_an_explanation(rate: float) -> None:
    seeds = range(150)
    assert sum(bool(explained(seed, lambda _: rate)) for seed in seeds) < 0.05 * len(seeds)


def test_two_causes_are_both_named() -> None:
    found = explained(1, lambda of: 0.7 if of["rack"] == "r3" or of["rack"] == "r8" else 0.01)
    assert {(one.label, one.value) for one in found} == {("rack", "r3"), ("rack", "r8")}


def test_labels_of_the_very_same_servers_are_told_as_one() -> None:
    columns: Fleet = {"hyper": [*["h1"] * 20, *["h2"] * 80], "rack": [*["r1"] * 20, *["r2"] * 80]}
    (found,) = explain(columns, [range(12)])
    assert [(one.label, one.value, one.same) for one in found] == [("hyper", "h1", (("rack", "r1"),))]
    assert found[0].table == (12, 20, 12, 100)


def test_a_zone_is_not_blamed_for_one_of_its_racks() -> None:
    found = explained(2, lambda of: 1.0 if of["rack"] == "r4" else 0.0)
    assert [(one.label, one.value) for one in found] == [("rack", "r4")]


@pytest.mark.parametrize("bad", [[], [3], list(range(SERVERS))])
def test_none_one_or_all_bad_explain_nothing(bad: list[int]) -> None:
    assert explain(fleet(Random(1)), [bad]) == [[]]


def test_each_cluster_has_its_own_explanation() -> None:
    columns = fleet(Random(1))
    rack = [place for place, value in enumerate(columns["rack"]) if value == "r1"]
    flavor = [place for place, value in enumerate(columns["flavor"]) if value == "f2" and place > 100][::3]
    assert [[one.value for one in found] for found in explain(columns, [rack, flavor])] == [["r1"], ["f2"]]
