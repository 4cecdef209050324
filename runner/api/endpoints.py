"""Where the service and IAM are (api-facts 4 and 3.3)."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runner.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")


def service_endpoint(region: str, env: Mapping[str, str]) -> str:
    """The service's URL in a region; an environment variable of the official SDK replaces it.

    Raises:
        InvalidInput: the region is no region id.
    """
    if not _REGION.fullmatch(region):
        raise InvalidInput(Problem(f"{region!r} is no region; expected an id such as cn-north-9"))
    override = env.get(f"HUAWEICLOUD_SDK_REGION_MODELARTS_{region.upper().replace('-', '_')}")
    if override:
        return checked(override.split(",")[0].strip())
    return f"https://modelarts.{region}.myhuaweicloud.com"


def iam_endpoint(region: str | None, env: Mapping[str, str], given: str | None = None) -> str:
    """IAM's URL: given, from the environment, or by region."""
    named = given or env.get("HUAWEICLOUD_SDK_IAM_ENDPOINT")
    if named:
        return checked(named)
    return f"https://iam.{region}.myhuaweicloud.com" if region else "https://iam.myhuaweicloud.com"


def checked(endpoint: str) -> str:
    """The endpoint without a trailing slash.

    Raises:
        InvalidInput: it is no URL, or credentials would go over it unencrypted.
    """
    parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidInput(Problem(f"{endpoint!r} is no endpoint; expected one such as https://modelarts.example.com"))
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        hint = "use https://; plain http is for a simulator on this machine"
        raise InvalidInput(Problem(f"{endpoint}: credentials would go over the network unencrypted", hint=hint))
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
