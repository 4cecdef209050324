"""Digests of servers: what has a server in common is never missed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.model import Lane
from runner.plan.digests import LaneServer, digest, lane_servers, pack, plan_digests, share
from tests.conftest import small_plan

servers = st.sets(st.builds(LaneServer, st.sampled_from(["a/p", "a/q", "b/p"]), st.text(max_size=4)), max_size=60)


def packed(some: set[LaneServer]) -> bytes:
    return pack((server.lane, [server.server_id]) for server in some)


@given(servers, servers)
def test_two_sets_share_a_digest_if_they_share_a_server(one: set[LaneServer], other: set[LaneServer]) -> None:
    digests = {digest(server) for server in other}
    common = {digest(server) for server in one} & digests
    assert share(packed(one), digests) is bool(common)
    assert not one & other or common


@given(servers)
def test_a_large_set_is_searched_for_one_server_as_well(some: set[LaneServer]) -> None:
    many = {LaneServer("a/p", f"other-{number}") for number in range(500)}
    for server in some:
        assert share(packed(many | {server}), {digest(server)})
    assert not share(packed(many), {digest(LaneServer("a/p", "none of them"))})


def test_an_id_elsewhere_is_another_server() -> None:
    lanes = [Lane("r", None, "p"), Lane("r", None, "q"), Lane("s", None, "p"), Lane("r", "https://e", "p")]
    assert len({digest(LaneServer(lane.label, "id-1")) for lane in lanes}) == len(lanes)


def test_a_plan_has_four_bytes_for_each_server_wherever_it_is_written() -> None:
    plan = small_plan((3, 2), lanes=2)
    assert len(list(lane_servers(plan))) * 4 == len(plan_digests(plan)) == 20
    assert all(share(plan_digests(plan), {digest(server)}) for server in lane_servers(plan))
    # The lowest byte first, whatever machine wrote it: a state folder may be carried to another.
    assert pack([("r/p", ["id-1"])]) == digest(LaneServer("r/p", "id-1")).to_bytes(4, "little")
    assert share(b"", set()) is False
