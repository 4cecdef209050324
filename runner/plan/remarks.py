"""What a person should know of a plan before it is carried out, though nothing is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from runner.plan.grouping import SelectedGroup
    from runner.spec.campaign import GroupSpec


def overridden_variables(groups: Iterable[GroupSpec], given: Mapping[str, object]) -> Iterator[str]:
    """Variables that were given for this plan, and that a group has its own way."""
    for group in groups:
        for name in sorted(group.vars.keys() & given.keys()):
            message = f"group `{group.name}` has a `{name}` of its own, and does not use that of -e"
            yield f"{group.place.file}:{group.place.line}: {message}"


def changed_names(selected: Iterable[SelectedGroup]) -> Iterator[str]:
    """Parts of groups that are not called by their value, because it does not fit into a name."""
    for group in selected:
        if group.value is not None and group.name != f"{group.spec.name}-{group.value}":
            message = f"the part of group `{group.spec.name}` for {group.value!r} is called `{group.name}`"
            yield f"{group.spec.place.file}:{group.spec.place.line}: {message}"
