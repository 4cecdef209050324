"""The limits of a budget, in one table: jobspecs, plans, ledgers, `runner set` and the schemas are made from it.

A new limit is a line here, and one in docs/rollouts.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """Which servers a limit is about: it counts them, and a percentage is of them."""

    CAMPAIGN = "campaign"  # all servers of the plan
    WAVE = "wave"  # those of each wave
    GROUP = "group"  # those of each group
    DOMAIN = "domain"  # those of the plan with each value of an expression


class Counted(StrEnum):
    """What becomes of a server that a limit counts. What is in flight is counted, too, as if it came to that."""

    ABNORMAL = "abnormal"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class LimitKind:
    """A limit by its name in `rollout.budget`; `meaning` is for the schema.

    `settable`: `runner set` can change it while a run goes on; only a limit of the campaign can be. `always_written`:
    a plan has it also where it is not given, as null. So it is for those of the first version of the format; a new one
    is left out there, or the plans that were made before it would have another hash when they are read.
    """

    name: str
    scope: Scope
    counts: Counted
    meaning: str
    settable: bool = False
    always_written: bool = False


LIMITS = (
    LimitKind(
        "max_abnormal",
        Scope.CAMPAIGN,
        Counted.ABNORMAL,
        "Abnormal servers of the campaign.",
        settable=True,
        always_written=True,
    ),
    LimitKind(
        "max_abnormal_per_wave", Scope.WAVE, Counted.ABNORMAL, "Abnormal servers of each wave.", always_written=True
    ),
    LimitKind(
        "max_abnormal_per_group", Scope.GROUP, Counted.ABNORMAL, "Abnormal servers of each group.", always_written=True
    ),
    LimitKind(
        "max_unavailable",
        Scope.CAMPAIGN,
        Counted.ABNORMAL,
        "Servers that are abnormal or in flight at once.",
        settable=True,
        always_written=True,
    ),
    LimitKind(
        "max_skipped",
        Scope.CAMPAIGN,
        Counted.SKIPPED,
        "Servers that the service skipped.",
        settable=True,
        always_written=True,
    ),
)
PER = LimitKind(
    "per",
    Scope.DOMAIN,
    Counted.ABNORMAL,
    "Failure domains: for each value of an expression over servers, how many may be abnormal or in flight; "
    "`whole`: its servers go together or not at all.",
    always_written=True,
)
"""The limits of failure domains: not one, but one for each value of each of its expressions."""

SETTABLE = tuple(kind.name for kind in LIMITS if kind.settable)
"""The limits that can be changed while a run goes on."""
