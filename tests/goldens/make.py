"""Stores the journal of a state folder as a golden, with what this program makes of it; README.md says when to.

Start it as `python -m tests.goldens.make NAME STATE_DIR`.
"""

from __future__ import annotations

import gzip
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
import orjson

from runner.app.history import read_run
from runner.app.listing import open_store, run_object

HERE = Path(__file__).parent
JOURNAL = "journal.db"


def rows_of(state_dir: Path) -> list[dict[str, Any]]:
    """The runs there, as lists show them."""
    with open_store(state_dir, reading=True) as store:
        return [run_object(row) for row in store.runs()]


def main(name: str, state_dir: Path) -> None:
    """Make the folder of a golden: the journal as it is, and the list and reports of its runs."""
    golden = HERE / name
    golden.mkdir()
    with TemporaryDirectory() as folder:
        copied = Path(folder) / JOURNAL
        with (
            closing(apsw.Connection(str(state_dir / JOURNAL))) as there,
            closing(apsw.Connection(str(copied))) as here,
            # No plain copy: after a kill, the end of the journal is in a file beside it.
            here.backup("main", there, "main") as backup,
        ):
            backup.step()
        (golden / f"{JOURNAL}.gz").write_bytes(gzip.compress(copied.read_bytes(), mtime=0))
        rows = rows_of(Path(folder))
        options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        (golden / "list.json").write_bytes(orjson.dumps(rows, option=options))
        for row in rows:
            (golden / f"{row['id']}.json").write_bytes(b"".join(read_run(Path(folder), row["id"]).report_pieces()))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).resolve())
