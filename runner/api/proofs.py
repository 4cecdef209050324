"""What proves who the runner is to the service: values whose repr hides what is secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


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


@dataclass(frozen=True, slots=True)
class OidcAgency:
    """An agency that whoever has an identity token may take on, at the STS `endpoint`; `asked` is what it is asked for."""

    endpoint: str
    asked: Mapping[str, object]
    id_token: str | None = field(default=None, repr=False)
    id_token_file: str | None = None


@dataclass(frozen=True, slots=True)
class FederatedUser:
    """A user of an identity provider that IAM knows as `idp_id`."""

    idp_id: str
    id_token_file: str
    id_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class MetadataAgency:
    """The agency of the cloud server that this is, whose keys stand in its metadata at `endpoint`."""

    endpoint: str


Proof = AccessKey | GivenToken | PasswordLogin | OidcAgency | FederatedUser | MetadataAgency
