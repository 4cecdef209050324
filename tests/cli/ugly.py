"""Ugly answers: what a service, or what stands before it, may say in place of what was asked for.

Each is a function that a strict service (`tests.cli.strict`) asks what to answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any

from tests.cli.quick import quick_time
from tests.cli.strict import Answers, Asked, Honest, Json, Raw, Service, honestly, page_of, reply

FIRST, SECOND, SOME = {1}, {2}, {2, 3}
ALL = range(1, 100)
EMPTY: Json = {"current": 1, "size": 1000, "pages": 0, "total": 0, "data": []}
LOST = Raw(b"", "reset")


def to(kind: str, numbers: Collection[int], answers: Answers, rest: Answers = honestly) -> Answers:
    """These requests of a kind are answered so, by their number, and all else by `rest`."""

    def answer(service: Service, asked: Asked, honest: Honest) -> Raw | Json:
        return (answers if asked.kind == kind and asked.number in numbers else rest)(service, asked, honest)

    return answer


def made(answer: Raw | Json | Callable[[Json], Raw | Json]) -> Answers:
    """The job is made, and this is the answer, or what becomes of the honest one."""

    def answers(service: Service, asked: Asked, honest: Honest) -> Raw | Json:
        del service, asked
        job = honest()
        return answer(job) if callable(answer) else answer

    return answers


def lost(creates: Collection[int], rest: Answers = honestly) -> Answers:
    """The jobs of these creates are made, and the connection is reset in place of an answer."""
    return to("create", creates, made(LOST), rest)


def never_made(answer: Raw | Json) -> Answers:
    """An answer to a create that makes no job, or to anything."""
    return lambda service, asked, honest: answer


def listed(answers: Answers, lost_creates: Collection[int] = SOME) -> Answers:
    """Some answers to creates are lost, and the list is as told."""
    return lost(lost_creates, to("list", ALL, answers))


def details(answers: Answers, of: str = "id-3", first: int | None = None, for_s: float | None = None) -> Answers:
    """The job of one server is read so: the `first` times only, or as long as it is so young, or always."""

    def answer(service: Service, asked: Asked, honest: Honest) -> Raw | Json:
        job = asked.job
        if asked.kind != "detail" or job is None or of not in job.server_ids:
            return honest()
        reads = service.memory[job.job_id] = service.memory.get(job.job_id, 0) + 1
        is_young = for_s is None or quick_time() - job.made_at < for_s
        return answers(service, asked, honest) if is_young and (first is None or reads <= first) else honest()

    return answer


def with_tasks(change: Callable[[list[Json]], list[Json]], **fields: Any) -> Answers:
    """A job whose tasks are changed."""
    return made(lambda job: job | fields | {"tasks": change(job["tasks"])})


def cut(job: Json) -> Raw:
    data = json.dumps(job).encode()
    return Raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data[: len(data) // 2])


def whole(*head: bytes, then: Any = "close", body: Callable[[bytes], bytes] = bytes) -> Callable[[Json], Raw]:
    """The job under a head of one's own; LEN is the length of the body."""

    def answer(job: Json) -> Raw:
        data = body(json.dumps(job).encode())
        lines = [line.replace(b"LEN", b"%d" % len(data)) for line in head]
        return Raw(b"\r\n".join([*lines, b"", b""]) + data, then)

    return answer


def coded(encoding: str, body: Callable[[bytes], bytes] = bytes) -> Callable[[Json], Raw]:
    """The job, said to be encoded."""
    return lambda job: reply(body(json.dumps(job).encode()), "200 OK", f"Content-Encoding: {encoding}")


def endless_chunks(job: Json) -> Raw:
    data = json.dumps(job).encode()
    return Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(data), data), "hang")


def about_the_first(service: Service, asked: Asked, honest: Honest) -> Json:
    """The answer to a create is about the first job there is."""
    del asked
    honest()
    return next(iter(service.jobs.values())).detail()


def id_of_the_first(service: Service, asked: Asked, honest: Honest) -> Json:
    del asked
    return honest() | {"id": next(iter(service.jobs))}


def id_of_yesterday(service: Service, asked: Asked, honest: Honest) -> Json:
    """A short answer that shows the job that the servers had yesterday, which went well. Today's does not."""
    job = service.jobs[honest()["id"]]
    if "id-3" not in asked.body["server_ids"]:
        return job.detail()
    job.fails_on = frozenset(job.server_ids)
    return {"id": service.memory["yesterday"]}


def made_twice(service: Service, asked: Asked, honest: Honest) -> Raw:
    """Somebody on the way sends the create again."""
    service.make(asked.body)
    honest()
    return LOST


def one_too_late(service: Service, asked: Asked, honest: Honest) -> Raw | Json:
    """Each create gets the answer to the one before."""
    del asked
    job, before = honest(), service.memory.get("before")
    service.memory["before"] = job
    return before or LOST


def renamed(how: Callable[[str], str], lost_creates: Collection[int] = SOME) -> Answers:
    """The service keeps names in its own way, shows them so, and looks for them so."""

    def create(service: Service, asked: Asked, honest: Honest) -> Json:
        job = service.jobs[honest()["id"]]
        job.name = how(asked.body["name"])
        return job.detail()

    def lost_create(service: Service, asked: Asked, honest: Honest) -> Raw:
        create(service, asked, honest)
        return LOST

    return to("create", lost_creates, lost_create, to("create", ALL, create))


def rows(service: Service) -> list[Json]:
    """All of them, oldest first, whatever is asked for: our own lie where pages meet."""
    return [job.row() for job in service.jobs.values()]


def pages(shift: int = 0, most: int = 10, **told: Any) -> Answers:
    """Pages of all rows that begin elsewhere than asked for, and are told of as if they did not."""

    def answers(service: Service, asked: Asked, honest: Honest) -> Json:
        del honest
        offset = int(asked.query["offset"])
        begin = max(0, offset + shift) if offset else 0
        page = page_of(rows(service), {"offset": str(begin)}, most)
        return page | {"current": offset // most + 1} | told

    return answers


def page_for_all(service: Service, asked: Asked, honest: Honest) -> Json:
    """One page, whatever is asked for, and `total` counts it."""
    del asked, honest
    page = page_of(rows(service), {}, 10)
    return page | {"total": len(page["data"]), "pages": 1}


def without_names(service: Service, asked: Asked, honest: Honest) -> Json:
    del service, asked
    page = honest()
    return page | {"data": [row | {"name": None} for row in page["data"]]}


def only_by_name(answers: Answers, rest: Answers) -> Answers:
    """Lists that are filtered by a name, and those that are not."""

    def answer(service: Service, asked: Asked, honest: Honest) -> Raw | Json:
        return (answers if asked.query.get("name") else rest)(service, asked, honest)

    return answer


def detail_of_the_first(service: Service, asked: Asked, honest: Honest) -> Json:
    """Whichever job is asked for."""
    del asked, honest
    return next(iter(service.jobs.values())).detail()


def ids_of_the_first(service: Service, asked: Asked, honest: Honest) -> Json:
    """Rows with the right names, and the id of one job."""
    del asked
    page = honest()
    return page | {"data": [row | {"id": next(iter(service.jobs))} for row in page["data"]]}


def late_answer(data: bytes, lost_creates: Collection[int]) -> Answers:
    """After each answer another one comes that nobody asked for; without `data`, the end of the connection."""

    def answers(service: Service, asked: Asked, honest: Honest) -> Raw | Json:
        del service, asked
        answer = reply(honest())
        return answer._replace(late=data) if data else answer._replace(then="close")

    return lost(lost_creates, answers)


def back_to_work(service: Service, asked: Asked, honest: Honest) -> Json:
    """Over and well at first, but for one task; then at work again; then over, and the other one failed."""
    assert asked.job is not None
    reads, job = service.memory[asked.job_id], honest()
    seen = {1: ("FINISHED", "SUCCESS", "PROCESSING"), 2: ("PROCESSING", "PROCESSING", "PROCESSING")}
    status, *tasks = seen.get(reads, ("FINISHED", "FAILED", "SUCCESS"))
    if reads > len(seen):
        asked.job.fails_on = frozenset(asked.job.server_ids[:1])
    shown = [task | {"status": each} for task, each in zip(job["tasks"], tasks, strict=True)]
    return job | {"status": status, "tasks": shown}


def throttled(*headers: str) -> Answers:
    answer = reply({"error_code": "APIGW.0308", "error_msg": "too many"}, "429 Too Many Requests", *headers)
    return to("create", SECOND, never_made(answer))


def spelled(**error: Any) -> Answers:
    """An empty list, with an error in it; nothing is known by which it could be tested."""
    return listed(never_made(reply(EMPTY | error)), FIRST)


def foreign_jobs(service: Service) -> None:
    """Nine jobs of others: ours lie where the first page of ten ends."""
    for number in range(9):
        service.make({"name": f"other-{number}", "server_ids": [f"foreign-{number}"], "type": "HDK_UPGRADE"})


def yesterday(service: Service) -> None:
    job = service.make({"name": "hdk-yesterday", "server_ids": ["id-2", "id-3"], "type": "HDK_UPGRADE"})
    job.made_at -= 86_400
    service.memory["yesterday"] = job.job_id
