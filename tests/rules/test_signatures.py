"""Messages of the same trouble have the same signature, whatever server they are about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.plain import one_line
from runner.rules.signatures import LONGEST, signature

ALIKE = [
    ("no route to 10.0.3.17:8443", "no route to 10.0.200.1:80", "no route to <address>"),
    ("job 00f1-77 of cn-north-9-node-12 died", "job 00f1-77 of cn-north-9-node-7 died", None),
    ("cannot read /var/lib/hdk/24.1/a.run", "cannot read /opt/x", "cannot read <path>"),
    ("timed out after 1,800.5 s", "timed out after 3 s", "timed out after <n> s"),
    (
        "task 3f2504e0-4f89-11d3-9a0c-0305e82c3301 lost",
        "task 7f2504e0-4f89-11d3-9a0c-0305e82c3309 lost",
        "task <id> lost",
    ),
    ("at 2026-01-02T03:04:05Z", "at 2027-11-12 23:04", "at <time>"),
    ("get https://a.example/x?y=1 failed", "get http://b.example:80/ failed", "get <url> failed"),
    ("device fe80:0:0:1:2:3:4:5 down", "device fe80:0:0:1:2:3:4:7 down", "device <address> down"),
    ("npu deadbeef01 lost", "npu 0badcafe lost", "npu <name> lost"),
]
APART = [
    ("HTTP 503 ModelArts.4302 down", "HTTP 503 ModelArts.6404 down"),
    ("HTTP 503", "HTTP 404"),
    ("disk is full", "disk is gone"),
    ("no route to 10.0.0.1", "no route to /dev/null"),
]


@pytest.mark.parametrize(("one", "other", "masked"), ALIKE)
def test_what_varies_is_masked(one: str, other: str, masked: str | None) -> None:
    assert signature(one) == signature(other)
    assert masked is None or signature(one) == masked


@pytest.mark.parametrize(("one", "other"), APART)
def test_what_tells_troubles_apart_is_kept(one: str, other: str) -> None:
    assert signature(one) != signature(other)


@given(st.text(max_size=2000))
def test_a_signature_is_one_short_line_that_does_nothing(message: str) -> None:
    said = signature(message)
    assert len(said) <= LONGEST
    assert one_line(said) == said


@given(st.integers(), st.integers())
def test_no_number_tells_messages_apart(one: int, other: int) -> None:
    assert signature(f"step {abs(one)} failed") == signature(f"step {abs(other)} failed")


def test_a_message_of_a_million_characters_costs_no_more_than_a_line() -> None:
    for text in ("a1-." * 250_000, "/a" * 500_000, "f0:" * 300_000, "1.2." * 250_000, "\x1b]52;c;" * 100_000):
        assert len(signature(text)) <= LONGEST
