"""Servers as they were listed, kept in the state folder: what a plan is made of without asking again, or offline."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import orjson

from runner.app.folder import journal_path
from runner.errors import StateFolderError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from io import BufferedRandom
    from pathlib import Path

    from runner.app.host import Files
    from runner.model import Lane

LIST_VERSION = "runner/server-list/v1"
_FOLDER = "servers"
_KEY, _NAME = 16, 24
_PIECE = 1 << 20
_KEPT_S = 86_400.0  # another process may still read an older list


@dataclass(frozen=True, slots=True)
class FleetList:
    """Servers as they were listed at `read_at`, epoch seconds: `servers` lines of NDJSON in `file`.

    `fingerprint` is `sha256:` over its bytes. `warnings` are what a person should know of it. `previous` is the file of the
    look before, read at `previous_at`.
    """

    schema_version: str
    scope: str
    lanes: tuple[str, ...]
    read_at: float
    servers: int
    fingerprint: str
    file: str
    warnings: tuple[str, ...] = ()
    previous: str | None = None
    previous_at: float | None = None


class FleetCache:
    """The lists of one choice of lanes and scope; `project` tells lanes apart that leave it to the environment."""

    def __init__(self, state_dir: Path, lanes: Sequence[Lane], scope: str, project: str | None) -> None:
        asked = orjson.dumps([scope, project, *map(list, lanes)])
        self.folder = journal_path(state_dir).parent / _FOLDER
        self._key = hashlib.sha256(asked).hexdigest()[:_KEY]
        self._head = self.folder / f"{self._key}.json"

    def path_of(self, file: str) -> Path:
        """Where a file of it is."""
        return self.folder / file

    def last(self) -> FleetList | None:
        """The newest list; None: there is none that can be read, or it was changed."""
        try:
            found: dict[str, Any] = orjson.loads(self._head.read_bytes())
            if found.get("schema_version") != LIST_VERSION:
                return None
            listed = FleetList(**{**found, "lanes": tuple(found["lanes"]), "warnings": tuple(found["warnings"])})
            with self.path_of(listed.file).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            return None
        return listed if f"sha256:{digest}" == listed.fingerprint else None

    def keep(
        self,
        files: Files,
        spool: BufferedRandom,
        *,
        scope: str,
        lanes: Sequence[str],
        servers: int,
        warnings: Sequence[str],
        now: float,
    ) -> FleetList:
        """Keep what is in `spool` as the newest list.

        Raises:
            FileNotWritten: it cannot be.
        """
        spool.flush()
        spool.seek(0)
        digest = hashlib.file_digest(spool, "sha256").hexdigest()
        before = self.last()
        listed = FleetList(
            LIST_VERSION,
            scope,
            tuple(lanes),
            now,
            servers,
            f"sha256:{digest}",
            f"{self._key}-{digest[:_NAME]}.ndjson",
            tuple(warnings),
            before.file if before else None,
            before.read_at if before else None,
        )
        if before is None or before.file != listed.file:
            files.write(self.path_of(listed.file), _Pieces(spool), private=True)
        files.write(self._head, orjson.dumps(asdict(listed)), private=True)
        self._forget({listed.file, listed.previous}, now)
        return listed

    def _forget(self, kept: set[str | None], now: float) -> None:
        for path in self.folder.glob(f"{self._key}-*.ndjson"):
            with suppress(OSError):
                if path.name not in kept and now - path.stat().st_mtime > _KEPT_S:
                    path.unlink()


class _Pieces:
    """What is in a file, in pieces that can be gone through again."""

    def __init__(self, file: BufferedRandom) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        while piece := self._file.read(_PIECE):
            yield piece


class NoList(StateFolderError):
    """There is no list to go by where none may be asked for."""

    def __init__(self, lanes: str) -> None:
        super().__init__(
            f"there is no list of the servers of {lanes}", hint="read one: runner servers, with the same jobspec"
        )
