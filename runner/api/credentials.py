"""Where it is found who the runner is to the service (api-facts 3.4).

The names of the official SDK come first, those for an identity token before an access key, as it has them; then those of
the Terraform provider; then files: those that are named, else the SDK's and KooCLI's own; then the cloud server's agency.
Half a pair is an error and not skipped: falling through would act as somebody else than was meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.api.credential_files import read_entries
from runner.api.endpoints import checked_metadata_endpoint
from runner.api.proofs import AccessKey, FederatedUser, GivenToken, MetadataAgency, OidcAgency, PasswordLogin
from runner.errors import ServiceUnusable
from runner.plain import is_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.api.proofs import Proof

FILE_VARIABLE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
_KOOCLI_FILE = "HW_SHARED_CONFIG_FILE"
_PROFILE = "HW_PROFILE"
METADATA_VARIABLE = "RUNNER_METADATA_ENDPOINT"
"""Where the metadata of a cloud server is; empty: this is none."""
_SDK = "HUAWEICLOUD_SDK_"
_OIDC = "HUAWEICLOUD_OIDC_"
_TOKEN_LIFE_S = 24 * 3600.0
_KEY_LIFE_S = 3600.0
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Credentials:
    """A proof and what was found beside it. `source` says where, for messages.

    `project_region` is the region that the project belongs to, where the same place says so. What `is_of_environment`
    stays as it is while the process lives.
    """

    proof: Proof
    source: str
    project_id: str | None = None
    iam_endpoint: str | None = None
    project_region: str | None = None
    is_of_environment: bool = True


def find_credentials(env: Mapping[str, str], home: Path | None) -> Credentials:
    """The first credentials there are, in the order of the module's docstring. `home` is the user's folder, if one is known.

    Raises:
        ServiceUnusable: there are none, or what is said of them cannot be.
    """
    return (
        _from_oidc_names(env, home)
        or _from_sdk_names(env)
        or _from_federation(env, home)
        or _from_terraform_names(env)
        or _from_files(env, home)
        or _from_metadata(env, home)
    )


def expiry_warning(credentials: Credentials, least_s: float) -> str:
    """What to tell of credentials that the runner cannot renew, for work that takes so many seconds; empty: nothing.

    Nothing tells until when they are good. A token lives for 24 hours at most (api-facts 3.1), and a temporary key for one
    hour where nobody asked for more (3.4). Those of a file are read again.
    """
    proof = credentials.proof
    if isinstance(proof, GivenToken):
        what, life_s, usual = "token", _TOKEN_LIFE_S, "24 hours at most"
    elif isinstance(proof, AccessKey) and proof.security_token and credentials.is_of_environment:
        what, life_s, usual = "temporary access key", _KEY_LIFE_S, "an hour, unless more was asked for"
    else:
        return ""
    if least_s <= life_s:
        return ""
    return (
        f"the {what} of {credentials.source} lives for {usual}, and the runner cannot renew it; the plan takes longer. "
        "Put a key into ~/.huaweicloud/credentials, which is read again, or give a user, an agency or an identity token"
    )


def _from_oidc_names(env: Mapping[str, str], home: Path | None) -> Credentials | None:
    agency = _value(env, _OIDC + "AGENCY_URN")
    if agency is None:
        return None
    provider, token = _value(env, _OIDC + "PROVIDER_URN"), _value(env, _OIDC + "ID_TOKEN")
    file, duration = _file_named(env, _OIDC + "TOKEN_FILE"), _value(env, _OIDC + "DURATION_SECONDS") or "3600"
    if provider is None or not (token or file):
        lacking = "PROVIDER_URN" if provider is None else "TOKEN_FILE"
        raise ServiceUnusable(f"{_OIDC}AGENCY_URN is set, but {_OIDC}{lacking} is not", hint=f"Set {_OIDC}{lacking}.")
    if not duration.isdecimal() or len(duration) > _MOST_DIGITS:
        raise ServiceUnusable(f"{_OIDC}DURATION_SECONDS is not a number of seconds", hint="Leave it out, or give 3600.")
    _sendable(env, _OIDC + "ID_TOKEN", "the environment")
    asked: dict[str, object] = {
        "provider_urn": provider,
        "agency_urn": agency,
        "agency_session_name": _value(env, _OIDC + "SESSION_NAME") or "oidc-sts-session",
        "duration_seconds": int(duration),
    }
    if policy := _value(env, _OIDC + "POLICY"):
        asked["policy"] = policy
    if policies := _value(env, _OIDC + "POLICY_IDS"):
        asked["policy_ids"] = [each.strip() for each in policies.split(",")]
    endpoint = _value(env, _SDK + "STS_ENDPOINT") or "https://sts.cn-north-4.myhuaweicloud.com"
    proof = OidcAgency(endpoint, asked, token, str(path_in(home, file)) if file else None)
    return _found(proof, f"{_OIDC}AGENCY_URN", env)


def _from_federation(env: Mapping[str, str], home: Path | None) -> Credentials | None:
    pair = _pair(env, _SDK + "IDP_ID", _SDK + "ID_TOKEN_FILE", "the environment")
    if pair is None:
        return None
    _sendable(env, _SDK + "IDP_ID", "the environment")
    return _found(FederatedUser(pair[0], str(path_in(home, pair[1]))), f"{_SDK}IDP_ID and {_SDK}ID_TOKEN_FILE", env)


def _from_metadata(env: Mapping[str, str], home: Path | None) -> Credentials:
    """What is left on a cloud server; whether this is one shows when it is asked."""
    endpoint = env.get(METADATA_VARIABLE, "http://169.254.169.254").strip()
    if not endpoint:
        raise ServiceUnusable(f"no credentials: {looked_in(home)}", hint=ADVICE)
    return _found(MetadataAgency(checked_metadata_endpoint(endpoint)), f"the metadata at {endpoint}", env)


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


def _from_files(env: Mapping[str, str], home: Path | None) -> Credentials | None:
    """One that is named goes before those that are looked for, and must have some; each may be in any of the forms."""
    own, koocli = _file_named(env, FILE_VARIABLE), _file_named(env, _KOOCLI_FILE)
    profile = _value(env, _PROFILE)
    asked = [path_in(home, name) for name in (own, koocli) if name]
    if profile and not koocli:
        asked.append(path_in(home, "~/.hcloud/config.json"))
    for path in asked or filter(_is_there, _default_files(home)):
        if found := _from_file(path, profile, env):
            return found
    if asked:
        raise ServiceUnusable(f"there is no access key in {' or '.join(map(str, asked))}", hint=ADVICE)
    return None


def _from_file(path: Path, profile: str | None, env: Mapping[str, str]) -> Credentials | None:
    for values, place in read_entries(path, profile):
        key = _access_key(values, ("ak", "sk", "security_token"), place)
        if key is not None:
            found = _found(key, place, env)
            project, iam = _value(values, "project_id"), _value(values, "iam_endpoint")
            region = _value(values, "region") if project and not found.project_id else None
            return Credentials(
                key, place, found.project_id or project, found.iam_endpoint or iam, region, is_of_environment=False
            )
    return None


def path_in(home: Path | None, name: str) -> Path:
    """The file that a variable names; it may begin with `~`, which only a shell would have written out.

    Raises:
        ServiceUnusable: it is in the user's folder, and none is known.
    """
    if home is None and not name.startswith("/"):
        what = f"{name} is to be in the user's home folder, and neither HOME nor the list of users tells of one"
        raise ServiceUnusable(what, hint="Set HOME, or give the whole path.")
    return (home or Path()) / name.removeprefix("~/")


def _default_files(home: Path | None) -> tuple[Path, ...]:
    return () if home is None else (home / ".huaweicloud" / "credentials", home / ".hcloud" / "config.json")


def _is_there(path: Path) -> bool:
    """Whether there is a file, or nobody can tell: then its reader says so."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass
    return True


ADVICE = (
    f"Set {_SDK}AK and {_SDK}SK (and {_SDK}SECURITY_TOKEN for a temporary key), or HW_AUTH_TOKEN, or HW_USER_NAME, "
    "HW_USER_PASSWORD and HW_DOMAIN_NAME, or write ~/.huaweicloud/credentials."
)


def looked_in(home: Path | None) -> str:
    """Where there are no credentials, for who gave none."""
    files = " and ".join(map(str, _default_files(home)))
    return "looked in the environment for an access key, a token or a user and password, " + (
        f"and in {files} for an access key" if files else "and nothing tells of a home folder to look in"
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
    """The value without the blanks and line ends that copying leaves around it; None where nothing is left.

    Raises:
        ServiceUnusable: it is no text, so that it can neither be hashed nor be sent.
    """
    value = values.get(name, "").strip()
    if not is_text(value):
        raise ServiceUnusable(f"{name} is not UTF-8", hint=f"Set {name} again, as text.")
    return value or None


def _file_named(env: Mapping[str, str], name: str) -> str | None:
    """The name of a file, which may have any bytes in it."""
    return env.get(name, "").strip() or None
