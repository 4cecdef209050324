"""The servers in a JSON or YAML document: a list, what a cloud API answers, or the hosts of an Ansible inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.inventory.ansible import hosts_in, is_ansible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.inventory.rows import RowReader
    from runner.model import Json

_LISTS = ("servers", "data")


class InventoryRow(NamedTuple):
    """The row of one server, and its place in the document."""

    row: Json
    path: tuple[str | int, ...]


def entries(document: Json, rows: RowReader) -> Iterator[InventoryRow]:
    """Every server of a document. What is wrong goes to `rows`."""
    if isinstance(document, list):
        yield from (InventoryRow(row, (place,)) for place, row in enumerate(document))
        return
    listed = [key for key in _LISTS if isinstance(document, dict) and isinstance(document.get(key), list)]
    if len(listed) == 1:
        (key,) = listed
        _refuse_parts(document, len(document[key]), rows)
        yield from (InventoryRow(row, (key, place)) for place, row in enumerate(document[key]))
    elif is_ansible(document):
        yield from (InventoryRow(host.row, host.path) for host in hosts_in(document, rows))
    elif isinstance(document, dict) and "id" in document:
        yield InventoryRow(document, ())
    else:
        rows.problem("expected a list of servers, a mapping with `servers` or `data`, or with Ansible's `hosts`", 1)


def _refuse_parts(document: Json, found: int, rows: RowReader) -> None:
    """An answer of a service may be one page of several: the others would be forgotten."""
    total = document.get("total")
    if isinstance(total, int) and not isinstance(total, bool) and total > found:
        message = f"`total` is {total:,}, and the list has {found:,}: this is one page of several"
        rows.problem(f"{message}; ask the service for all (`limit` and `offset`), and put them in one list", 1)
