"""How many servers may be in flight while nobody knows yet what a change does to them.

The first server goes alone. From then on what is in flight may be `growth` - 1 times what has come out well so far, and one:
at a growth of 2 that is 1, 2, 4, 8. Where the evidence is against the change (see `runner.rules.sequential`), that is
divided by the square of its odds: haste costs servers then, and caution only time. With the doubt the brake goes.
"""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.rules.sequential import Evidence


def allowance(evidence: Evidence, growth: float = 2.0) -> int:
    """How many servers may be without an outcome now, at least 1. `growth`: of what is known, per job duration."""
    brake = exp(-2.0 * max(0.0, evidence.log_alarm))
    return 1 + int((growth - 1.0) * evidence.normal * brake)
