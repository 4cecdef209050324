"""Every event that can be recorded is read back as it was."""

from __future__ import annotations

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import StateFolderError
from runner.journal.codec import decode_batch, encode_batch
from runner.model import Task
from runner.run.events import Event, Intended

st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))
strings = st.one_of(st.none(), st.dictionaries(st.text(), st.text(), max_size=2))
st.register_type_strategy(Task, st.builds(Task, cloud_server=strings))
events = st.one_of([st.from_type(kind) for kind in get_args(Event)])


@given(st.lists(events, max_size=8))
def test_what_is_written_is_what_is_read(batch: list[Event]) -> None:
    assert list(decode_batch(*encode_batch(batch))) == batch


@given(st.lists(events, max_size=8), st.sets(st.sampled_from([kind.kind for kind in get_args(Event)])))
def test_only_the_kinds_asked_for_are_read(batch: list[Event], kinds: set[str]) -> None:
    encoded = encode_batch(batch)
    assert list(decode_batch(*encoded, kinds)) == [event for event in batch if event.kind in kinds]
    assert list(decode_batch(*encoded, without=kinds)) == [event for event in batch if event.kind not in kinds]


@pytest.mark.parametrize("at", [math.nan, math.inf])
def test_a_time_that_json_cannot_carry_is_refused(at: float) -> None:
    with pytest.raises(ValueError, match="intended"):
        encode_batch([Intended(at, 1)])


@pytest.mark.parametrize("text", ["", "{", '[{"kind":"new"}]', '[{"kind":"intended","data":{"at":1}}]', "[1]"])
def test_what_this_version_does_not_write_is_an_error_with_advice(text: str) -> None:
    with pytest.raises(StateFolderError, match="written by another version of runner, or it is damaged"):
        list(decode_batch(text, ""))
