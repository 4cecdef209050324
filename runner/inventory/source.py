"""Where servers come from: what every source of them gives, whatever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from runner.servers import ServerColumns


@dataclass(frozen=True, slots=True)
class Inventory:
    """Servers, in the source's order, and the fingerprint of what they were read from (`sha256:` over its bytes)."""

    servers: ServerColumns
    fingerprint: str


class InventorySource(Protocol):
    """A source of servers. `name` is what people call it."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def read(self) -> Inventory:
        """The servers as they are now.

        Raises:
            InvalidInput: it cannot be read, or servers of it are wrong; names each with its place.
        """
        ...
