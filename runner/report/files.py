"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from runner.errors import StateFolderError
from runner.plain import plain_json

if TYPE_CHECKING:
    from runner.report.fold import Report


def report_to_json(report: Report) -> bytes:
    """A report as a file has it."""
    return plain_json(orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file by way of a temporary one beside it, which takes its place once it is on disk.

    Raises:
        StateFolderError: it cannot be written; the file that was there, if any, is as it was.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise StateFolderError(
            f"{path} cannot be written: {error.strerror}",
            hint="nothing is lost: the journal has it all. Make room or choose another place, then `runner report RUN`",
        ) from error
