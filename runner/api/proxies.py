"""Which proxy a call goes by, from the environment as curl and Go read it. Its user and password never show."""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from yarl import URL

from runner.api.endpoints import is_loopback
from runner.errors import ServiceUnusable
from runner.plain import is_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOR_ALL = ("all_proxy", "ALL_PROXY")
_VARIABLES = {"https": ("https_proxy", "HTTPS_PROXY", *_FOR_ALL), "http": ("http_proxy", "HTTP_PROXY", *_FOR_ALL)}
_PORTS = {"http": 80, "https": 443}
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/?#:\[\]@]+)(:(?P<port>[0-9]{1,5}))?([/?#].*)?")
_EXCEPTION = re.compile(r"\[?(?P<host>[^\[\]]*?)\]?(:(?P<port>[0-9]+))?")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy as a call needs it. `name` is its place and the variable it came from, for messages."""

    url: URL
    name: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def proxy_for(url: str, env: Mapping[str, str]) -> Proxy | None:
    """The proxy for a URL: that of its scheme, else ALL_PROXY, small letters first, unless NO_PROXY names the host.

    Never one for this machine, so that credentials in plain http never go through a proxy. Raises ServiceUnusable for
    what is no HTTP proxy.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    excepted = env.get("no_proxy") or env.get("NO_PROXY") or ""
    if is_loopback(host) or is_excepted(host, port, excepted):
        return None
    for name in _VARIABLES.get(parts.scheme, ()):
        # A web server hands the header `Proxy` of whoever calls to its programs under this name.
        is_forged = name == "HTTP_PROXY" and "REQUEST_METHOD" in env
        if not is_forged and (value := env.get(name, "").strip()):
            return _read(value, name)
    return None


def _read(value: str, name: str) -> Proxy:
    """By hand: a password with any character is told from the place by the last @, as it was meant."""
    scheme, there, rest = value.partition("://")
    scheme, rest = (scheme.lower(), rest) if there else ("http", value)
    person, has_person, place = rest.rpartition("@")
    found = _PLACE.fullmatch(place)
    port = int(found["port"] or _PORTS.get(scheme, 0)) if found else 0
    if not is_text(value) or scheme not in _PORTS or found is None or not 0 < port <= 65_535:  # noqa: PLR2004  what a port can be
        raise ServiceUnusable(f"{name} is not an HTTP proxy", hint=f"Set {name} to http://host:port, or unset it.")
    host = found["host"].strip("[]")
    headers = {"Proxy-Authorization": _basic(person, name)} if has_person else {}
    return Proxy(URL.build(scheme=scheme, host=host, port=port), f"{found['host']}:{port} ({name})", headers)


def _basic(person: str, name: str) -> str:
    user, _, password = (unquote(part) for part in person.partition(":"))
    if ":" in user:
        raise ServiceUnusable(f"the user in {name} has a colon, which no proxy can tell from the password's")
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def is_excepted(host: str, port: int, exceptions: str) -> bool:
    """Whether a list of NO_PROXY names the host and port.

    An entry is `*`, an address, a network (10.0.0.0/8), or a name, which names what ends with it, too; `*.name` only that.
    Each may have a port; IPv6 addresses may stand in brackets.
    """
    host = host.lower().strip("[]").partition("%")[0].rstrip(".")
    address = _address(host)
    return any(_names(entry, host, port, address) for entry in re.split(r"[,\s]+", exceptions.lower()) if entry)


def _names(entry: str, host: str, port: int, address: Address | None) -> bool:
    if entry == "*":
        return True
    if entry.count(":") <= 1 or entry.startswith("["):
        found = _EXCEPTION.fullmatch(entry)
        if found is None or int(found["port"] or port) != port:
            return False
        entry = found["host"]
    if address is not None:
        return _holds(entry, address)
    name = entry.removeprefix("*").strip(".")
    return bool(name) and (host.endswith(f".{name}") or (host == name and not entry.startswith("*")))


def _holds(entry: str, address: Address) -> bool:
    if "/" not in entry:
        return _address(entry) == address
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
