"""Who the runner is to the service: values whose repr hides what is secret, and where they are found (api-facts 3.4).

The names of the official SDK come first, then those of the Terraform provider, then files: those that are named, then the
SDK's and KooCLI's own. Half a pair is an error and not skipped: falling through would act as somebody else than was meant.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.api.credential_files import read_entries
from runner.errors import ServiceUnusable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE_VARIABLE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
_KOOCLI_FILE = "HW_SHARED_CONFIG_FILE"
_PROFILE = "HW_PROFILE"
_SDK = "HUAWEICLOUD_SDK_"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key. `security_token` is there when the key is temporary."""

    ak: str
    sk: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class GivenToken:
    """A token of IAM that somebody else fetched: it cannot be renewed."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PasswordLogin:
    """An IAM user, whose tokens the runner fetches. The account is told by `domain_name` or `domain_id`."""

    user_name: str
    password: str = field(repr=False)
    domain_name: str | None = None
    domain_id: str | None = None


Proof = AccessKey | GivenToken | PasswordLogin


@dataclass(frozen=True, slots=True)
class Credentials:
    """A proof and what was found beside it. `source` says where, for messages.

    `project_region` is the region that the project belongs to, where the same place says so.
    """

    proof: Proof
    source: str
    project_id: str | None = None
    iam_endpoint: str | None = None
    project_region: str | None = None


def find_credentials(env: Mapping[str, str], home: Path) -> Credentials:
    """The first credentials there are, in the order of the module's docstring. Raises ServiceUnusable where none are."""
    return _from_sdk_names(env) or _from_terraform_names(env) or _from_files(env, home) or _missing(home)


def _from_sdk_names(env: Mapping[str, str]) -> Credentials | None:
    names = (_SDK + "AK", _SDK + "SK", _SDK + "SECURITY_TOKEN")
    key = _access_key(env, names, "the environment")
    if key is None:
        return None
    return _found(key, f"{names[0]} and {names[1]}", env)


def _from_terraform_names(env: Mapping[str, str]) -> Credentials | None:
    if token := _value(env, "HW_AUTH_TOKEN"):
        _sendable(env, "HW_AUTH_TOKEN", "the environment")
        return _found(GivenToken(token), "HW_AUTH_TOKEN", env)
    names = ("HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_SECURITY_TOKEN")
    if key := _access_key(env, names, "the environment"):
        return _found(key, f"{names[0]} and {names[1]}", env)
    if login := _password_login(env):
        return _found(login, "HW_USER_NAME and HW_USER_PASSWORD", env)
    return None


def _password_login(env: Mapping[str, str]) -> PasswordLogin | None:
    pair = _pair(env, "HW_USER_NAME", "HW_USER_PASSWORD", "the environment")
    if pair is None:
        return None
    domain_name, domain_id = (
        _value(env, "HW_DOMAIN_NAME"),
        _value(env, "HW_DOMAIN_ID") or _value(env, _SDK + "DOMAIN_ID"),
    )
    if not (domain_name or domain_id):
        raise ServiceUnusable(
            "HW_USER_NAME and HW_USER_PASSWORD are set, but not the account they belong to",
            hint="Set HW_DOMAIN_NAME to the name of the account.",
        )
    return PasswordLogin(*pair, domain_name=domain_name, domain_id=domain_id)


def _from_files(env: Mapping[str, str], home: Path) -> Credentials | None:
    """One that is named goes before those that are looked for, and must have some; each may be in any of the forms."""
    own, koocli = _value(env, FILE_VARIABLE), _value(env, _KOOCLI_FILE)
    profile = _value(env, _PROFILE)
    asked = [path_in(home, name) for name in (own, koocli) if name]
    if profile and not koocli:
        asked.append(home / ".hcloud" / "config.json")
    for path in asked or [path for path in _default_files(home) if path.exists()]:
        if found := _from_file(path, profile, env):
            return found
    if asked:
        raise ServiceUnusable(f"there is no access key in {' or '.join(map(str, asked))}", hint=_ADVICE)
    return None


def _from_file(path: Path, profile: str | None, env: Mapping[str, str]) -> Credentials | None:
    for values, place in read_entries(path, profile):
        key = _access_key(values, ("ak", "sk", "security_token"), place)
        if key is not None:
            found = _found(key, place, env)
            project, iam = _value(values, "project_id"), _value(values, "iam_endpoint")
            region = _value(values, "region") if project and not found.project_id else None
            return Credentials(key, place, found.project_id or project, found.iam_endpoint or iam, region)
    return None


def path_in(home: Path, name: str) -> Path:
    """The file that a variable names; it may begin with `~`, which only a shell would have written out."""
    return home / name.removeprefix("~/") if name.startswith("~/") else home / name


def _default_files(home: Path) -> tuple[Path, ...]:
    return home / ".huaweicloud" / "credentials", home / ".hcloud" / "config.json"


_ADVICE = (
    f"Set {_SDK}AK and {_SDK}SK (and {_SDK}SECURITY_TOKEN for a temporary key), or HW_AUTH_TOKEN, or HW_USER_NAME, "
    "HW_USER_PASSWORD and HW_DOMAIN_NAME, or write ~/.huaweicloud/credentials."
)


def _missing(home: Path) -> Credentials:
    raise ServiceUnusable(
        "no credentials: looked in the environment for an access key, a token or a user and password, "
        f"and in {' and '.join(map(str, _default_files(home)))} for an access key",
        hint=_ADVICE,
    )


def _found(proof: Proof, source: str, env: Mapping[str, str]) -> Credentials:
    project = _value(env, _SDK + "PROJECT_ID") or _value(env, "HW_PROJECT_ID")
    auth_url = _value(env, "HW_AUTH_URL")
    iam = _value(env, _SDK + "IAM_ENDPOINT") or (auth_url.rstrip("/").removesuffix("/v3") if auth_url else None)
    return Credentials(proof, source, project, iam)


def _access_key(values: Mapping[str, str], names: tuple[str, str, str], place: str) -> AccessKey | None:
    pair = _pair(values, names[0], names[1], place)
    if pair is None:
        return None
    for name in names:
        _sendable(values, name, place)
    return AccessKey(*pair, security_token=_value(values, names[2]))


def _pair(values: Mapping[str, str], first: str, second: str, place: str) -> tuple[str, str] | None:
    one, other = _value(values, first), _value(values, second)
    if one and other:
        return one, other
    if not one and not other:
        return None
    there, lacking = (first, second) if one else (second, first)
    raise ServiceUnusable(f"{there} is set in {place}, but {lacking} is not", hint=f"Set {lacking}, or unset {there}.")


def _sendable(values: Mapping[str, str], name: str, place: str) -> None:
    """Refuse what cannot stand in a header: usually it was copied with a line of something else."""
    value = _value(values, name) or ""
    if value.isascii() and value.isprintable() and " " not in value:
        return
    ended = any(end in value for end in "\r\n")
    what = "a line end" if ended else "a blank" if " " in value or "\t" in value else "a character that no key has"
    raise ServiceUnusable(f"{name} in {place} has {what} in it", hint=f"Copy {name} again, alone and whole.")


def _value(values: Mapping[str, str], name: str) -> str | None:
    """The value without the blanks and line ends that copying leaves around it; None where nothing is left."""
    return values.get(name, "").strip() or None
