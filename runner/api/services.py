"""Opens the jobs API of every lane: endpoint, credentials, project and session, in one call for the composition root."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from runner.api.authentication import KeyAuthenticator, TokenAuthenticator
from runner.api.client import LiteServerClient
from runner.api.credentials import ADVICE, find_credentials, looked_in
from runner.api.endpoints import checked_endpoint, checked_project, checked_region, iam_endpoint, lane_endpoint
from runner.api.iam import Iam, unusable
from runner.api.proofs import (
    AccessKey,
    FederatedUser,
    GivenToken,
    MetadataAgency,
    PasswordLogin,
    temporary_identity,
    token_identity,
)
from runner.api.proxies import proxy_for
from runner.api.renewing import IamFailed, Issued, Renewed
from runner.api.session import open_session, trust_of
from runner.api.temporary import TemporaryKeys
from runner.api.transport import MOST_READS, Transport
from runner.engine.refusals import CredentialMemory, KeptInProcess
from runner.errors import InvalidInput, Problem, ServiceUnusable
from runner.model import Lane

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    import aiohttp

    from runner.api.authentication import Authenticator
    from runner.api.credentials import Credentials
    from runner.api.proofs import OidcAgency

_METADATA_TIMEOUT_S = 6.0  # 3 s to connect, as the SDK (api-facts 3.4)


class OpenLane(NamedTuple):
    """A lane with its endpoint and project known, and the service there."""

    lane: Lane
    service: LiteServerClient


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """All that opening the lanes needs from outside.

    `iam_endpoint` goes before what the environment says. `ca_bundle` is a PEM file. `timeout_s` is for a whole
    exchange; at most `most_reads` are on their way at once on each lane. `pause_s` is how long IAM is left alone after a bad
    answer. `wall` gives epoch seconds. `redact` is applied to all that the service says and a person may read.
    `memory` is of refused calls; without one this process remembers its own.
    """

    env: Mapping[str, str]
    home: Path | None
    wall: Callable[[], float]
    redact: Callable[[str], str]
    iam_endpoint: str | None = None
    ca_bundle: Path | None = None
    timeout_s: float = 30.0
    most_reads: int = MOST_READS
    pause_s: float = 1.0
    memory: CredentialMemory | None = None


@asynccontextmanager
async def open_services(lanes: Sequence[Lane], settings: ServiceSettings) -> AsyncIterator[dict[Lane, OpenLane]]:
    """The services of the lanes, by the lanes as asked for; closed at the end.

    Raises InvalidInput for a lane that cannot be one, and ServiceUnusable where credentials, IAM, the project of a
    region or TLS fail. With an access key and project ids given, nothing is sent before the first request.
    """
    env = settings.env
    credentials = find_credentials(env, settings.home)
    resolved = [_resolve(lane, _spare_project(lanes, credentials), env) for lane in lanes]
    secure = any(not (lane.endpoint or "").startswith("http:") or lane.project_id is None for lane in resolved)
    trust = trust_of(settings.ca_bundle, env) if secure or not isinstance(credentials.proof, AccessKey) else None
    async with open_session(trust) as session:
        opening = _Opening(session, credentials, settings)
        yield {asked: await opening.open(lane) for asked, lane in zip(lanes, resolved, strict=True)}


def _spare_project(lanes: Sequence[Lane], credentials: Credentials) -> str | None:
    """The project id beside the credentials, unless lanes of several regions lack one: project ids are per region."""
    places = {(lane.region, lane.endpoint) for lane in lanes if not lane.project_id}
    belongs_to = credentials.project_region
    elsewhere = belongs_to is not None and any(region not in {None, belongs_to} for region, _ in places)
    return credentials.project_id if len(places) == 1 and not elsewhere else None


def _resolve(lane: Lane, spare_project: str | None, env: Mapping[str, str]) -> Lane:
    endpoint = lane_endpoint(lane.region, lane.endpoint, env)
    project_id = lane.project_id or spare_project
    if project_id:
        checked_project(project_id)
    elif not lane.region:
        hint = "Give --project-id, or --region to look it up."
        raise InvalidInput(
            Problem(f"the lane {lane.label} has no project id and no region to look it up by", hint=hint)
        )
    return Lane(checked_region(lane.region) if lane.region else None, endpoint, project_id)


class _Opening:
    """What the lanes share while they are opened. Tokens are of one project, so each lane has its own authenticator."""

    def __init__(self, session: aiohttp.ClientSession, credentials: Credentials, settings: ServiceSettings) -> None:
        self._session = session
        self._credentials = credentials
        self._around = settings
        self._memory = settings.memory or CredentialMemory(KeptInProcess(), settings.wall, "this process")
        self._signs: KeyAuthenticator | None = None

    async def open(self, lane: Lane) -> OpenLane:
        place = iam_endpoint(lane.region, self._around.iam_endpoint or self._credentials.iam_endpoint)
        iam = Iam(
            self._transport(place),
            place,
            clean=self._around.redact,
            wall=self._around.wall,
            pause_s=self._around.pause_s,
            memory=self._memory,
        )
        authenticator = await self._authenticator(lane, iam, place)
        if lane.project_id is None and lane.region is not None:
            project = checked_project(await iam.project_of(lane.region, authenticator))
            lane = lane._replace(project_id=project)
        return OpenLane(lane, self._client(lane, authenticator))

    async def _authenticator(self, lane: Lane, iam: Iam, place: str) -> Authenticator:
        proof = self._credentials.proof
        if isinstance(proof, GivenToken):
            return TokenAuthenticator(Renewed(proof.token), token_identity(proof))
        if not isinstance(proof, PasswordLogin):
            return await self._signing(proof, place)
        token = Renewed(None, lambda: iam.login(proof, project_id=lane.project_id, region=lane.region))
        authenticator = TokenAuthenticator(token, token_identity(proof), secrets=(proof.password,))
        try:
            await authenticator.freshen(self._around.wall())
        except IamFailed as exc:
            raise unusable(f"IAM at {place} gives no token to {proof.user_name}", exc.error) from None
        return authenticator

    async def _signing(
        self, proof: AccessKey | OidcAgency | FederatedUser | MetadataAgency, iam_place: str
    ) -> KeyAuthenticator:
        """One for all lanes: keys are of an account, and not of a project."""
        if self._signs is None:
            if isinstance(proof, AccessKey):
                self._key = proof
                self._signs = KeyAuthenticator(Renewed(proof, self._key_of_now, apart_s=0.0))
            else:
                self._signs = await self._signing_with_temporary(proof, iam_place)
        return self._signs

    async def _signing_with_temporary(
        self, proof: OidcAgency | FederatedUser | MetadataAgency, iam_place: str
    ) -> KeyAuthenticator:
        around = self._around
        place = iam_place if isinstance(proof, FederatedUser) else proof.endpoint
        if isinstance(proof, MetadataAgency):
            # It is the machine's own, without TLS, and no proxy could reach it.
            host = urlsplit(place).hostname or ""
            transport = Transport(self._session, host, proxy=None, timeout_s=_METADATA_TIMEOUT_S)
        else:
            transport = self._transport(checked_endpoint(place))
        keys = TemporaryKeys(transport, place, around.redact, around.wall, around.pause_s, self._memory)
        authenticator = KeyAuthenticator(Renewed(None, lambda: keys.of(proof)), temporary_identity(proof))
        try:
            await authenticator.freshen(around.wall())
        except IamFailed as exc:
            if isinstance(proof, MetadataAgency):
                what = (
                    f"no credentials: {looked_in(around.home)}, and asked {place}, as on a cloud server with an agency"
                )
                raise unusable(what, exc.error, ADVICE) from None
            raise unusable(f"no temporary access key from {place}", exc.error) from None
        return authenticator

    async def _key_of_now(self) -> Issued[AccessKey]:
        """The key that is to be found now: who rotates keys writes their file anew, and a run goes on.

        What cannot be read just then is not taken, for it is being written; nor what stands elsewhere, for it is somebody
        else's.
        """
        with suppress(ServiceUnusable):
            found = find_credentials(self._around.env, self._around.home)
            if isinstance(found.proof, AccessKey) and found.source == self._credentials.source:
                self._key = found.proof
        return Issued(self._key, None)

    def _client(self, lane: Lane, authenticator: Authenticator) -> LiteServerClient:
        endpoint = lane.endpoint or ""
        return LiteServerClient(
            self._transport(endpoint),
            endpoint=endpoint,
            project_id=lane.project_id or "",
            authenticator=authenticator,
            wall=self._around.wall,
            redact=self._around.redact,
        )

    def _transport(self, endpoint: str) -> Transport:
        host = urlsplit(endpoint).hostname or ""
        proxy = proxy_for(endpoint, self._around.env)
        settings = self._around
        return Transport(self._session, host, proxy=proxy, timeout_s=settings.timeout_s, most_reads=settings.most_reads)
