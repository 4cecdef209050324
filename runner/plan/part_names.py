"""What the parts of a group that is split are called: `GROUP-VALUE`, within what the service accepts as a name.

A name follows from the value and the jobspec alone, so that it is the same whatever else is selected. Where the value
does not fit into a name as it is, a hash of it keeps it apart from others that would be called alike.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from runner.spec.rules import MAX_NAME, NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.spec.campaign import GroupSpec

_NOT_IN_NAMES = re.compile(r"[^_.a-zA-Z0-9]+")
_HASH = 8


def part_name(group: GroupSpec, value: str, groups: Iterable[GroupSpec]) -> str:
    """The name of the part of `group` with this value; `groups` are all of the jobspec."""
    name = f"{group.name}-{value}"
    if NAME.accepts(name) and not _may_be_another(name, group, groups):
        return name
    digest = hashlib.sha256(f"{group.name}\n{value}".encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
    slug = _NOT_IN_NAMES.sub("-", value).strip("-")
    readable = f"{group.name}-{slug}"[: MAX_NAME - _HASH - 1].rstrip("-")
    return f"{readable}-{digest}"


def _may_be_another(name: str, group: GroupSpec, groups: Iterable[GroupSpec]) -> bool:
    """Whether it is the name of another group, or may be that of one of its parts."""
    return any(
        other.name == name or (other.split_by is not None and name.startswith(f"{other.name}-"))
        for other in groups
        if other is not group and len(other.name) > len(group.name)
    )
