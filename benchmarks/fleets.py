"""Fleets for planning, and a jobspec for each: few different labels, labels of its own for each server, tables, racks."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import orjson

_PER_RACK = 16
_HEAD = """\
api_version: runner/v1
name: fleet
inventory: {inventory}
lane: {{region: cn-north-9, project_id: p}}
steps:
  - name: upgrade
    type: HDK_UPGRADE
    job_name: "hdk-{{{{ group.name }}}}"
    servers_per_job: 50
    items: [{{type: HDK_UPGRADE, spec: {{version: "24.1"}}}}]
"""
_GROUPS = """\
groups:
  - {name: canary, select: labels.ring == "canary"}
  - {name: training, select: labels.role == "training", split_by: labels.flavor}
"""
_ONE = "groups: [{name: g0, select: labels.flavor is defined}]\n"
_TEN = "groups:\n" + "".join(f"  - {{name: g{n}, select: labels.rack|int % 10 == {n}}}\n" for n in range(10))
_ASKED = """\
groups:
  - {name: canary, select: labels.serial|int < 10000}
  - {name: training, select: labels.role == "training", split_by: labels.flavor}
"""
_WAVES = """\
rollout:
  waves:
    - {name: canary, groups: [canary]}
    - {name: fleet, sizes: ["5%", "25%", rest]}
  budget:
    max_abnormal: 5%
    per: {labels.rack: 2}
"""
_STRATA = "  strata: [labels.zone, labels.room, labels.flavor]\n"


class Case(NamedTuple):
    """A fleet in a file, and the rest of a jobspec over it. `most` is how many times the bare loop it may take."""

    called: str
    inventory: str
    jobspec: str
    most: float

    def write(self, folder: Path) -> Path:
        """The jobspec, in this folder, as a file."""
        path = folder / f"{self.called.replace(' ', '-').replace(',', '')}.yaml"
        path.write_text(_HEAD.format(inventory=self.inventory) + self.jobspec)
        return path


CASES = (
    Case("few label sets", "few.ndjson", _GROUPS, 3),
    Case("labels of its own", "own.ndjson", _GROUPS, 3),
    Case("few label sets, CSV", "few.csv", _GROUPS, 3),
    Case("labels of its own, CSV", "own.csv", _GROUPS, 3),
    Case("one selector", "few.ndjson", _ONE, 3),
    Case("ten selectors", "few.ndjson", _TEN, 6),
    Case("rollout, three strata", "racks.ndjson", _GROUPS + _WAVES + _STRATA, 6),
    Case("rollout, racks as strata", "racks.ndjson", _GROUPS + _WAVES, 6),
    Case("rollout, labels of its own", "own.ndjson", _GROUPS + _WAVES, 6),
    Case("a selector of a serial number", "own.ndjson", _ASKED, 0),
)
"""0: no promise; each server is evaluated by itself."""
INVENTORIES = frozenset(case.inventory for case in CASES)


def write_fleets(folder: Path, servers: int, names: Collection[str] = INVENTORIES) -> None:
    """Write these inventories."""
    for name in names:
        with (folder / name).open("wb") as file:
            if name.endswith(".csv"):
                file.write(",".join(_row(name, 0, servers)).encode() + b"\n")
            for number in range(servers):
                row = _row(name, number, servers)
                line = ",".join(row.values()).encode() if name.endswith(".csv") else orjson.dumps(row)
                file.write(line + b"\n")


def _row(inventory: str, number: int, servers: int) -> dict[str, str]:
    row = {
        "id": str(uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128, version=4)),
        "name": f"node-{number:07}",
        "ring": "canary" if number < servers // 100 else "main",
        "role": "training",
        "flavor": f"snt9{'bc'[number % 2]}",
        "rack": str(number % 500),
    }
    if inventory.startswith("own"):
        row["serial"] = f"{number:09}"
    if inventory.startswith("racks"):
        rack = number // _PER_RACK
        row |= {"zone": f"z{rack % 5}", "room": f"m{rack % 50}", "rack": f"r{rack}"}
    return row
