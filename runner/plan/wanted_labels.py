"""Which labels of an inventory a plan looks at: these are kept in any case, the others as long as they group servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.spec.expressions import labels_read_by
from runner.spec.templates import TemplateProblem

if TYPE_CHECKING:
    from runner.spec.campaign import Campaign, Template


def wanted_labels(campaign: Campaign, limit: Template | None) -> frozenset[str] | None:
    """The labels; None for all: a rollout keeps them, for a person may ask by any of them which servers to leave out."""
    if campaign.rollout is not None:
        return None
    templates = [group.select for group in campaign.groups] + [group.split_by for group in campaign.groups] + [limit]
    try:
        read = [labels_read_by(template) for template in templates if template is not None]
    except TemplateProblem:  # said when it is used
        return None
    known = [labels for labels in read if labels is not None]
    return frozenset[str]().union(*known) if len(known) == len(read) else None
