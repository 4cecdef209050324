"""What the runner asks of IAM: a token for a user and password, and the project of a region (api-facts 3.1, 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from runner.api.answers import read_answer
from runner.api.asking import asked
from runner.api.authentication import blank_out, outgoing
from runner.api.proofs import login_identity
from runner.api.renewing import IamFailed, Issued
from runner.api.replies import Reply
from runner.api.signing import canonical_query
from runner.api.wire import UnreadableAnswer, read_object, read_time
from runner.errors import ServiceUnusable
from runner.plain import one_line
from runner.rules.answers import Cause, ReadFailed, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.api.authentication import Authenticator
    from runner.api.proofs import PasswordLogin
    from runner.api.transport import Transport
    from runner.engine.refusals import CredentialMemory

_JSON = "application/json"
_HINT = "Check the credentials, the region and the IAM endpoint."
_UNSAID_LIFE_S = 3600.0
_NO_TOKEN = ServiceError(None, None, "the answer of IAM has no token in it", None)


class Iam:
    """IAM at one endpoint. `clean` takes secrets out of what it says; `wall` gives epoch seconds.

    `pause_s` is how long it is left alone after a bad answer. `memory` is of those whom it refused.
    """

    def __init__(
        self,
        transport: Transport,
        endpoint: str,
        *,
        clean: Callable[[str], str],
        wall: Callable[[], float],
        pause_s: float,
        memory: CredentialMemory,
    ) -> None:
        self._transport = transport
        self._memory = memory
        self._pause_s = pause_s
        self._endpoint = endpoint
        self._clean = clean
        self._wall = wall

    async def login(self, user: PasswordLogin, *, project_id: str | None, region: str | None) -> Issued[str]:
        """A token for one project: that of the id, else that named like the region. Raises IamFailed."""
        request = outgoing("POST", self._endpoint, "/v3/auth/tokens", query="nocatalog=true", content_type=_JSON)
        body = orjson.dumps(_login_body(user, {"id": project_id} if project_id else {"name": region}))

        def hide(text: str) -> str:
            return blank_out(self._clean(text), user.password)

        async def ask() -> tuple[str, dict[str, object]] | ReadFailed:
            reply = await self._transport.exchange(request.method, request.url, request.headers, body)
            said = read_answer(reply, read_object, hide, self._wall())
            if isinstance(said, ReadFailed):
                return said
            token = reply.headers.get("X-Subject-Token") if isinstance(reply, Reply) else None
            return (token, said) if token else ReadFailed(Cause.BUSY, _NO_TOKEN)

        identity = login_identity(user)
        answer = await asked(ask, self._pause_s, self._memory.of(lambda: identity))
        if isinstance(answer, ReadFailed):
            is_spent = answer.throttle is not None and answer.throttle.quota
            raise IamFailed(Cause.UNUSABLE if is_spent else answer.cause, answer.error)
        token, said = answer
        return Issued(token, _expiry(said) or self._wall() + _UNSAID_LIFE_S)

    async def project_of(self, region: str, authenticator: Authenticator) -> str:
        """The id of the one project that is named like the region. Raises ServiceUnusable, also for none or several."""
        request = outgoing(
            "GET", self._endpoint, "/v3/projects", query=canonical_query([("name", region)]), content_type=_JSON
        )
        try:
            await authenticator.freshen(self._wall())
        except IamFailed as exc:
            raise unusable(f"no token from IAM at {self._endpoint}", exc.error) from None
        seal = authenticator.seal(request)

        async def ask() -> list[str] | ReadFailed:
            reply = await self._transport.exchange(request.method, request.url, seal(b"", self._wall()), b"")
            return read_answer(
                reply, lambda body: _project_ids(body, region), self._hiding(authenticator), self._wall()
            )

        answer = await asked(ask, self._pause_s, self._memory.of(lambda: authenticator.identity))
        if isinstance(answer, ReadFailed):
            raise unusable(f"cannot look up the project of {region} in IAM at {self._endpoint}", answer.error)
        if len(answer) == 1:
            return answer[0]
        found = f"several projects ({', '.join(answer)})" if answer else "no project"
        raise ServiceUnusable(
            f"IAM at {self._endpoint} knows {found} of the region {region} for these credentials",
            hint="Give the project with --project-id, or as `project_id` of the lane.",
        )

    def _hiding(self, authenticator: Authenticator) -> Callable[[str], str]:
        return lambda text: self._clean(authenticator.hide(text))


def unusable(what: str, error: ServiceError, hint: str = _HINT) -> ServiceUnusable:
    """The error of the service or the connection, as one that ends the command."""
    said = " ".join(str(part) for part in (error.http_status, error.code) if part is not None)
    request = f" (request id {error.request_id})" if error.request_id else ""
    message = f"{what}: {said + ': ' if said else ''}{one_line(error.message)}{request}"
    return ServiceUnusable(message, hint=hint)


def _login_body(user: PasswordLogin, project: dict[str, str | None]) -> dict[str, object]:
    domain = {"name": user.domain_name} if user.domain_name else {"id": user.domain_id}
    person = {"name": user.user_name, "password": user.password, "domain": domain}
    identity = {"methods": ["password"], "password": {"user": person}}
    return {"auth": {"identity": identity, "scope": {"project": project}}}


def _expiry(answer: dict[str, object]) -> float | None:
    token = answer.get("token")
    return read_time(token.get("expires_at")) if isinstance(token, dict) else None


def _project_ids(body: bytes, region: str) -> list[str]:
    """Ids of the projects named exactly so; whether IAM compares exactly is not documented."""
    projects = read_object(body).get("projects")
    if not isinstance(projects, list) or not all(isinstance(project, dict) for project in projects):
        raise UnreadableAnswer("there is no list of projects in it")
    return [str(each["id"]) for each in projects if each.get("id") and each.get("name", region) == region]
