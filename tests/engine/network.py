"""The simulated service behind a network that breaks exchanges: before the job is made, after it, or twice.

What the runner gets is read by its own table (`runner.api.answers`) from the status and the bytes.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Any, NamedTuple, Protocol, TypeVar

import aiohttp
import orjson

from runner.api.answers import broken, create_answer, read_answer
from runner.api.replies import Broken, Reply
from runner.api.wire import read_job, read_page
from runner.engine.ports import Departure
from runner.model import Job, JobPage
from runner.rules.answers import Answer, ReadFailed
from runner.rules.refused_calls import Identity
from runner.simulator import replies as simulated
from runner.simulator.jobs import JobView, SimulatedJob
from runner.simulator.service import SimulatedService
from tests.engine.signatures import Signatures, has_worked
from tests.engine.virtual import VirtualClock

T = TypeVar("T")

_LATENCY_S = 0.05
_LOGINS_S = (0.2, 5.0, 15.0, 70.0)
_HOST = "modelarts.example"


class Fault(NamedTuple):
    """What becomes of a call. `jobs`: how long after it arrives each job is made, seconds; None: one, or none at all."""

    reply: Reply | Broken
    jobs: tuple[float, ...] | None = ()
    takes_s: float = 0.0


def _error(status: int, code: str, message: str, **headers: str) -> Reply:
    body = orjson.dumps({"error_code": code, "error_msg": message})
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def _throttled(limit: str = "", **headers: str) -> Fault:
    return Fault(_error(429, "APIGW.0308", "The throttling threshold has been reached" + limit, **headers))


_UNAUTHORIZED = 401
_REFUSED = _error(_UNAUTHORIZED, "APIGW.0301", "the token has expired")
_LOST = broken(ConnectionResetError(), _HOST)
_THROTTLES = {
    "throttled": _throttled(),
    "throttled_by_number": _throttled(": policy user over ratelimit,limit:60,time:1 second"),
    "throttled_for_a_while": _throttled(Retry_After="3"),
}
_PORTAL = b"<html><head><title>Sign in</title></head><body>Please sign in</body></html>"
# Not drawn by seeds.
_RARE = {
    "web_page": Fault(Reply(200, {"Content-Type": "text/html"}, _PORTAL)),
    "redirect": Fault(Reply(302, {"Location": "https://someone:secret@login.example/sign-in?token=secret"}, b"")),
    "throttled_for_a_minute": _throttled(Retry_After="60"),
    "throttled_for_a_window": _throttled(": policy user over ratelimit,limit:10,time:2 minute"),
    "throttled_for_two_hours": _throttled(Retry_After="7200"),
    "quota": Fault(_error(429, "APIG.0308", "Daily quota exhausted")),
    "quota_by_number": _throttled(": policy user over ratelimit,limit:1000,time:1 day"),
    **{
        f"{what}_for_{said}": Fault(_error(status, code, "come back later", Retry_After=seconds))
        for said, seconds in (("a_minute", "60"), ("two_hours", "7200"))
        for what, status, code in (("down", 503, "APIGW.0202"), ("busy", 409, "ModelArts.5044"))
    },
    "unauthenticated": Fault(_REFUSED),
    "wrong_project": Fault(_error(403, "ModelArts.0210", "the project of the URL is not that of the token")),
}
_OUTAGES = {
    "status_500": Fault(_error(500, "ModelArts.0010", "internal error"), None),
    "status_502": Fault(Reply(502, {}, b"<html><h1>Bad Gateway</h1></html>"), None),
    "status_503": Fault(_error(503, "ModelArts.4302", "the backend is down"), None),
    "status_504": Fault(_error(504, "APIGW.0201", "backend timeout"), None),
    "reset": Fault(_LOST, None),
    "hang": Fault(broken(TimeoutError(), _HOST), None, takes_s=30.0),
    "unreachable": Fault(broken(aiohttp.ConnectionTimeoutError(), _HOST)),
    "unreadable": Fault(Reply(200, {}, b'{"id": "6f1c'), (0.0,)),
}
READ_FAULTS: dict[str, Fault] = _OUTAGES | _THROTTLES
FAULTS: dict[str, Fault] = READ_FAULTS | {
    "status_408": Fault(_error(408, "ModelArts.6100", "timeout"), None),
    "status_499": Fault(Reply(499, {}, b""), None),
    "error_in_200": Fault(_error(200, "ModelArts.6102", "no resources")),
    "empty_200": Fault(Reply(200, {}, b""), (0.0,)),
    "lost_after": Fault(_LOST, (0.0,)),
    "lost_before": Fault(_LOST),
    "late": Fault(_LOST, (4.0,)),  # with any lag of the list still within the settle time
    "busy_server": Fault(_error(400, "ModelArts.6357", "another operation is in progress")),
    "conflicting_operation": Fault(_error(409, "ModelArts.5044", "operations conflict")),
}
# These make second jobs whatever the runner does: it must tell of them.
DOUBLING_FAULTS: dict[str, Fault] = {
    "twice": Fault(_error(504, "APIGW.0201", "the gateway sent it twice"), (0.0, 0.0)),
    "twice_but_late": Fault(_LOST, (0.0, 3.0)),
    "too_late": Fault(_LOST, (20.0,)),
    "twice_and_busy": Fault(_error(400, "ModelArts.6357", "another operation is in progress"), (0.0,)),
}
_ANY_FAULT = {**FAULTS, **DOUBLING_FAULTS, **_RARE}


class Witness(Protocol):
    """Who looks on."""

    def sent(self, request: Mapping[str, Any]) -> int:
        """A create leaves. Return its lane."""
        ...

    def answered(self, lane: int) -> None:
        """A create of the lane is over."""
        ...

    def made(self, job: SimulatedJob) -> None:
        """A job of the run was made."""
        ...


class ServiceTime:
    """The service's clock, which goes on while the runner's process is frozen: what came due then is done `at` its time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.at: float | None = None

    def __call__(self) -> float:
        return self._now() if self.at is None else self.at


class Network:
    """The calls of a lane. `script` and `read_script` are the faults of the next creates and reads by name ("": none).

    Then chance decides. `breaks_reads` is the fault of every read from now on, `breaks_gets` that of single jobs, `breaks_lists` of lists; so
    many of the first jobs are `unreadable_jobs`, by the fault `breaks_these`. `refused` is, call by call in the order of the answers, whether it was one that says the credential is no good.
    """

    def __init__(
        self,
        service: SimulatedService,
        time: ServiceTime,
        witness: Witness,
        rng: random.Random,
        clock: VirtualClock,
    ) -> None:
        self.service = service
        self.script: deque[str] = deque()
        self.read_script: deque[str] = deque()
        self.breaks_reads = self.breaks_gets = self.breaks_lists = ""
        self.unreadable_jobs, self.breaks_these = 0, "status_503"
        self.faults: Sequence[str] = ()
        self.fault_chance = self.read_fault_chance = self.login_chance = self.renew_chance = 0.0
        self.latency_s = _LATENCY_S
        self.logins_s: Sequence[float] = _LOGINS_S
        self.obeys_filter = True
        self.deleted_is_shown_s = 0.0
        self.refuses_reads = self.refuses_creates = False
        self.refused: list[bool] = []
        self.key = "key one"
        self._signatures: dict[str, Signatures] = {}
        self.in_flight = self.most_in_flight = self.reads_in_flight = 0
        self.sent_at: list[float] = []
        self.list_calls_at: list[float] = []
        self.gets_at: dict[str, list[float]] = {}
        self._to_be_made: list[tuple[float, int, dict[str, Any]]] = []
        self._deleted_at: dict[str, float] = {}
        self._number = count()
        self._time = time
        self._witness = witness
        self._rng = rng
        self._clock = clock

    async def create(self, body: bytes, departure: Departure) -> Answer | None:
        request = orjson.loads(body)
        if self.login_chance and self._rng.random() < self.login_chance:
            await asyncio.sleep(self._rng.choice(self.logins_s))
        if not await departure.leave():
            return None
        if self._is_renewed():
            await self._refused(request, departure)
            if not await departure.leave():
                return None
        signatures = self.signatures
        known = signatures.left()
        reply: Reply | Broken = _LOST
        lane = self._witness.sent(request)
        sent_at, slept_s = self._clock.monotonic(), self._clock.slept_s
        self.sent_at.append(sent_at)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        arrived = False
        try:
            await asyncio.sleep(self.latency_s)
            arrived = True
            if self._clock.slept_s > slept_s:
                reply = self._broken_by_sleep(request, sent_at)
            else:
                reply = await self._serve(request)
        finally:
            self.in_flight -= 1
            self._witness.answered(lane)
            answer = create_answer(reply, str, self._clock.wall())
            signatures.answered(known, refused=_is_refused(reply), worked=has_worked(answer))
            if not arrived and self._rng.random() < 0.5:  # its process died, which does not stop a request on its way
                self._make_later(self._rng.uniform(0.0, 2.0), request)
        self._note(reply)
        if _is_refused(reply):
            departure.refused()
        return answer

    def _is_renewed(self) -> bool:
        chance = self.renew_chance or self.login_chance
        return bool(chance) and self._rng.random() < chance

    @property
    def identity(self) -> Identity:
        """Who calls are made as."""
        return Identity(self.key, is_renewed=self.login_chance > 0)

    @property
    def signatures(self) -> Signatures:
        """Those of the credential of now."""
        return self._signatures.setdefault(self.key, Signatures(self._clock.wall))

    async def _refused(self, request: dict[str, Any], departure: Departure) -> None:
        """The credential has just expired, and is renewed."""
        lane, signatures = self._witness.sent(request), self.signatures
        known, refused = signatures.left(), False
        try:
            await asyncio.sleep(self.latency_s)
            refused = True
        finally:
            self._witness.answered(lane)
            signatures.answered(known, refused=refused, worked=False, is_old=True)
        departure.refused()
        await asyncio.sleep(self._rng.choice(self.logins_s))

    async def get(self, job_id: str, departure: Departure) -> Job | ReadFailed | None:
        hidden = list(self.service.jobs)[: self.unreadable_jobs] if self.unreadable_jobs else ()
        self.gets_at.setdefault(job_id, []).append(self._clock.monotonic())
        breaks = self.breaks_these if job_id in hidden else self.breaks_gets
        return await self._read(partial(self._get, job_id), partial(read_job, clean=str), departure, breaks)

    def _get(self, job_id: str) -> simulated.SimulatedReply:
        """One that was deleted is shown so for a while, and is missing after."""
        now = self._clock.monotonic()
        if now < self._deleted_at.get(job_id, -math.inf) + self.deleted_is_shown_s:
            view = JobView(self.service.behaviour)
            return simulated.SimulatedReply(200, view.detail(self.service.jobs[job_id], now))
        return self.service.get(job_id)

    @property
    def deletes(self) -> bool:
        """Whether a job was deleted by somebody."""
        return bool(self._deleted_at)

    def delete_one(self) -> None:
        """Somebody deletes one of the run's jobs."""
        mine = [job for job in self.service.jobs.values() if job.request["items"] and not job.deleted]
        if mine:
            job = self._rng.choice(mine)
            job.deleted = True
            self._deleted_at[job.job_id] = self._clock.monotonic()

    async def list(
        self, *, name: str | None, offset: int, limit: int, departure: Departure
    ) -> JobPage | ReadFailed | None:
        self.list_calls_at.append(self._clock.monotonic())
        query = {"name": (name or "") if self.obeys_filter else "", "offset": str(offset), "limit": str(limit)}
        return await self._read(partial(self.service.list_jobs, query), read_page, departure, self.breaks_lists)

    async def _serve(self, request: dict[str, Any]) -> Reply | Broken:
        self._catch_up()
        if self.refuses_creates:
            return _REFUSED
        fault = self._next_fault()
        if fault is None:
            return self._make(request)
        jobs = fault.jobs
        if jobs is None:
            jobs = (0.0,) if self._rng.random() < 0.5 else ()
        for after_s in jobs:
            if after_s:
                self._make_later(after_s, request)
            else:
                self._make(request)
        await asyncio.sleep(fault.takes_s)
        return fault.reply

    def _broken_by_sleep(self, request: dict[str, Any], sent_at: float) -> Reply | Broken:
        """The machine slept while the request was on its way: it arrived in time, or never, and nobody hears of it."""
        if self._rng.random() < 0.5:
            heappush(self._to_be_made, (sent_at + self.latency_s, next(self._number), request))
            self._catch_up()
        return _LOST

    def _next_fault(self) -> Fault | None:
        if self.script:
            return _fault(self.script.popleft())
        if self.faults and self._rng.random() < self.fault_chance:
            return _ANY_FAULT[self._rng.choice(self.faults)]
        return None

    def _make_later(self, after_s: float, request: dict[str, Any]) -> None:
        heappush(self._to_be_made, (self._clock.monotonic() + after_s, next(self._number), request))
        asyncio.get_running_loop().call_later(after_s, self._catch_up)

    def _catch_up(self) -> None:
        while self._to_be_made and self._to_be_made[0][0] <= self._clock.monotonic():
            self._time.at, _, request = heappop(self._to_be_made)
            self._make(request)
        self._time.at = None

    def _make(self, request: dict[str, Any]) -> Reply:
        reply = _reply(self.service.create(request))
        if reply.status == 200:
            self._witness.made(next(reversed(self.service.jobs.values())))
        return reply

    async def _read(
        self,
        call: Callable[[], simulated.SimulatedReply],
        understand: Callable[[bytes], T],
        departure: Departure,
        breaks: str = "",
    ) -> T | ReadFailed | None:
        if not await departure.leave():
            return None
        signatures = self.signatures
        known = signatures.left()
        reply: Reply | Broken = _LOST
        try:
            reply = await self._read_reply(call, breaks)
        finally:
            answer = read_answer(reply, understand, str, self._clock.wall())
            signatures.answered(known, refused=_is_refused(reply), worked=has_worked(answer))
        self._note(reply)
        if _is_refused(reply):
            departure.refused()
        return answer

    async def _read_reply(self, call: Callable[[], simulated.SimulatedReply], breaks: str) -> Reply | Broken:
        self.reads_in_flight += 1
        try:
            await asyncio.sleep(self.latency_s)
        finally:
            self.reads_in_flight -= 1
        self._catch_up()
        reply: Reply | Broken = _reply(call())
        if self.refuses_reads:
            reply = _REFUSED
        fault = self._next_read_fault(breaks)
        if fault is not None:
            await asyncio.sleep(fault.takes_s)
            reply = fault.reply
        return reply

    def _note(self, reply: Reply | Broken) -> None:
        self.refused.append(_is_refused(reply))

    def _next_read_fault(self, breaks: str) -> Fault | None:
        name = self.read_script.popleft() if self.read_script else self.breaks_reads or breaks
        if not name and self._rng.random() < self.read_fault_chance:
            name = self._rng.choice(list(READ_FAULTS))
        return _fault(name)


def _fault(name: str) -> Fault | None:
    return _ANY_FAULT[name] if name else None


def _is_refused(reply: Reply | Broken) -> bool:
    return isinstance(reply, Reply) and reply.status == _UNAUTHORIZED


def _reply(reply: simulated.SimulatedReply) -> Reply:
    return Reply(reply.status, reply.headers, orjson.dumps(reply.body))
