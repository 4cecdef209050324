"""One run in one file, to hand to somebody: its plan, its journal and its report."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import orjson

from runner.app.history import stored_run
from runner.app.listing import open_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from runner.journal.store import RunStore


def export_run(state_dir: Path, text: str) -> bytes:
    """A ZIP of plan.json, journal.ndjson and report.json; the same bytes every time, once the run is over.

    The journal has one entry a line, as it was written, with the hash that `runner verify` checks. No secret is in any of
    them, for none ever is.
    """
    with open_store(state_dir, reading=True) as store:
        run_id = store.resolve(text)
        stored = stored_run(store, run_id, state_dir)
        parts = {
            "plan.json": [store.load_plan(store.run(run_id).plan_hash)],
            "journal.ndjson": _entries(store, run_id),
            "report.json": stored.report_pieces(),
        }
        return _zipped(run_id, parts)


def _zipped(folder: str, parts: Mapping[str, Iterable[bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, pieces in parts.items():
            info = zipfile.ZipInfo(f"{folder}/{name}")  # without a time of its own
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            with archive.open(info, "w", force_zip64=True) as file:  # how large it will be is not known
                for piece in pieces:
                    file.write(piece)
    return buffer.getvalue()


def _entries(store: RunStore, run_id: str) -> Iterator[bytes]:
    for link in store.links(run_id):
        details = orjson.Fragment(link.details) if link.details else None
        entry = {"seq": link.seq, "hash": link.hash, "events": orjson.Fragment(link.events), "details": details}
        if link.tasks:
            entry["tasks"] = [orjson.Fragment(tasks) for tasks in link.tasks]
        yield orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
