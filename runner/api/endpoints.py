"""Where requests go: endpoints from regions, and what an endpoint must look like (api-facts 3.3, 4).

The lists of regions are hints for messages and for IAM only. A region that is not in them is used as it is.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runner.errors import InvalidInput, Problem, ServiceUnusable

if TYPE_CHECKING:
    from collections.abc import Mapping

_REGION_TEXT = """
cn-north-1 cn-north-2 cn-north-4 cn-north-9 cn-north-11 cn-north-12 cn-south-1 cn-east-3 cn-east-4
cn-southwest-2 cn-southwest-3 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 la-south-2
la-north-2 sa-brazil-1 af-south-1 af-north-1 tr-west-1 me-east-1
"""
_IAM_TEXT = """
cn-north-1 cn-north-2 cn-north-4 cn-north-9 cn-north-12 cn-east-2 cn-east-3 cn-east-4 cn-east-5
cn-south-1 cn-south-2 cn-southwest-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4
af-south-1 sa-brazil-1 la-south-2 la-north-2 na-mexico-1 eu-west-0 my-kualalumpur-1 ru-moscow-1
me-east-1 ae-ad-1 tr-west-1
"""
REGIONS = frozenset(_REGION_TEXT.split())
_REGIONS_WITH_IAM = frozenset(_IAM_TEXT.split())
_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+){1,4}")
_PROJECT = re.compile(r"[-_.A-Za-z0-9]{1,64}")
_SERVICE_HOST = re.compile(r"modelarts\.(?P<region>[^.]+)\.myhuaweicloud\.")


def lane_endpoint(region: str | None, endpoint: str | None, env: Mapping[str, str]) -> str:
    """The endpoint of a lane, without a trailing slash.

    The one given, else HUAWEICLOUD_SDK_REGION_MODELARTS_<REGION> (the first of its list), else the region's pattern.
    Raises InvalidInput where there is neither an endpoint nor a region, or one is malformed.
    """
    if endpoint:
        return checked_endpoint(endpoint)
    if not region:
        raise InvalidInput(Problem("a lane has neither an endpoint nor a region", hint="Give --region or --endpoint."))
    name = checked_region(region)
    override = env.get(f"HUAWEICLOUD_SDK_REGION_MODELARTS_{name.upper().replace('-', '_')}", "").split(",")[0].strip()
    return checked_endpoint(override or f"https://modelarts.{name}.myhuaweicloud.com")


def iam_endpoint(region: str | None, given: str | None) -> str:
    """The IAM endpoint: the one given, else that of the region where IAM has one there, else the global one."""
    if given:
        return checked_endpoint(given)
    place = f".{region}" if region in _REGIONS_WITH_IAM else ""
    return f"https://iam{place}.myhuaweicloud.com"


def checked_region(region: str) -> str:
    """The region, if it can be one: it becomes a part of a host name. Raises InvalidInput."""
    if not _REGION.fullmatch(region):
        raise InvalidInput(Problem(f"{region!r} is not a region name", hint="A region looks like cn-north-9."))
    return region


def checked_project(project_id: str) -> str:
    """The project id, if it can be one: it becomes a part of the path. Raises InvalidInput."""
    if not _PROJECT.fullmatch(project_id) or not project_id.strip("."):
        raise InvalidInput(Problem(f"{project_id!r} is not a project id", hint="It is 32 letters and digits."))
    return project_id


def checked_endpoint(endpoint: str) -> str:
    """The endpoint without a trailing slash.

    Raises InvalidInput where it is not a plain http(s) URL, and ServiceUnusable for plain http to another machine:
    tokens and job contents would cross the network readable.
    """
    host = _host_of(endpoint, "It looks like https://modelarts.REGION.myhuaweicloud.com.")
    if endpoint.lower().startswith("http:") and not is_loopback(host):
        raise ServiceUnusable(
            f"{endpoint} would send credentials unencrypted to another machine",
            hint="Use https://; http:// is for this machine only.",
        )
    return endpoint.rstrip("/")


def checked_metadata_endpoint(endpoint: str) -> str:
    """The endpoint of a cloud server's metadata, without a trailing slash. Raises InvalidInput where it is no plain URL."""
    _host_of(endpoint, "It looks like http://169.254.169.254.")
    return endpoint.rstrip("/")


def _host_of(endpoint: str, looks_like: str) -> str:
    """The host of a plain http(s) URL. Raises InvalidInput where it is none."""
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    clean = endpoint.isascii() and endpoint.isprintable() and " " not in endpoint
    if not host or not clean or parts.scheme not in {"http", "https"}:
        raise InvalidInput(Problem(f"{_shown(endpoint)} is not an endpoint", hint=looks_like))
    if parts.query or parts.fragment or "@" in parts.netloc:
        message = f"the endpoint {_shown(endpoint)} has more than a host and a path"
        raise InvalidInput(Problem(message, hint="Leave user, query and fragment out."))
    return host


def is_on_this_machine(endpoint: str) -> bool:
    """Whether the endpoint is on this machine. Raises InvalidInput where it is none."""
    return is_loopback(_host_of(endpoint, "It looks like http://127.0.0.1:8080."))


def is_loopback(host: str) -> bool:
    """Whether the host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def region_advice(host: str) -> str:
    """For a host of the service that cannot be found: the nearest known region, in words; empty where none is near."""
    found = _SERVICE_HOST.match(host)
    if found is None or found["region"] in REGIONS:
        return ""
    near = difflib.get_close_matches(found["region"], sorted(REGIONS), 1)
    return f"; did you mean the region {near[0]}?" if near else ""


def _shown(endpoint: str) -> str:
    """The endpoint as messages show it: without what may be a password, which may have slashes in it."""
    return repr(re.sub(r"(?s)^([a-zA-Z]+://)?.*@", r"\1***@", endpoint))
