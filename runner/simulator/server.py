"""The simulated service over HTTP, on loopback."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Self

import orjson
from aiohttp import web

from runner.errors import ServiceUnusable
from runner.simulator.behaviour import Fault
from runner.simulator.replies import SimulatedReply, refusal
from runner.simulator.service import SimulatedService
from runner.simulator.verifying import Verifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from runner.model import Json
    from runner.simulator.behaviour import Behaviour, FaultKind
    from runner.simulator.service import ServerListKind

_BODY_LIMIT = 12_000_000


class Simulator:
    """`async with Simulator(behaviour) as simulator:` serves at `simulator.url` until the block ends.

    `service` can be asked what it made; `create_times` are when creates came in, monotonic seconds.
    """

    def __init__(self, behaviour: Behaviour, *, port: int = 0, clock: Callable[[], float] = time.time) -> None:
        self.behaviour = behaviour
        self.service = SimulatedService(behaviour, clock)
        self.create_times: list[float] = []
        self.url = ""
        self._port = port
        self._clock = clock
        self._verifier = Verifier(behaviour.auth)
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_BODY_LIMIT)
        servers = "/v1/{project_id}/dev-servers"
        jobs = servers + "/jobs"
        app.add_routes(
            [
                web.post(jobs, self._create),
                web.get(jobs, self._read),
                web.delete(jobs, self._delete),
                web.get(jobs + "/templates", self._templates),
                web.get(jobs + "/{job_id}", self._read),
                web.get(servers, partial(self._servers, kind="mine")),
                web.get(servers + "/all", partial(self._servers, kind="all")),
                web.get(servers + "/hyperinstance", partial(self._servers, kind="hyper")),
                web.get(servers + "/hyperinstance/all", partial(self._servers, kind="hyper")),
                web.get(servers + "/instance-physical-topologies", partial(self._servers, kind="topology")),
                web.post("/v3/auth/tokens", self._token),
                web.get("/v3/projects", self._projects),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ServiceUnusable(f"port {self._port}: {error.strerror}", hint="choose another with --port") from error
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _create(self, request: web.Request) -> web.StreamResponse:
        self.create_times.append(time.monotonic())
        body = await request.read()
        refused = await self._refused(request, body)
        if refused is not None:
            return refused
        fault = self._fault()
        if fault is None:
            return _response(self.service.create(_parse(body)))
        executed = fault.executed
        if executed is None:
            executed = self.service.chance() < self.behaviour.faults.executed
        reply = self.service.create(_parse(body)) if executed else None
        return await self._go_wrong(request, fault.kind, reply)

    def _fault(self) -> Fault | None:
        faults = self.behaviour.faults
        scripted = faults.script.get(len(self.create_times))
        if scripted is not None or not faults.creates or self.service.chance() >= faults.creates:
            return scripted
        return Fault(kind=faults.kinds[int(self.service.chance() * len(faults.kinds))])

    async def _go_wrong(
        self, request: web.Request, kind: FaultKind, reply: SimulatedReply | None
    ) -> web.StreamResponse:
        if kind == "hang":
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self.behaviour.faults.hang_s)
            return _response(refusal(504, "APIGW.0201", "Backend timeout."))
        if kind == "reset" and request.transport is not None:
            request.transport.abort()
        if kind == "cut_body" and request.transport is not None:
            body = orjson.dumps(reply.body if reply else {})
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body) + 9}\r\n\r\n".encode()
            request.transport.write(head + body[: len(body) // 2])
            request.transport.close()
        if kind == "html":
            return web.Response(
                status=200, text="<html>gateway</html>", content_type="text/html", headers=_request_id()
            )
        if kind.startswith("status_"):
            return _response(refusal(int(kind[-3:]), "APIGW.0201", "Backend unavailable."))
        return web.Response(status=500)

    async def _read(self, request: web.Request) -> web.StreamResponse:
        refused = await self._refused(request, b"")
        if refused is not None:
            return refused
        faults = self.behaviour.faults
        if faults.reads and self.service.chance() < faults.reads:
            return _response(refusal(503, "ModelArts.4302", "Backend unavailable."))
        job_id = request.match_info.get("job_id")
        return _response(self.service.get(job_id) if job_id else self.service.list_jobs(request.query))

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        return await self._refused(request, body) or _response(self.service.delete(_parse(body)))

    async def _servers(self, request: web.Request, kind: ServerListKind) -> web.StreamResponse:
        return await self._refused(request, b"") or _response(self.service.list_servers(request.query, kind))

    async def _templates(self, request: web.Request) -> web.StreamResponse:
        return await self._refused(request, b"") or _response(self.service.list_templates(request.query))

    async def _refused(self, request: web.Request, body: bytes) -> web.StreamResponse | None:
        if self.behaviour.faults.latency_s:
            await asyncio.sleep(self.behaviour.faults.latency_s)
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = self._verifier.refuses(
            request.method,
            request.raw_path.partition("?")[0],
            request.rel_url.raw_query_string,
            headers,
            body,
            self._clock(),
        )
        projects = self.behaviour.auth.project_ids
        if reply is None and projects and request.match_info.get("project_id") not in projects:
            reply = refusal(403, "ModelArts.0210", "The project id in the URL differs from that of the token.")
        return _response(reply) if reply is not None else None

    async def _token(self, request: web.Request) -> web.Response:
        """IAM makes a token for a user and password (api-facts 3.1)."""
        try:
            user = orjson.loads(await request.read())["auth"]["identity"]["password"]["user"]
            known = self.behaviour.auth.users.get(user["name"]) == user["password"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return _response(SimulatedReply(400, {"error": {"code": "IAM.0001", "message": "Invalid request."}}))
        if not known:
            return _response(
                SimulatedReply(401, {"error": {"code": "IAM.0002", "message": "The username or password is wrong."}})
            )
        token = secrets.token_hex(32)
        expires_at = self._clock() + self.behaviour.auth.token_lifetime_s
        self._verifier.add_token(token, expires_at)
        when = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(expires_at))
        return _response(SimulatedReply(201, {"token": {"expires_at": when}}, {"X-Subject-Token": token}))

    async def _projects(self, request: web.Request) -> web.StreamResponse:
        """IAM's projects of a region (api-facts 3.3)."""
        refused = await self._refused(request, b"")
        ids = self.behaviour.auth.project_ids or ["0123456789abcdef0123456789abcdef"]
        projects = [{"id": project, "name": request.query.get("name")} for project in ids]
        return refused or _response(SimulatedReply(200, {"projects": projects}))


def _parse(body: bytes) -> Json:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _request_id() -> dict[str, str]:
    return {"X-Request-Id": secrets.token_hex(16)}


def _response(reply: SimulatedReply) -> web.Response:
    return web.Response(
        status=reply.status,
        body=orjson.dumps(reply.body),
        content_type="application/json",
        headers={**_request_id(), **reply.headers},
    )
