"""How other tools stop a rollout, as their documentation says, in the model of `runner.rules.forecast`.

Jobs take one unit of time; what is sent together comes back together; what is in flight when a stop comes is harmed all
the same. Where a page leaves something open, it is read in the tool's favour: forks and workers without limit, decisions
at once, outcomes reported at once.

- AWS Systems Manager: "Run commands at scale" and "Control automations at scale" (user guide). One target, then two more,
  growing exponentially up to max-concurrency; no more is sent once errors exceed max-errors; what runs is left to finish.
- AWS IoT Jobs: "How job configurations work" (developer guide), AbortCriteria (API reference). A rate per minute, of 1 at
  least, multiplied by incrementFactor whenever so many more things have succeeded; cancelled when at least
  minNumberOfExecutedThings are over and the percentage of failures reaches thresholdPercentage.
- Ansible: "Controlling playbook execution: strategies and more" (`serial`, the examples are taken from there), "Error
  handling in playbooks" (`max_fail_percentage`: of the batch, must be exceeded, not equaled).
- Eclipse hawkBit: "Rollout Management". Groups one after another; the error threshold, a percentage of a group,
  must be exceeded.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from runner.rules.forecast import Chance, Fate, binomial

if TYPE_CHECKING:
    from collections.abc import Sequence

# A job of the model, in AWS IoT's minutes.
MINUTES_PER_JOB = 10


def systems_manager(fleet: int, concurrency: int, max_errors: int, rate: float, chance: Chance) -> Fate:
    """AWS Systems Manager: `concurrency` targets at once, at most `max_errors` errors."""
    touched, errors, duration, flight = 0, 0, 0, 1
    while touched < fleet and errors <= max_errors:
        sent = min(flight, fleet - touched)
        errors += binomial(sent, rate, chance)
        touched, duration, flight = touched + sent, duration + 1, min(2 * flight, concurrency)
    return Fate(errors, touched, duration, stopped=touched < fleet)


def batches(sizes: Sequence[int], percentage: float, rate: float, chance: Chance) -> Fate:
    """Ansible and hawkBit: one batch after another, until in one of them more than `percentage` fail."""
    touched = harmed = duration = 0
    for size in sizes:
        failed = binomial(size, rate, chance)
        touched, harmed, duration = touched + size, harmed + failed, duration + 1
        if failed * 100 > percentage * size:
            break
    return Fate(harmed, touched, duration, stopped=touched < sum(sizes))


def iot_jobs(fleet: int, step: int, least: int, percentage: float, rate: float, chance: Chance) -> Fate:
    """AWS IoT Jobs: from 1 a minute, doubled with every `step` successes; judged from `least` outcomes on."""
    sent: list[int] = []
    touched = harmed = failed = over = 0
    speed, next_rise = 1, step
    while over < fleet:
        if touched < fleet:
            sent.append(min(speed, fleet - touched))
            touched += sent[-1]
        else:
            sent.append(0)
        if len(sent) >= MINUTES_PER_JOB:
            back = sent[-MINUTES_PER_JOB]
            broken = binomial(back, rate, chance)
            over, failed = over + back, failed + broken
            while over - failed >= next_rise:
                speed, next_rise = min(2 * speed, 1000), next_rise + step
            if over >= least and failed * 100 >= percentage * over and touched < fleet:
                harmed = failed + binomial(touched - over, rate, chance)
                return Fate(harmed, touched, ceil(len(sent) / MINUTES_PER_JOB), stopped=True)
    return Fate(failed, touched, ceil(len(sent) / MINUTES_PER_JOB), stopped=False)
