"""Whole runs in virtual time, for tests and stories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.engine.virtual import VirtualClock, VirtualLoop
from tests.engine.world import World, play, until_it_dies

__all__ = ["InWorld", "VirtualClock", "VirtualLoop", "World", "play", "until_it_dies"]

InWorld = Callable[..., Any]


@pytest.fixture
def in_world() -> InWorld:
    return play
