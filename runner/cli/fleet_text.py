"""The servers that the service lists, in each form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from runner.cli import streams
from runner.cli.json_text import print_json
from runner.cli.table import table
from runner.plain import one_line, plain_json
from runner.plan.estimate import duration_text
from runner.report.csv_text import csv_lines
from runner.report.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.app.fleet_changes import ChangedServer, FleetChange
    from runner.app.fleet_view import FleetView
    from runner.model import JsonObject, Server

VIEW_VERSION = "runner/servers/v1"
_COLUMNS = ("status", "flavor", "category", "hyper_instance.name")
_MOST = 10
_NONE = "(none)"


def show(found: FleetView, output: str, by: str | None) -> None:
    """Print the servers, or how many there are of each kind, as the result."""
    if output == "json":
        print_json(_document(found, by))
    elif found.counts is not None:
        _show_counts(found.counts, output, by or "")
    elif output == "table":
        rows = (
            [server.id, server.name, *(server.labels.get(name, "") for name in _COLUMNS)] for server in found.servers
        )
        streams.echo(table(["id", "name", *_COLUMNS[:-1], "hyper-instance"], rows))
        streams.echo(f"{len(found.servers):,} of {found.listed.servers:,} servers ({found.listed.scope})")
    else:
        streams.echo_all(_FORMS[output](found))


def show_change(change: FleetChange | None, now: float, *, beside: bool) -> None:
    """Print what differs from the last look; on stderr where standard output has the servers alone."""
    if change is None:
        return
    say = streams.say if beside else streams.echo
    ago = duration_text(max(0.0, now - change.since))
    if not change:
        say(f"nothing changed since {ago} ago")
        return
    say(f"since {ago} ago: {len(change.new):,} new, {len(change.gone):,} gone, {change.changed:,} changed")
    lines = [f"  new {server}" for server in change.new[:_MOST]]
    lines += [f"  gone {server}" for server in change.gone[:_MOST]]
    lines += [f"  changed {_changed(server)}" for server in change.first_changed[:_MOST]]
    for line in lines:
        say(one_line(line))


def _changed(server: ChangedServer) -> str:
    parts = (f"{name} {was or _NONE} -> {now or _NONE}" for name, (was, now) in server.labels.items())
    return f"{server.id} ({server.name}): {', '.join(parts)}"


def _document(found: FleetView, by: str | None) -> JsonObject:
    listed, change = found.listed, found.change
    document: JsonObject = {
        "schema_version": VIEW_VERSION,
        "read_at": rfc3339(listed.read_at),
        "scope": listed.scope,
        "lanes": list(listed.lanes),
        "fingerprint": listed.fingerprint,
        "listed": listed.servers,
        "remarks": list(found.remarks),
    }
    if found.counts is None:
        document["servers"] = [server._asdict() for server in found.servers]
    else:
        document |= {"by": by, "counts": [{"value": value, "servers": n} for value, n in _ordered(found.counts)]}
    if change is not None:
        document["change"] = {
            "since": rfc3339(change.since),
            "new": change.new,
            "gone": change.gone,
            "changed": change.changed,
            "first_changed": [
                {"id": one.id, "name": one.name, "labels": {k: list(v) for k, v in one.labels.items()}}
                for one in change.first_changed
            ],
        }
    return document


def _ordered(counts: Mapping[str | None, int]) -> list[tuple[str | None, int]]:
    """The most first."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0] or ""))


def _show_counts(counts: Mapping[str | None, int], output: str, by: str) -> None:
    rows = _ordered(counts)
    if output == "table":
        streams.echo(table([one_line(by), "servers"], [[value or _NONE, f"{count:,}"] for value, count in rows]))
    elif output == "ids":
        streams.echo_all(value for value, _ in rows if value)
    elif output == "csv":
        streams.echo_all(csv_lines(["value", "servers"], rows))
    else:
        streams.echo_all(_json({"value": value, "servers": count}) for value, count in rows)


def _ndjson(found: FleetView) -> Iterator[str]:
    return (_json(_flat(server)) for server in found.servers)


def _flat(server: Server) -> JsonObject:
    return {"id": server.id, "name": server.name, **server.labels}


def _json(value: object) -> str:
    return streams.fitting_json(plain_json(orjson.dumps(value)).decode())


def _table_of_all(found: FleetView) -> Iterator[str]:
    names = list(found.servers.label_names())
    rows = ([server.id, server.name, *map(server.labels.get, names)] for server in found.servers)
    return csv_lines(["id", "name", *names], rows)


def _ids(found: FleetView) -> Iterator[str]:
    return iter(found.servers.ids)


_FORMS = {"csv": _table_of_all, "ndjson": _ndjson, "ids": _ids}
