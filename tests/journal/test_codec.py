"""Every event that can be recorded is read back as it was."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import StateFolderError
from runner.journal.codec import decode_batch, encode_batch
from runner.journal.tasks import StoredTasks, pack, parted, tasks_json, unpacked
from runner.model import Job, Task
from runner.run.events import Accepted, Adopted, Event, Intended, JobRead

st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))
strings = st.one_of(st.none(), st.dictionaries(st.text(), st.text(), max_size=2))
st.register_type_strategy(Task, st.builds(Task, cloud_server=strings))
st.register_type_strategy(Job, st.builds(Job, tasks=st.lists(st.from_type(Task), max_size=3).map(tuple)))
events = st.one_of([st.from_type(kind) for kind in get_args(Event)])


@given(st.lists(events, max_size=8))
def test_what_is_written_is_what_is_read(batch: list[Event]) -> None:
    assert list(decode_batch(*encode_batch(batch))) == batch


@given(st.lists(events, max_size=8), st.sets(st.sampled_from([kind.kind for kind in get_args(Event)])))
def test_only_the_kinds_asked_for_are_read(batch: list[Event], kinds: set[str]) -> None:
    encoded = encode_batch(batch)
    assert list(decode_batch(*encoded, kinds)) == [event for event in batch if event.kind in kinds]


@given(st.lists(events, max_size=8), st.integers(0, 3))
def test_what_only_a_report_needs_is_left_out_where_it_is_not_asked_for(batch: list[Event], more: int) -> None:
    encoded = encode_batch([*batch, *([Intended(1.0, 1)] * more)])
    lean = [without_tasks(event) for event in batch if not isinstance(event, JobRead)] + [Intended(1.0, 1)] * more
    assert list(decode_batch(encoded.events, "junk", [b"junk"], lean=True)) == lean


def without_tasks(event: Event) -> Event:
    return replace(event, job=replace(event.job, tasks=())) if isinstance(event, Accepted | Adopted) else event


@given(st.lists(st.lists(st.from_type(Task), max_size=40), max_size=4))
def test_the_tasks_of_each_job_are_packed_by_themselves(lists: list[list[Task]]) -> None:
    written = [tasks_json(tasks) for tasks in lists]
    packed = parted(pack(written))
    assert [unpacked(data) for data in packed] == written
    stored = [StoredTasks(data, len(tasks)) for data, tasks in zip(packed, lists, strict=True)]
    assert [list(tasks) for tasks in stored] == lists
    assert [tasks[-1:] for tasks in stored] == [tuple(tasks[-1:]) for tasks in lists]


def test_tasks_are_smaller_than_they_were() -> None:
    tasks = [Task(f"task-{n}", f"id-{n}", f"node-{n}", "SUCCESS", "", 1.0, 2.0, None) for n in range(50)]
    assert len(pack([tasks_json(tasks)])) < len(tasks_json(tasks)) / 5


@pytest.mark.parametrize("damage", ["cut off", "no json", "no lists", "other fields", "one longer", "one less"])
def test_damaged_tasks_are_an_error_with_advice(damage: str) -> None:
    whole = tasks_json([Task("t", "s", None, None, None, None, None, None)] * 60)
    data = {
        "cut off": parted(pack([whole]))[0][:-9],
        "no json": whole[:-1],
        "no lists": b'{"task_id":7}',
        "other fields": b'{"id":[1]}',
        "one longer": whole.replace(b'"status":[', b'"status":[null,'),
        "one less": tasks_json([Task("t", "s", None, None, None, None, None, None)] * 59),
    }[damage]
    with pytest.raises(StateFolderError, match=r"the journal has .*tasks") as error:
        list(StoredTasks(data, 60))
    assert "it is damaged" in str(error.value)


@pytest.mark.parametrize("at", [math.nan, math.inf])
def test_a_time_that_json_cannot_carry_is_refused(at: float) -> None:
    with pytest.raises(ValueError, match="intended"):
        encode_batch([Intended(at, 1)])


@pytest.mark.parametrize("text", ["", "{", '[{"kind":"new"}]', '[{"kind":"intended","data":{"at":1}}]', "[1]"])
def test_what_this_version_does_not_write_is_an_error_with_advice(text: str) -> None:
    with pytest.raises(StateFolderError, match="written by another version of runner, or it is damaged"):
        list(decode_batch(text, ""))
