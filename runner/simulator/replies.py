"""Answers of the simulated service, in the shapes of api-facts 1.2 and 5."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.model import JsonObject


@dataclass(frozen=True, slots=True)
class SimulatedReply:
    """An answer: HTTP status, JSON body, more headers."""

    status: int
    body: JsonObject
    headers: dict[str, str] = field(default_factory=dict)


def refusal(status: int, code: str, message: str, **headers: str) -> SimulatedReply:
    """An error in the service's usual shape."""
    return SimulatedReply(
        status, {"error_code": code, "error_msg": message}, {k.replace("_", "-"): v for k, v in headers.items()}
    )


def page(rows: list[JsonObject], total: int, size: int, offset: int) -> SimulatedReply:
    """One page of a list."""
    return SimulatedReply(
        200,
        {
            "current": offset // size + 1 if size else 1,
            "pages": -(-total // size),
            "size": size,
            "total": total,
            "data": rows,
        },
    )
