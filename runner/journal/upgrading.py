"""What a database of an earlier version gets beside new columns: what its entries and plans already tell."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import orjson

from runner.journal.chain import first_hash, next_hash
from runner.model import Lane
from runner.plan.digests import pack

if TYPE_CHECKING:
    from collections.abc import Callable

    import apsw


def _hash_entries(db: apsw.Connection) -> None:
    """Entries get the hashes that they would have been written with: from here on a change to them shows."""
    for run_id, plan_hash in list(db.execute("SELECT id, plan_hash FROM run")):
        before = first_hash(run_id, plan_hash)
        entries = db.execute("SELECT seq, events FROM entry WHERE run_id = ? ORDER BY seq", (run_id,))
        for seq, events in list(entries):
            before = next_hash(before, seq, events.encode())
            db.execute("UPDATE entry SET hash = ? WHERE run_id = ? AND seq = ?", (before, run_id, seq))


def _index_plans(db: apsw.Connection) -> None:
    """Runs get their parents, and plans the digests of their servers.

    A plan that cannot be read is left without: a run of it is then read whenever it might matter, and says what is wrong.
    """
    for (plan_hash,) in list(db.execute("SELECT plan_hash FROM plan")):
        ((body,),) = db.execute("SELECT body FROM plan WHERE plan_hash = ?", (plan_hash,))
        try:
            parents, digests = _told(body)
        except (LookupError, TypeError, ValueError, zlib.error):
            continue
        db.execute("INSERT INTO plan_index (plan_hash, digests) VALUES (?, ?)", (plan_hash, digests))
        db.execute(
            "INSERT INTO parent SELECT DISTINCT run.id, value FROM run, json_each(?) WHERE plan_hash = ?",
            (orjson.dumps(parents).decode(), plan_hash),
        )


def _told(body: bytes) -> tuple[list[str], bytes]:
    """The parents that a plan names, and the digests of its servers."""
    document: dict[str, Any] = orjson.loads(body if body[:1] == b"{" else zlib.decompress(body))
    labels = [Lane(**lane).label for lane in document["lanes"]]
    groups = [(labels[group["lane"]], group["servers"]) for group in document["groups"]]
    return list(document.get("parents", ())), pack(groups)


FILL_IN: dict[int, Callable[[apsw.Connection], None]] = {2: _hash_entries, 5: _index_plans}
"""What to do after the statements of a version."""
