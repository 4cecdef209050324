"""Plans as JSON: readable, canonical, hashed. What is sent for a request is made here too, so that both agree."""

from __future__ import annotations

import math
from codecs import BOM_UTF8
from dataclasses import asdict
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from runner.errors import InvalidInput, Problem, RefusedToStart
from runner.model import Json, JsonMapping, JsonObject, Lane
from runner.plan.hashing import hash_document, is_hash_of
from runner.plan.hooks import hooks_from_json, hooks_to_json
from runner.plan.plan import Plan, PlannedGroup, PlannedRequest, PlanSummary
from runner.plan.rollout.codec import labels_to_json, rollout_from_json, rollout_to_json
from runner.servers import ServerColumns, columns_of, ids_of, in_pieces, names_of
from runner.spec.campaign import Submit, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCHEMA_VERSION = "runner/plan/v1"
_PARTS = ("name", "description", "type", "is_reboot", "items")


def request_body(body: JsonMapping, server_ids: Sequence[str], name: str) -> JsonObject:
    """The body of a create-job call (api-facts 1.1), from a planned one. Secrets in it are references."""
    full = {"name": name, "description": body.get("description"), "server_ids": list(server_ids)}
    if full["description"] is None:
        del full["description"]
    return {**full, **{part: body[part] for part in ("type", "is_reboot", "items") if part in body}}


def hash_plan(plan: Plan) -> str:
    """The hash of what the plan does (`runner.plan.hashing`)."""
    return hash_document(_document(plan))


def plan_to_json(plan: Plan, *, readable: bool = False) -> bytes:
    """The plan's JSON; `readable` for a file that people look at, with the bodies just as they are sent.

    Else the bodies are without their servers, which the groups have as well: half the size, and read in half the time.
    """
    document = {"plan_hash": plan.plan_hash, **_document(plan, with_servers=readable)}
    layout = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE if readable else 0
    return orjson.dumps(document, default=_joined, option=layout)


def _joined(pieces: Iterator[Sequence[Json]]) -> list[Json]:
    return list(chain.from_iterable(pieces))


def plan_from_json(data: bytes, file: str) -> Plan:
    """A plan from its JSON.

    Raises:
        InvalidInput: it is no plan.
        RefusedToStart: it was changed after it was hashed.
    """
    try:
        document = orjson.loads(data.removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError as error:
        raise InvalidInput(Problem(f"not valid JSON: {error.msg}", file, error.lineno, error.colno)) from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        found = f"schema_version is {version!r}" if version else "it has no schema_version"
        raise InvalidInput(
            Problem(f"not a plan of {SCHEMA_VERSION}: {found}", file, hint="plans are made by `runner plan -o`")
        )
    try:
        return _checked_plan(document, file)
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        raise InvalidInput(Problem(f"not a plan of {SCHEMA_VERSION}: {_in_words(error)}", file)) from error


class PlanNames(NamedTuple):
    """What a person may name of a plan."""

    groups: tuple[str, ...]
    waves: tuple[str, ...]


def names_in_plan(data: bytes) -> PlanNames:
    """The names in a plan that was stored, without a look at the rest of it."""
    document = orjson.loads(data)
    waves = document["rollout"]["waves"] if "rollout" in document else ()
    return PlanNames(tuple(group["name"] for group in document["groups"]), tuple(wave["name"] for wave in waves))


def _in_words(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _document(plan: Plan, *, with_servers: bool = True) -> JsonObject:
    """The plan as JSON, for one use: what there may be a million of is in pieces, which are made when they come up."""
    ids = [ids_of(group.servers) for group in plan.groups]
    return {
        "schema_version": SCHEMA_VERSION,
        "campaign": plan.campaign,
        "description": plan.description,
        "created_at": plan.created_at,
        "runner_version": plan.runner_version,
        "inventory_fingerprint": plan.inventory_fingerprint,
        "parents": list(plan.parents),
        "jobspec": plan.jobspec,
        "variables": plan.variables,
        "summary": asdict(plan.summary),
        "submit": _submit(plan.submit),
        "watch": _finite(asdict(plan.watch)),
        "lanes": [lane._asdict() for lane in plan.lanes],
        "steps": list(plan.steps),
        "groups": (
            [
                {
                    "name": group.name,
                    "lane": group.lane,
                    "servers": in_pieces(ids_of_group),
                    "server_names": in_pieces(names_of(group.servers)),
                }
            ]
            for group, ids_of_group in zip(plan.groups, ids, strict=True)
        ),
        "requests": _requests(plan, ids if with_servers else None),
        **({"rollout": rollout_to_json(plan.rollout)} if plan.rollout is not None else {}),
        **_labels(plan),
        **({"on_event": hooks_to_json(plan.hooks)} if plan.hooks else {}),
    }


def _labels(plan: Plan) -> JsonObject:
    """The labels of all servers; left out where nobody knows any, as in plans that were made before they were kept."""
    servers = [columns_of(group.servers) for group in plan.groups]
    known = plan.rollout is not None or any(of.label_names() for of in servers)
    return {"labels": labels_to_json(servers)} if known else {}


_LATER = frozenset({"outage_s", "longest_pause_s"})


def _submit(submit: Submit) -> JsonObject:
    """Without what versions before did not know, where it is as usual: the hash is the one that they made."""
    values = _finite(asdict(submit))
    usual = asdict(Submit())
    return {name: value for name, value in values.items() if name not in _LATER or value != usual[name]}


def _finite(values: JsonObject) -> JsonObject:
    """`unlimited` is infinity here and null in JSON, which has no infinity."""
    return {key: None if isinstance(value, float) and math.isinf(value) else value for key, value in values.items()}


def _requests(plan: Plan, ids: Sequence[Sequence[str]] | None) -> Iterator[list[JsonObject]]:
    """The requests; `ids` are those of the servers of each group, None: the bodies are without their servers.

    Requests that share a body differ in their servers alone.
    """
    with_waves = plan.rollout is not None
    full: dict[int, JsonObject] = {}
    for requests in in_pieces(plan.requests):
        documents: list[JsonObject] = []
        for step, group, start, stop, body, wave in requests:
            if id(body) not in full:
                full[id(body)] = request_body(body, (), str(body["name"]))
            own_body = full[id(body)].copy()
            if ids is None:
                del own_body["server_ids"]
            else:
                own_body["server_ids"] = ids[group][start:stop]
            if with_waves:
                document = {"wave": wave, "group": group, "step": step, "start": start, "stop": stop, "body": own_body}
            else:
                document = {"group": group, "step": step, "start": start, "stop": stop, "body": own_body}
            documents.append(document)
        yield documents


def _checked_plan(document: JsonObject, file: str) -> Plan:
    claimed = document.pop("plan_hash", None)
    for request in document["requests"]:
        if "server_ids" not in request["body"]:
            servers = document["groups"][request["group"]]["servers"]
            request["body"]["server_ids"] = servers[request["start"] : request["stop"]]
    if not is_hash_of(document, claimed):
        raise RefusedToStart(
            f"{file}: the plan was changed after it was made: it claims {claimed}, and is {hash_document(document)}",
            hint="make it anew with `runner plan -o`, and have it approved again",
        )
    return _plan(document, claimed)


def _plan(document: JsonMapping, plan_hash: str) -> Plan:
    shared: dict[bytes, JsonObject] = {}
    submit = Submit(**{**document["submit"], "rate": _rate(document["submit"]["rate"])})
    watch = Watch(**{**document["watch"], "rate": _rate(document["watch"]["rate"])})
    summary = PlanSummary(**{**document["summary"], "warnings": _warnings(document["summary"])})
    return Plan(
        campaign=document["campaign"],
        description=document["description"],
        jobspec=document["jobspec"],
        variables=document["variables"],
        inventory_fingerprint=document["inventory_fingerprint"],
        runner_version=_of_kind(document, "runner_version", str),
        created_at=_of_kind(document, "created_at", (int, float)),
        lanes=tuple(Lane(**lane) for lane in document["lanes"]),
        steps=tuple(document["steps"]),
        groups=_groups(document),
        requests=tuple(_planned(request, shared) for request in document["requests"]),
        submit=submit,
        watch=watch,
        summary=summary,
        plan_hash=plan_hash,
        parents=tuple(document.get("parents", ())),
        rollout=rollout_from_json(document["rollout"]) if "rollout" in document else None,
        hooks=hooks_from_json(document.get("on_event", ())),
    )


def _of_kind(document: JsonMapping, key: str, kind: type | tuple[type, ...]) -> Any:  # noqa: ANN401  as `kind`
    """A value that the hash does not cover, so that anything may stand there."""
    value = document[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{key} is {value!r}")
    return value


def _warnings(summary: JsonMapping) -> tuple[str, ...]:
    """Likewise outside the hash."""
    warnings = summary["warnings"]
    if not isinstance(warnings, list) or not all(isinstance(text, str) for text in warnings):
        raise TypeError(f"summary.warnings are {warnings!r}")
    return tuple(warnings)


def _rate(value: float | None) -> float:
    return math.inf if value is None else value


def _groups(document: JsonMapping) -> tuple[PlannedGroup, ...]:
    labels = document.get("labels") or {"different": (), "of": repeat(None)}
    return tuple(
        PlannedGroup(
            group["name"],
            group["lane"],
            ServerColumns(group["servers"], group["server_names"], labels["different"], places),
        )
        for group, places in zip(document["groups"], labels["of"], strict=False)
    )


def _planned(request: JsonMapping, shared: dict[bytes, JsonObject]) -> PlannedRequest:
    body = {part: request["body"][part] for part in _PARTS if part in request["body"]}
    body = shared.setdefault(orjson.dumps(body), body)
    return PlannedRequest(
        request["step"], request["group"], request["start"], request["stop"], body, request.get("wave", 0)
    )
