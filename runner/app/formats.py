"""The JSON Schemas of the files that people and machines exchange with the program."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from runner.model import JsonObject


class _Source(NamedTuple):
    module: str
    function: str


# By name, so that only the one asked for is imported: each brings pydantic models of its own.
_SOURCES = {
    "jobspec": _Source("runner.spec.document", "jobspec_schema"),
    "inventory": _Source("runner.inventory.schema", "inventory_schema"),
    "plan": _Source("runner.plan.schema", "plan_schema"),
    "report": _Source("runner.report.models", "report_schema"),
    "signal": _Source("runner.spec.signals", "signal_schema"),
    "event": _Source("runner.journal.schema", "event_schema"),
    "behaviour": _Source("runner.simulator.behaviour", "behaviour_schema"),
}
NAMES = tuple(_SOURCES)


def schema(name: str) -> JsonObject:
    """The JSON Schema of one of `NAMES`."""
    source = _SOURCES[name]
    made: JsonObject = getattr(import_module(source.module), source.function)()
    return made
