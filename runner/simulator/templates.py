"""Job templates of the simulated service (api-facts 1.6): only `version` of the upgrade is documented."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.model import JsonObject


def _template(kind: str, *params: dict[str, str]) -> JsonObject:
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, kind)),
        "name": kind.lower().replace("_", "-"),
        "description": "",
        "type": kind,
        "flavor_type": "ASCEND_GENERIC",
        "params": list(params),
    }


TEMPLATES = [
    _template(
        "ASCEND_SOFTWARE_UPGRADE",
        {
            "name": "version",
            "description": "HDK version",
            "value": "",
            "visible": "true",
            "regex": r"^\d+\.\d+\.\w+.*$",
        },
    ),
    _template("LOG_COLLECT"),
    _template("COMMON"),
    _template("SERVICE_DEPLOY"),
    _template("ASCEND_SYSTEM_CONFIG"),
]
