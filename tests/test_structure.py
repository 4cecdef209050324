"""The shape of the code: what no other tool looks at."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

SOURCES = sorted(Path(__file__).parents[1].joinpath("runner").rglob("*.py"))


def test_no_two_public_classes_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for source in SOURCES:
        for node in ast.parse(source.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(source.as_posix())
    # An event and the answer that it records are two things; so is what a report's schema says of a limit.
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
