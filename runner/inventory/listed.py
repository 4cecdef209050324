"""What the service lists (api-facts 2) as servers with labels: the one place that knows its fields by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson

from runner.inventory.labels import flattened
from runner.model import ListedServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from runner.model import JsonObject, Server

# Fields that have a shorter name as labels; the others keep theirs.
LABEL_OF = {
    "server_hps.id": "hyper_instance",
    "server_hps.name": "hyper_instance.name",
    "image.name": "image",
    "image.image_id": "image.id",
    "vpc_id": "vpc",
    "subnet_id": "subnet",
    "availability_zone": "az",
    "driver_version": "driver",
}
# They say nothing of the server, or the same once more, and change though it does not.
_LEFT_OUT = {"update_at", "endpoints_response"}
_OWN = {"id", "name", "labels"}
_SECRET = re.compile(
    r"passw|passwd|pwd|secret|token|private_?key|user_?data|credential|admin_?pass|authoriz", re.IGNORECASE
)


class Surrounding:
    """What other lists say of servers: of their hyper-instances by id, and the switches above them by server id.

    The topology names servers by one of their ids (api-facts 2 do not say by which).
    """

    def __init__(self) -> None:
        self._hyper: dict[str, dict[str, str]] = {}
        self._switches: dict[str, str] = {}
        self._known: dict[str, str] = {}
        self.members: dict[str, int] = {}

    def add_hyper_instances(self, rows: Iterable[JsonObject]) -> None:
        """Take hyper-instances in: their status, their tags, and how many members they have."""
        for row in rows:
            labels = dict(flattened("tags", row.get("tags")))
            if isinstance(row.get("status"), str):
                labels["hyper_instance.status"] = row["status"]
            self._hyper[row["id"]] = labels
            if isinstance(row.get("servers"), list):
                self.members[row["id"]] = len(row["servers"])

    def add_topology(self, rows: Iterable[JsonObject]) -> None:
        """Take in which switches there are above each server."""
        for row in rows:
            nodes = row.get("network_nodes")
            if isinstance(nodes, list) and nodes:
                text = ",".join(sorted(map(str, nodes)))
                self._switches[row["resource_id"]] = self._known.setdefault(text, text)

    def labels_of(self, row: JsonObject, labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """What they say of the server of a row."""
        yield from self._hyper.get(labels.get("hyper_instance", ""), {}).items()
        for key in (row["id"], labels.get("cloud_server.id", "")):
            if key in self._switches:
                yield "tor", self._switches[key]
                break


def line_of(row: JsonObject, around: Surrounding, lane: Mapping[str, str]) -> bytes:
    """A server as a line of NDJSON, with all its labels; those of its `lane` come where there are several."""
    labels = _labels_in(row)
    for name, text in (*around.labels_of(row, labels), *lane.items()):
        labels.setdefault(name, text)
    given = row.get("name")
    own = {"id": row["id"], "name": given if isinstance(given, str) and given else row["id"]}
    return orjson.dumps(own | labels) + b"\n"


def _labels_in(row: JsonObject) -> dict[str, str]:
    labels: dict[str, str] = {}
    for field, value in row.items():
        if field in _LEFT_OUT or field in _OWN:
            continue
        for name, text in flattened(field, value):
            if not _SECRET.search(name):
                labels.setdefault(LABEL_OF.get(name, name), text)
    return labels


def listed_server(server: Server) -> ListedServer:
    """A server that was read from such a line, field by field."""
    of = server.labels.get
    status, flavor, category = of("status"), of("flavor"), of("category")
    return ListedServer(
        server.id, server.name, status, flavor, category, of("cloud_server.id"), of("hyper_instance"), server.labels
    )


def parted(members: Mapping[str, int], listed: Mapping[str, int]) -> Sequence[str]:
    """The hyper-instances of which other members are listed than they have: `members` and `listed` count them by id."""
    return [one for one, count in members.items() if listed.get(one, 0) not in {0, count}]
