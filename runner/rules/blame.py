"""Which servers of a request a refusal is about, from the service's own words (api-facts 5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# A server that the service does not know is why, also where it does not say which.
UNKNOWN_SERVER = frozenset({"ModelArts.6404", "ModelArts.6309"})
_WORD = re.compile(r"[\w-]+(?:\.[\w-]+)*")


def named_in(message: str, ids: Iterable[str]) -> frozenset[str]:
    """The ids that the message has as a word of its own, in whatever case: not as a part of a longer one."""
    words = {word.casefold() for word in _WORD.findall(message)}
    return frozenset(server for server in ids if server.casefold() in words)
