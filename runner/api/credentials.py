"""Who the runner is to the service: values whose repr hides what is secret, and where they are found (api-facts 3.4).

The names of the official SDK come first, then those of the Terraform provider, then the SDK's credentials file. Half a
pair is an error and not skipped: falling through would act as somebody else than was meant.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.errors import ServiceUnusable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE_VARIABLE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
_SECTIONS = ("basic", "basiccredentials")  # the SDK reads one or the other, depending on how it is asked
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
    """A proof and what was found beside it. `source` says where, for messages."""

    proof: Proof
    source: str
    project_id: str | None = None
    iam_endpoint: str | None = None


def find_credentials(env: Mapping[str, str], home: Path) -> Credentials:
    """The first credentials there are, in the order of the module's docstring. Raises ServiceUnusable where none are."""
    return _from_sdk_names(env) or _from_terraform_names(env) or _from_file(env, home) or _missing(env, home)


def _from_sdk_names(env: Mapping[str, str]) -> Credentials | None:
    names = (_SDK + "AK", _SDK + "SK", _SDK + "SECURITY_TOKEN")
    key = _access_key(env, names, "the environment")
    if key is None:
        return None
    return _found(key, f"{names[0]} and {names[1]}", env)


def _from_terraform_names(env: Mapping[str, str]) -> Credentials | None:
    if token := _value(env, "HW_AUTH_TOKEN"):
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


def _from_file(env: Mapping[str, str], home: Path) -> Credentials | None:
    path = _file(env, home)
    if not path.exists() and not _value(env, FILE_VARIABLE):
        return None
    parser = _parse(path)
    for section in _SECTIONS:
        if not parser.has_section(section):
            continue
        values = dict(parser[section])
        key = _access_key(values, ("ak", "sk", "security_token"), f"section [{section}] of {path}")
        if key is not None:
            project, iam = _value(values, "project_id"), _value(values, "iam_endpoint")
            found = _found(key, f"section [{section}] of {path}", env)
            return Credentials(key, found.source, found.project_id or project, found.iam_endpoint or iam)
    return None


def _parse(path: Path) -> configparser.ConfigParser:
    # Interpolation off: a secret key may hold a percent sign. The parser's own errors quote lines, which may be secrets.
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ServiceUnusable(f"cannot read {path}: {exc.strerror}", hint=_ADVICE) from None
    except (configparser.Error, UnicodeDecodeError) as exc:
        line = (
            exc.errors[0][0]
            if isinstance(exc, configparser.ParsingError) and exc.errors
            else getattr(exc, "lineno", None)
        )
        place = f"{path}:{line}" if line else str(path)
        raise ServiceUnusable(f"{place}: not a credentials file in INI form", hint=_FILE_FORM) from None
    return parser


_FILE_FORM = "It should hold a section [basic] with the lines `ak = ...` and `sk = ...`."
_ADVICE = (
    f"Set {_SDK}AK and {_SDK}SK (and {_SDK}SECURITY_TOKEN for a temporary key), or HW_AUTH_TOKEN, or HW_USER_NAME, "
    "HW_USER_PASSWORD and HW_DOMAIN_NAME, or write ~/.huaweicloud/credentials."
)


def _missing(env: Mapping[str, str], home: Path) -> Credentials:
    raise ServiceUnusable(
        "no credentials: looked in the environment for an access key, a token or a user and password, "
        f"and in the file {_file(env, home)} for a section [basic] or [basiccredentials] with ak and sk",
        hint=_ADVICE,
    )


def _file(env: Mapping[str, str], home: Path) -> Path:
    given = _value(env, FILE_VARIABLE)
    return home / given if given else home / ".huaweicloud" / "credentials"


def _found(proof: Proof, source: str, env: Mapping[str, str]) -> Credentials:
    project = _value(env, _SDK + "PROJECT_ID") or _value(env, "HW_PROJECT_ID")
    auth_url = _value(env, "HW_AUTH_URL")
    iam = _value(env, _SDK + "IAM_ENDPOINT") or (auth_url.rstrip("/").removesuffix("/v3") if auth_url else None)
    return Credentials(proof, source, project, iam)


def _access_key(values: Mapping[str, str], names: tuple[str, str, str], place: str) -> AccessKey | None:
    pair = _pair(values, names[0], names[1], place)
    return None if pair is None else AccessKey(*pair, security_token=_value(values, names[2]))


def _pair(values: Mapping[str, str], first: str, second: str, place: str) -> tuple[str, str] | None:
    one, other = _value(values, first), _value(values, second)
    if one and other:
        return one, other
    if not one and not other:
        return None
    there, lacking = (first, second) if one else (second, first)
    raise ServiceUnusable(f"{there} is set in {place}, but {lacking} is not", hint=f"Set {lacking}, or unset {there}.")


def _value(values: Mapping[str, str], name: str) -> str | None:
    """The value without the blanks and line ends that copying leaves around it; None where nothing is left."""
    return values.get(name, "").strip() or None
