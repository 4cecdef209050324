"""Job templates of the simulated service (api-facts 1.6), and what a strict service refuses by them.

Only `version` of the upgrade is documented.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from runner.simulator.replies import SimulatedReply, page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.model import JsonMapping, JsonObject
    from runner.simulator.behaviour import Behaviour, GivenTemplate

_DEFAULT_SIZE = 10


def _template(kind: str, *params: JsonObject, flavor: str = "ASCEND_GENERIC") -> JsonObject:
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind} {flavor}")),
        "name": kind.lower().replace("_", "-"),
        "description": "",
        "type": kind,
        "flavor_type": flavor,
        "params": list(params),
    }


def _param(name: str, description: str = "", value: str = "", visible: str = "true", regex: str = "") -> JsonObject:
    return {"name": name, "description": description, "value": value, "visible": visible, "regex": regex}


_ALWAYS = [
    _template("ASCEND_SOFTWARE_UPGRADE", _param("version", "HDK version", regex=r"^\d+\.\d+\.\w+.*$")),
    _template("LOG_COLLECT"),
    _template("COMMON"),
    _template("SERVICE_DEPLOY"),
    _template("ASCEND_SYSTEM_CONFIG"),
]


class Templates:
    """The templates there are: the usual ones, but for types that the behaviour gives anew, and those."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._switches = behaviour.templates
        self._renamed = behaviour.jobs.rewritten_types
        given = [_template(*_given(one), flavor=one.flavor) for one in self._switches.given]
        anew = {one["type"] for one in given}
        self._all = [*(one for one in _ALWAYS if one["type"] not in anew), *given]

    def listed(self, query: Mapping[str, str]) -> SimulatedReply:
        """A page of them."""
        every = [one for one in self._all if query.get("type") in {None, one["type"]}]
        if self._switches.paging == "none":
            return page(every, len(every), len(every), 0)
        limit, offset = int(query.get("limit") or _DEFAULT_SIZE), int(query.get("offset") or 0)
        offset = 0 if self._switches.paging == "ignored" else offset
        limit = _DEFAULT_SIZE if self._switches.paging == "ignored" else limit
        return page(every[offset : offset + limit], len(every), limit, offset)

    def refuses(self, body: JsonMapping) -> str | None:
        """Why a strict service refuses a create; None: it does not, or is not strict."""
        if not self._switches.enforced:
            return None
        kind = self._renamed.get(body["type"], body["type"])
        of_type = [one for one in self._all if one["type"] == kind]
        if not of_type:
            return f"Unknown type {body['type']}."
        return min((_refused_by(one, body) for one in of_type), key=lambda why: why is not None)


def _given(one: GivenTemplate) -> tuple[str, *tuple[JsonObject, ...]]:
    return (one.type, *(_param(name, **switches) for name, switches in one.params.items()))


def _refused_by(template: JsonObject, body: JsonMapping) -> str | None:
    params = {param["name"]: param for param in template["params"]}
    specs = [item.get("spec") or {} for item in body["items"]]
    for spec in specs:
        for key, value in spec.items():
            if key not in params:
                return f"Unknown parameter {key}."
            if params[key]["regex"] and not re.fullmatch(params[key]["regex"], value):
                return f"Invalid parameter {key}."
    for name, param in params.items():
        if param["visible"] == "true" and not param["value"] and not any(name in spec for spec in specs):
            return f"Missing parameter {name}."
    return None
