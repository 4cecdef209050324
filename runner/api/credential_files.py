"""Files with an access key, in the forms there are (api-facts 3.4): the SDK's INI, KooCLI's JSON, the console's CSV.

No error quotes what is in them, and none of the parsers' own errors get out: they quote lines, which may be secrets.
"""

from __future__ import annotations

import configparser
import csv
from typing import TYPE_CHECKING, NamedTuple

import orjson

from runner.errors import ServiceUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_SECTIONS = ("basic", "basiccredentials")  # the SDK reads one or the other, depending on how it is asked
_LARGEST = 1_000_000
_QUOTES = ("'", '"')
_CSV_NAMES = {"access key id": "ak", "secret access key": "sk"}
_PROFILE_NAMES = {
    "accessKeyId": "ak",
    "secretAccessKey": "sk",
    "securityToken": "security_token",
    "projectId": "project_id",
    "region": "region",
}
_LONGEST_KEY_ID = 64

_FORMS = (
    "It should hold a section [basic] with the lines `ak = ...` and `sk = ...`, or be KooCLI's config.json, or the CSV "
    "that the console gives for an access key."
)


class Entry(NamedTuple):
    """What a part of a file says, by the names of the SDK's file; `place` is that part, for messages."""

    values: Mapping[str, str]
    place: str


def read_entries(path: Path, profile: str | None) -> Iterator[Entry]:
    """What a file says, in the order in which it counts; `profile` is the one wanted of a file of KooCLI.

    Raises:
        ServiceUnusable: it cannot be read, or is in none of the forms.
    """
    text = _text(path)
    if text.lstrip().startswith("{"):
        return _of_koocli(text, path, profile)
    first_line = next(iter(text.lstrip().splitlines()), "").lower()
    return _of_csv(text, path) if all(name in first_line for name in _CSV_NAMES) else _of_ini(text, path)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise _unreadable(path)
        # Editors of Windows put a mark first that tells the encoding.
        return data.decode("utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig").removeprefix("\ufeff")
    except OSError as exc:
        hint = "Name a file that can be read."
        raise ServiceUnusable(f"cannot read {path}: {exc.strerror}", hint=hint) from None
    except UnicodeDecodeError:
        raise _unreadable(path) from None


def _of_ini(text: str, path: Path) -> Iterator[Entry]:
    # Interpolation off: a secret key may hold a percent sign. None holds a blank, so one before a comment ends it.
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(";", "#"))
    try:
        parser.read_string(text)
    except configparser.Error as exc:
        raise _unreadable(path, _line_of(exc)) from None
    sections = {name.strip().lower(): name for name in parser.sections()}
    for name in _SECTIONS:
        if name in sections:
            values = {key: _unquoted(value) for key, value in parser[sections[name]].items()}
            yield Entry(values, f"section [{sections[name]}] of {path}")


def _line_of(exc: configparser.Error) -> int | None:
    every = getattr(exc, "errors", None)  # of a file that begins without a section there is one, and no list
    return int(every[0][0]) if every else getattr(exc, "lineno", None)


def _of_koocli(text: str, path: Path, profile: str | None) -> Iterator[Entry]:
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise _unreadable(path, exc.lineno) from None
    name = profile or content.get("current")
    profiles = content.get("profiles")
    every = [each for each in profiles if isinstance(each, dict)] if isinstance(profiles, list) else []
    chosen = next((each for each in every if each.get("name") == name), None)
    if chosen is None:
        what = f"has no profile {profile!r}" if profile else "has no profile that `current` names"
        raise ServiceUnusable(f"{path} {what}", hint="Set HW_PROFILE to the name of one that it has.")
    place = f"the profile of {path}" if profile is None else f"the profile {profile!r} of {path}"
    sso = chosen.get("ssoAuth")
    issued = sso.get("stsToken") if isinstance(sso, dict) else None
    for part in (chosen, {**chosen, **issued} if isinstance(issued, dict) else {}):
        values = {ours: part[theirs] for theirs, ours in _PROFILE_NAMES.items() if isinstance(part.get(theirs), str)}
        _refuse_encrypted(values, place)
        yield Entry(values, place)


def _refuse_encrypted(values: Mapping[str, str], place: str) -> None:
    """Signatures made with an encrypted key would be refused, and lock the account's key."""
    key_id = values.get("ak", "")
    if len(key_id) > _LONGEST_KEY_ID or set(key_id) & set("+/="):
        raise ServiceUnusable(
            f"the access key in {place} is encrypted",
            hint="Let KooCLI keep it readable: `hcloud configure set --cli-auth-encrypt=false`, then set the key anew.",
        )


def _of_csv(text: str, path: Path) -> Iterator[Entry]:
    try:
        header, *rows = [row for row in csv.reader(text.lstrip().splitlines(), strict=True) if any(row)]
    except csv.Error:
        raise _unreadable(path) from None
    names = [_CSV_NAMES.get(name.strip().lower(), "") for name in header]
    if len(rows) != 1 or len(rows[0]) < len(names):
        what = "has no whole line under its header" if len(rows) <= 1 else "has several access keys"
        raise ServiceUnusable(f"{path} {what}", hint="Leave the header and the line of one access key in it.")
    yield Entry(dict(zip(names, rows[0], strict=False)), str(path))


def _unquoted(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES else value


def _unreadable(path: Path, line: int | None = None) -> ServiceUnusable:
    place = f"{path}:{line}" if line else str(path)
    return ServiceUnusable(
        f"{place}: not a credentials file in INI form, nor in another one that is known", hint=_FORMS
    )
