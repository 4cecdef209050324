"""A Lite Server API that keeps account of everything, and answers as a test has it: bytes on a socket, nothing shared.

What it knows of the service is api-facts 1; it is no simulator, and knows no switches: a test writes the answers that it
wants to see on the wire, whole or broken.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.cli.quick import quick_time

PROJECT = "p"
_JOBS = f"/v1/{PROJECT}/dev-servers/jobs"
_NAME = re.compile(r"[-_.a-zA-Z0-9]{1,64}")
_MOST_ROWS = 1000
_IDLE_S = 0.02
_MADE_AT_MS = 1_790_000_000_000

Json = dict[str, Any]


class Raw(NamedTuple):
    """Bytes as they go to the socket, and what becomes of the connection then.

    `late` are more bytes, that come once the connection was idle for a moment.
    """

    data: bytes
    then: Literal["keep", "close", "reset", "hang"] = "close"
    late: bytes = b""


@dataclass
class MadeJob:
    """A job that there is, and works: what is true, whatever is told of it."""

    job_id: str
    name: str
    server_ids: list[str]
    type: str
    made_at: float
    lasts_s: float
    fails_on: frozenset[str] = frozenset()

    @property
    def is_over(self) -> bool:
        return quick_time() - self.made_at >= self.lasts_s

    @property
    def created_ms(self) -> int:
        return _MADE_AT_MS + int(1000 * self.made_at) % 10**9

    def row(self) -> Json:
        """As the list shows it."""
        updated = self.created_ms + int(1000 * self.lasts_s) if self.is_over else self.created_ms
        return {
            "id": self.job_id, "name": self.name, "user_name": "u", "description": None, "type": self.type,
            "status": "FINISHED" if self.is_over else "PROCESSING", "abnormal_count": 0,
            "create_at": self.created_ms, "update_at": updated,
        }  # fmt: skip

    def tasks(self) -> list[Json]:
        """One a server."""
        return [
            {
                "id": f"t-{server}",
                "server_id": server,
                "status": self._status(server),
                "message": "",
                "cloud_server": None,
            }
            for server in self.server_ids
        ]

    def detail(self) -> Json:
        """As it is read by its id."""
        return self.row() | {"items": [], "tasks": self.tasks(), "template_id": "t"}

    def _status(self, server: str) -> str:
        if not self.is_over:
            return "PROCESSING"
        return "FAILED" if server in self.fails_on else "SUCCESS"


@dataclass(frozen=True)
class Asked:
    """One request, the `number`-th of its kind, from 1. `job` is the one whose detail is asked for, if there is one."""

    kind: Literal["create", "detail", "list"]
    number: int
    on_connection: int
    body: Json = field(default_factory=dict)
    job_id: str = ""
    job: MadeJob | None = None
    query: Mapping[str, str] = field(default_factory=dict)


Honest = Callable[[], Json]
Answers = Callable[["Service", Asked, Honest], "Raw | Json"]


def reply(body: bytes | Json | str, status: str = "200 OK", *headers: str) -> Raw:
    """A whole answer, after which the connection is kept."""
    data = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(data)}", *headers]
    return Raw("\r\n".join(lines).encode() + b"\r\n\r\n" + data, "keep")


def honestly(service: Service, asked: Asked, honest: Honest) -> Json:
    """What a service without faults answers."""
    del service, asked
    return honest()


class Service:
    """What there is, what was asked, and how it is answered. `complaints` are of requests that no client may send."""

    def __init__(self, answers: Answers = honestly, lasts_s: float = 4.0) -> None:
        self.answers = answers
        self.jobs: dict[str, MadeJob] = {}
        self.complaints: list[str] = []
        self.asked: Counter[str] = Counter()
        self.lasts_s = lasts_s
        self.memory: Json = {}
        self._connections: set[asyncio.Task[None]] = set()

    def jobs_of_servers(self) -> Counter[str]:
        """How many jobs each server got."""
        return Counter(server for job in self.jobs.values() for server in job.server_ids)

    def make(self, body: Json) -> MadeJob:
        """Make a job, as a create does."""
        made = MadeJob(str(uuid.uuid4()), body["name"], body["server_ids"], body["type"], quick_time(), self.lasts_s)
        self.jobs[made.job_id] = made
        return made

    def page(self, query: Mapping[str, str], most: int = _MOST_ROWS) -> Json:
        """One page of the list, newest first, with the filter by a part of the name."""
        found = [job.row() for job in reversed(self.jobs.values()) if query.get("name", "") in job.name]
        return page_of(found, query, most)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after the other."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        number = 0
        try:
            late = b""
            while head := await _next_head(reader, writer, late):
                number += 1
                raw = await self._answer(head.decode("latin-1"), reader, number)
                late = raw.late
                writer.write(raw.data)
                await writer.drain()
                if raw.then == "hang":
                    await asyncio.Event().wait()
                if raw.then == "reset":
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                if raw.then != "keep":
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, on_connection: int) -> Raw:
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if not headers.get("authorization", "").startswith("SDK-HMAC-SHA256 Access="):
            self.complaints.append(f"not signed: {first}")
        asked, honest = self._understood(method, target, body, on_connection)
        answer = self.answers(self, asked, honest)
        if isinstance(answer, Raw):
            return answer
        return reply(answer, "400 Bad Request" if "error_code" in answer else "200 OK")

    def _understood(self, method: str, target: str, body: bytes, on_connection: int) -> tuple[Asked, Honest]:
        parts = urlsplit(target)
        if (method, target) == ("POST", _JOBS):
            content = self._checked(json.loads(body))
            return self._of("create", on_connection, body=content), lambda: self.make(content).detail()
        if method == "GET" and parts.path == _JOBS:
            query = dict(parse_qsl(parts.query))
            return self._of("list", on_connection, query=query), lambda: self.page(query)
        if method == "GET" and parts.path.startswith(_JOBS + "/"):
            job_id = unquote(parts.path.removeprefix(_JOBS + "/"))
            job = self.jobs.get(job_id)
            missing = {"error_code": "ModelArts.6404", "error_msg": f"job {job_id} not found"}
            asked = self._of("detail", on_connection, job_id=job_id, job=job)
            return asked, lambda: missing if job is None else job.detail()
        self.complaints.append(f"no such call: {method} {target}")
        return self._of("list", on_connection), lambda: {"error_code": "APIGW.0101"}

    def _of(self, kind: Literal["create", "detail", "list"], on_connection: int, **more: Any) -> Asked:
        self.asked[kind] += 1
        return Asked(kind, self.asked[kind], on_connection, **more)

    def _checked(self, content: Json) -> Json:
        servers = content["server_ids"]
        wrong = {
            "name": not _NAME.fullmatch(content["name"]),
            "servers": not servers or len(set(servers)) < len(servers),
            "type": content["type"] != "HDK_UPGRADE",
            "items": not content["items"],
        }
        self.complaints += [f"{what} of a create: {content}" for what, is_so in wrong.items() if is_so]
        return content

    async def close(self) -> None:
        """End what hangs."""
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


async def _next_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late: bytes) -> bytes:
    """The head of the next request. If none comes for a moment, `late` goes out first."""
    if late:
        try:
            return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _IDLE_S)
        except TimeoutError:
            writer.write(late)
    return await reader.readuntil(b"\r\n\r\n")


def page_of(rows: list[Json], query: Mapping[str, str], most: int) -> Json:
    """The page of these rows that was asked for."""
    start, size = int(query.get("offset", "0")), min(int(query.get("limit", str(most))), most)
    return {
        "current": start // size + 1, "size": size, "pages": -(-len(rows) // size), "total": len(rows),
        "data": rows[start : start + size],
    }  # fmt: skip


@contextmanager
def served(service: Service) -> Iterator[str]:
    """The address of the service, in a thread of its own, until the block ends."""
    loop, over, url = asyncio.new_event_loop(), asyncio.Event(), Future[str]()

    async def serve() -> None:
        server = await asyncio.start_server(service.connected, "127.0.0.1", 0)
        url.set_result(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await over.wait()
        server.close()
        await service.close()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        yield url.result(60.0)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
