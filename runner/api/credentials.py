"""Where credentials come from, in the names of the official SDK and of Terraform (api-facts 3.4). Never in a repr."""

from __future__ import annotations

import configparser
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import InvalidInput, Problem, ServiceUnusable

if TYPE_CHECKING:
    from collections.abc import Mapping

# The SDK's documents and its code disagree on the section's name.
_SECTIONS = ("basic", "basiccredentials")


@dataclass(frozen=True, slots=True)
class AccessKey:
    """Signs requests. `security_token` makes it a temporary one."""

    ak: str
    sk: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class GivenToken:
    """A token that somebody fetched; it cannot be renewed."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PasswordLogin:
    """Fetches tokens from IAM, and renews them."""

    user: str
    password: str = field(repr=False)
    domain: str


Credentials = AccessKey | GivenToken | PasswordLogin


@dataclass(frozen=True, slots=True)
class Found:
    """Credentials, and the project id that was beside them, if any."""

    credentials: Credentials
    project_id: str | None = None

    def secrets(self) -> list[str]:
        """Every value that must never be shown."""
        match self.credentials:
            case AccessKey(_, sk, token):
                return [value for value in (sk, token) if value]
            case GivenToken(token):
                return [token]
            case PasswordLogin(_, password):
                return [password]


def find_credentials(env: Mapping[str, str], home: Path) -> Found:
    """The first of: a given token, access keys in the environment, user and password, the SDK's credentials file.

    Raises:
        ServiceUnusable: none of them is there, or one is there in part.
        InvalidInput: the credentials file cannot be read.
    """
    project_id = env.get("HUAWEICLOUD_SDK_PROJECT_ID") or env.get("HW_PROJECT_ID")
    if env.get("HW_AUTH_TOKEN"):
        return Found(GivenToken(env["HW_AUTH_TOKEN"]), project_id)
    for ak, sk, token in (
        ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN"),
        ("HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_SECURITY_TOKEN"),
    ):
        if _both(env, ak, sk):
            return Found(AccessKey(env[ak], env[sk], env.get(token) or None), project_id)
    if _both(env, "HW_USER_NAME", "HW_USER_PASSWORD") or _both(env, "HW_USER_NAME", "HW_PASSWORD"):
        return Found(_login(env), project_id)
    found = _from_file(env, home)
    if found is None:
        raise ServiceUnusable(
            "no credentials: neither HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK, nor HW_AUTH_TOKEN, nor HW_USER_NAME and "
            f"HW_USER_PASSWORD are set, and there is no {_file(env, home)}",
            hint="export HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK, or try without any: --simulate",
        )
    return Found(found.credentials, project_id or found.project_id)


def _both(env: Mapping[str, str], first: str, second: str) -> bool:
    if first == "HW_USER_NAME":
        return bool(env.get(first) and env.get(second))
    if bool(env.get(first)) != bool(env.get(second)):
        there, missing = (first, second) if env.get(first) else (second, first)
        raise ServiceUnusable(f"{there} is set and {missing} is not", hint="set both, or neither")
    return bool(env.get(first))


def _login(env: Mapping[str, str]) -> PasswordLogin:
    domain = env.get("HW_DOMAIN_NAME")
    if not domain:
        raise ServiceUnusable("HW_USER_NAME is set and HW_DOMAIN_NAME is not", hint="set the account's name there")
    return PasswordLogin(env["HW_USER_NAME"], env.get("HW_USER_PASSWORD") or env["HW_PASSWORD"], domain)


def _file(env: Mapping[str, str], home: Path) -> Path:
    named = env.get("HUAWEICLOUD_SDK_CREDENTIALS_FILE")
    return Path(named) if named else home / ".huaweicloud" / "credentials"


def _from_file(env: Mapping[str, str], home: Path) -> Found | None:
    path = _file(env, home)
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            Problem(f"cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}", str(path))
        ) from error
    except configparser.Error as error:
        # The parser's own message quotes the line, which may be a secret.
        line = getattr(error, "lineno", None)
        raise InvalidInput(Problem("no valid INI file", str(path), line)) from None
    section = next((parser[name] for name in _SECTIONS if parser.has_section(name)), None)
    if section is None:
        raise ServiceUnusable(f"{path} has no section [basic]", hint="put ak and sk there")
    if not section.get("ak") or not section.get("sk"):
        raise ServiceUnusable(f"{path}: [{section.name}] lacks ak or sk", hint="put both there")
    key = AccessKey(section["ak"], section["sk"], section.get("security_token") or None)
    return Found(key, section.get("project_id") or None)
