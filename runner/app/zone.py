"""In which time zone a person's `05:00` is: that of TZ, else that of cron's table, else the machine's.

A name that the C library does not know it takes for UTC without a word. A time would then be hours off: it is refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from runner.errors import InvalidInput, Problem
from runner.spec.rollout.windows import EXPECTED_TIMEZONE
from runner.spec.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

# In the order in which they count. Some crons hand the second one, the zone of their table, on to what they start.
_VARIABLES = ("TZ", "CRON_TZ")

_NAME = "(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)"
_OFFSET = "[+-]?(?:[01]?[0-9]|2[0-4])(?::[0-5][0-9]){0,2}"
_WHEN = "[+-]?[0-9]{1,3}(?::[0-5][0-9]){0,2}"
_DAY = r"(?:J?[0-9]{1,3}|M[0-9]{1,2}\.[1-5]\.[0-6])"
_CHANGE = f",{_DAY}(?:/{_WHEN})?"
# As tzset(3) has them, which need no list of zones: CST-8, <+08>-8, EST5EDT,M3.2.0,M11.1.0.
_RULE = re.compile(f"{_NAME}{_OFFSET}(?:{_NAME}(?:{_OFFSET})?(?:{_CHANGE}{_CHANGE})?)?", re.ASCII)
_SYSTEM_ZONES = "/usr/share/zoneinfo"
_MAGIC = b"TZif"


def local_zone(environ: Mapping[str, str]) -> tzinfo | None:
    """The zone of a person's times; None: as the C library has it.

    Raises:
        InvalidInput: TZ, or CRON_TZ, names none that is known.
    """
    zones = [_zone(environ, name) for name in _VARIABLES if environ.get(name)]
    return zones[0] if zones else None


def _zone(environ: Mapping[str, str], variable: str) -> tzinfo | None:
    given = environ[variable]
    name = given.removeprefix(":")
    if not name.startswith("/"):
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    if variable == "TZ" and (_RULE.fullmatch(given) or _is_zone(Path(environ.get("TZDIR", _SYSTEM_ZONES)) / name)):
        return None
    raise InvalidInput(_unknown(variable, given, name))


def _is_zone(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except (OSError, ValueError):
        return False


def _unknown(variable: str, given: str, name: str) -> Problem:
    names = {known.lower(): known for known in available_timezones()}
    close = nearest(name.lower(), names)
    hint = f"did you mean {names[close]}? " if close else ""
    hint += f"Correct {variable}, or unset it: as it is, times such as 05:00 would be taken for UTC"
    what = f"{given!r} is no time zone that is known here; expected {EXPECTED_TIMEZONE}"
    return Problem(what, "environment", path=variable, hint=hint)
