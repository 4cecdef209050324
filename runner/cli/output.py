"""What commands print as their result."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
import orjson

from runner.cli import streams
from runner.cli.plan_page import first_of_steps
from runner.plain import one_line
from runner.plan.codec import request_body
from runner.plan.estimate import estimate_text
from runner.spec.secrets import mask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.model import JsonObject
    from runner.plan.plan import Plan

_LONGEST_WARNING = 2_000


def warnings(plan: Plan) -> None:
    """Print what a person should look at before going on."""
    for text in plan.summary.warnings:
        warning(text)


def warning(text: str) -> None:
    """Print one such thing, unless the command is to be quiet."""
    context = click.get_current_context(silent=True)
    if context is None or not context.params.get("quiet"):
        streams.say(f"warning: {one_line(text, _LONGEST_WARNING)}")


def error(text: str) -> None:
    """Print what went wrong beside, also where the command is to be quiet."""
    streams.say(f"error: {one_line(text, _LONGEST_WARNING)}")


def plan_line(plan: Plan) -> str:
    """A plan in one line."""
    summary = plan.summary
    return f"{summary.selected:,} servers in {len(plan.groups):,} groups, {summary.requests:,} requests"


def plan_object(plan: Plan, forecast: Sequence[JsonObject] = ()) -> JsonObject:
    """A plan for a machine, without its servers (`-o` writes those)."""
    counts = dict.fromkeys(("succeeded", "failed", "skipped", "timed_out", "unknown"), 0)
    return {
        "id": None,
        "campaign": plan.campaign,
        "state": "planned",
        "plan_hash": plan.plan_hash,
        "started_at": None,
        "counts": {"servers": plan.summary.selected, **counts, "not_started": plan.summary.selected},
        "summary": {
            "inventory_servers": plan.summary.inventory_servers,
            "selected": plan.summary.selected,
            "unselected": plan.summary.unselected,
            "requests": plan.summary.requests,
            "warnings": list(plan.summary.warnings),
        },
        "submitting": estimate_text(plan),
        "groups": [
            {"name": group.name, "servers": len(group.servers), "lane": plan.lanes[group.lane].label}
            for group in plan.groups
        ],
        "waves": [asdict(wave) for wave in plan.rollout.waves] if plan.rollout else [],
        "forecast": list(forecast),
        "first_requests": [
            orjson.loads(mask(orjson.dumps(_first_body(plan, index)).decode()))
            for index in first_of_steps(plan).values()
        ],
    }


def _first_body(plan: Plan, index: int) -> object:
    ids = [server.id for server in plan.servers_of(index)]
    return request_body(plan.requests[index].body, ids, str(plan.requests[index].body["name"]))


_MOST_LINES = 20


def diff_text(found: Mapping[str, Sequence[Any]]) -> str:
    """A comparison of two plans, for a person."""
    parts = {
        "servers new": list(found["new"]),
        "servers gone": list(found["gone"]),
        "servers moved": [f"{move['server_id']}: {move['from']} -> {move['to']}" for move in found["moved"]],
        "parameters changed": [
            f"{change['step']} of {change['group']}: {change['parameter']}: {change['from']!r} -> {change['to']!r}"
            for change in found["changed"]
        ],
        "rules changed": [f"{rule['parameter']}: {rule['from']!r} -> {rule['to']!r}" for rule in found["rules"]],
        "servers not done": [f"{server['server_id']}: {server['outcome']}" for server in found["undone"]],
    }
    lines = []
    for title, entries in parts.items():
        if entries:
            lines.append(f"{title}: {len(entries):,}")
            lines += [f"  {one_line(entry)}" for entry in entries[:_MOST_LINES]]
            lines += [f"  and {len(entries) - _MOST_LINES:,} more"] if len(entries) > _MOST_LINES else []
    return "\n".join(lines) or "nothing differs"
