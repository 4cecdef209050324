"""What proves who the runner is to the service: values whose repr hides what is secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.rules.refused_calls import Identity

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

# A user and password, or an identity token, may be refused so often in a row (api-facts 3.2).
_LOGINS = 2


def key_identity(key: AccessKey) -> Identity:
    """Who calls are made as that are signed with a key."""
    return Identity(f"key {key.ak}", f"{key.sk} {key.security_token or ''}")


def token_identity(proof: GivenToken | PasswordLogin) -> Identity:
    """Who calls are made as that carry a token: one that was given, or whichever a user has."""
    if isinstance(proof, GivenToken):
        return Identity(f"token {proof.token}", words="the token")
    return Identity(f"tokens of {_user(proof)}", words=f"the tokens of {proof.user_name}", is_renewed=True)


def login_identity(proof: PasswordLogin | OidcAgency | FederatedUser | MetadataAgency) -> Identity:
    """Who asks for a token or a key. Of a password nothing is kept by which it could be found."""
    if isinstance(proof, PasswordLogin):
        return Identity(f"user {_user(proof)}", words=f"the user {proof.user_name} and the password", limit=_LOGINS)
    if isinstance(proof, OidcAgency):
        return Identity(f"agency {proof.asked.get('agency_urn')}", words="the identity token", limit=_LOGINS)
    if isinstance(proof, FederatedUser):
        return Identity(f"provider {proof.idp_id}", words="the identity token", limit=_LOGINS)
    return Identity(f"metadata {proof.endpoint}", words="this server", limit=_LOGINS)


def temporary_identity(proof: OidcAgency | FederatedUser | MetadataAgency) -> Identity:
    """Who calls are made as that are signed with temporary keys: whichever that are, for another one comes each time."""
    return Identity(f"keys of {login_identity(proof).name}", words="the temporary access keys", is_renewed=True)


def _user(proof: PasswordLogin) -> str:
    return f"{proof.user_name} of {proof.domain_name or proof.domain_id}"
