"""Where servers come from: what every source of them gives, whatever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.servers import ServerColumns


@dataclass(frozen=True, slots=True)
class Inventory:
    """Servers, in the source's order, and the fingerprint of what they were read from (`sha256:` over its bytes)."""

    servers: ServerColumns
    fingerprint: str
