"""How a wave entry is cut: whole units, nobody twice, nobody forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runner.plan.rollout.ordering import Unit
from runner.plan.rollout.sizing import Adaptive, Percent, Ramp, Rest, Size, SizesError, cut, parse_size

percents = st.integers(1, 1000).map(lambda tenths: Percent(tenths / 10))
one_size = st.one_of(st.integers(1, 30), percents, st.just(Rest()))
some_sizes = st.lists(one_size, max_size=5)
ramps = st.builds(
    Ramp,
    st.integers(1, 9),
    st.sampled_from([1.0, 1.1, 1.5, 2.0, 3.0]),
    st.one_of(st.none(), st.integers(1, 20), percents),
)


def units_from(lengths: list[int]) -> list[Unit]:
    starts = [sum(lengths[:index]) for index in range(len(lengths))]
    return [tuple(range(start, start + length)) for start, length in zip(starts, lengths, strict=True)]


some_units = st.lists(st.integers(1, 4), max_size=30).map(units_from)


def singles(count: int) -> list[Unit]:
    return [(server,) for server in range(count)]


def counts(count: int, sizes: list[Size] | Ramp | Adaptive) -> list[int]:
    return [len(wave) for wave in waves_of(singles(count), sizes)]


def waves_of(units: list[Unit], sizes: Sequence[Size] | Ramp | Adaptive) -> list[list[Unit]]:
    cuts = cut(map(len, units), sizes)
    servers = [server for unit in units for server in unit]
    assert [servers[wave.servers] for wave in cuts] == [
        [s for unit in units[wave.units] for s in unit] for wave in cuts
    ]
    return [units[wave.units] for wave in cuts]


def servers_in(waves: list[list[Unit]]) -> list[int]:
    return [server for wave in waves for unit in wave for server in unit]


@given(some_units, st.one_of(some_sizes.map(lambda sizes: [*sizes, Rest()]), ramps, st.just(Adaptive())))
def test_every_server_is_in_one_wave_in_order_and_no_wave_is_empty(
    units: list[Unit], sizes: list[Size] | Ramp | Adaptive
) -> None:
    waves = waves_of(units, sizes)
    assert [unit for wave in waves for unit in wave] == units
    assert all(waves)


@given(some_units, some_sizes)
def test_a_wave_is_full_and_keeps_within_its_size_unless_one_unit_is_larger(
    units: list[Unit], sizes: list[Size]
) -> None:
    waves = waves_of(units, [*sizes, Rest()])
    left = sum(map(len, units))
    for index, (wave, size) in enumerate(zip(waves, sizes, strict=False)):
        most = left
        if isinstance(size, Percent):
            most = max(1, ceil(Fraction(str(size.value)) * left / 100))
        elif isinstance(size, int):
            most = size
        servers = sum(map(len, wave))
        assert servers <= most or len(wave) == 1
        if index + 1 < len(waves):
            assert servers + len(waves[index + 1][0]) > most
        left -= servers


@given(st.integers(0, 200), ramps)
def test_a_ramp_grows_by_its_factor_up_to_most(count: int, ramp: Ramp) -> None:
    most = Fraction(count)
    if isinstance(ramp.most, Percent):
        most = Fraction(max(1, ceil(Fraction(str(ramp.most.value)) * count / 100)))
    elif ramp.most is not None:
        most = Fraction(ramp.most)
    found = counts(count, ramp)
    for index, servers in enumerate(found):
        size = ceil(min(most, ramp.first * Fraction(str(ramp.factor)) ** index))
        assert servers == size or (index == len(found) - 1 and servers < size)


@given(some_units, st.lists(st.integers(1, 5), max_size=3))
def test_servers_that_no_size_covers_are_said(units: list[Unit], sizes: list[int]) -> None:
    waves = waves_of(units, [*sizes, Rest()])
    covered = len(servers_in(waves[: len(sizes)]))
    total = sum(map(len, units))
    assume(covered < total)
    with pytest.raises(SizesError) as caught:
        waves_of(units, sizes)
    assert str(caught.value) == f"sizes cover {covered} of {total} servers; end with `rest`"


def test_shares_are_of_what_is_left_and_reckoned_as_written() -> None:
    assert counts(100, [1, 5, Percent(50), Rest()]) == [1, 5, 47, 47]
    assert counts(100, [Percent(7), Rest()]) == [7, 93]
    assert counts(1000, [Percent(0.1), Rest()]) == [1, 999]
    assert counts(10, [Percent(0.1), Rest()]) == [1, 9]
    assert counts(10, [Percent(100)]) == [10]


def test_ramps() -> None:
    assert counts(100, Ramp(1, 3)) == [1, 3, 9, 27, 60]
    assert counts(100, Ramp(5, 2, 20)) == [5, 10, 20, 20, 20, 20, 5]
    assert counts(100, Ramp(5, 2, Percent(25))) == [5, 10, 20, 25, 25, 15]
    assert counts(300, Ramp(100, 1.1)) == [100, 110, 90]
    assert len(counts(3000, Ramp(1, 1.0001))) < 3000


def test_an_adaptive_entry_is_one_wave_and_no_servers_are_no_wave() -> None:
    assert counts(7, Adaptive()) == [7]
    assert counts(0, Adaptive()) == counts(0, [5]) == counts(0, []) == counts(0, Ramp(1, 2)) == []


def test_sizes_after_the_last_server_make_no_waves() -> None:
    assert counts(6, [1, 5, 20, Rest()]) == [1, 5]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (5, 5),
        ("5", 5),
        (" 5 ", 5),
        ("5%", Percent(5)),
        ("0.5 %", Percent(0.5)),
        ("100%", Percent(100)),
        ("rest", Rest()),
        *[
            (text, None)
            for text in (0, -1, "0", "-1", "0%", "0.0%", "101%", "%", "", "all", "1_0", "5.5", "\u0665", "9" * 5000)
        ],
        *[(value, None) for value in (None, True, False, 5.0, [5], {"first": 1})],
    ],
)
def test_sizes_as_people_write_them(text: object, size: Size | None) -> None:
    assert parse_size(text) == size
