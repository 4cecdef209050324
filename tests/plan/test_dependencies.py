"""Which requests must be over first, whatever the sizes of requests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.plan.dependencies import prerequisites
from runner.plan.digests import lane_servers
from runner.plan.retry import Parent, retry_plan
from tests.conftest import small_plan

sizes = st.lists(st.integers(1, 12), min_size=1, max_size=3)
per_job = st.lists(st.integers(1, 5), min_size=1, max_size=3)


@given(sizes, per_job, st.data())
def test_they_are_those_of_the_step_before_that_hold_its_servers(
    sizes: list[int], per_job: list[int], data: st.DataObject
) -> None:
    whole = small_plan(sizes, per_job)
    everyone = list(lane_servers(whole))
    again = data.draw(st.dictionaries(st.sampled_from(everyone), st.integers(0, len(per_job) - 1), min_size=1))
    for plan in (whole, retry_plan([Parent("run-1", whole, again)], 0.0, "0")):
        for index, needed in enumerate(prerequisites(plan)):
            request = plan.requests[index]
            ours = {server.id for server in plan.servers_of(index)}
            expected = [
                other
                for other, earlier in enumerate(plan.requests)
                if (earlier.group, earlier.step) == (request.group, request.step - 1)
                and ours & {server.id for server in plan.servers_of(other)}
            ]
            assert list(needed) == expected


@given(sizes, per_job, st.data())
def test_a_retry_takes_each_server_through_the_steps_that_are_left_once(
    sizes: list[int], per_job: list[int], data: st.DataObject
) -> None:
    whole = small_plan(sizes, per_job)
    everyone = list(lane_servers(whole))
    again = data.draw(st.dictionaries(st.sampled_from(everyone), st.integers(0, len(per_job) - 1), min_size=1))
    plan = retry_plan([Parent("run-1", whole, again)], 0.0, "0")
    done: dict[str, list[int]] = {}
    for index, request in enumerate(plan.requests):
        for server in plan.servers_of(index):
            done.setdefault(server.id, []).append(request.step)
    assert {server: sorted(steps) for server, steps in done.items()} == {
        server.server_id: list(range(step, len(per_job))) for server, step in again.items()
    }
    assert plan.parents == ("run-1",)
