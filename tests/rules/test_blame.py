"""Which servers a refusal names."""

from __future__ import annotations

import pytest

from runner.rules.blame import named_in

IDS = ("s-1", "s-10", "6513270e-9e3d-4b3f-8a4c-0d0e5a0f4f11", "rack.1.node")


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("LiteServer instance 's-1' not found.", {"s-1"}),
        ("LiteServer instance 's-10' not found.", {"s-10"}),
        ("Server S-1 is busy", {"s-1"}),
        ("not found: s-1.", {"s-1"}),
        ("not found: [s-1,s-10]", {"s-1", "s-10"}),
        ("instance(6513270e-9e3d-4b3f-8a4c-0d0e5a0f4f11): operation in progress", {IDS[2]}),
        ("6513270E-9E3D-4B3F-8A4C-0D0E5A0F4F11", {IDS[2]}),
        ("rack.1.node is busy, rack.1.node2 is not", {"rack.1.node"}),
        ("my-s-1 and s-1-x and s-1.x are none of them", set()),
        ("LiteServer instance not found.", set()),
        ("", set()),
    ],
)
def test_a_server_is_named_by_a_word_of_its_own(message: str, named: set[str]) -> None:
    assert named_in(message, IDS) == named
