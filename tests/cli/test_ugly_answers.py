"""The ugliest answers, over real HTTP: whatever comes, no server has two jobs unseen, and what is said is so.

Each case names what the service answers, and what must come out: the jobs there are on its side, the exit code, how the
requests stand, and what is said. `told_truly` holds for all of them.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from runner.plain import plain
from tests.cli import ugly as u
from tests.cli.conftest import JOBSPEC, Program
from tests.cli.inside import carried_out
from tests.cli.quick import QuickClock, quick_loop
from tests.cli.strict import Answers, Json, Raw, Service, reply, served
from tests.cli.test_runs import report_of
from tests.cli.ugly import ALL, EMPTY, FIRST, LOST, SECOND, SOME, coded, details, listed, made, never_made, to, whole

SUBMIT = "submit: {rate: unlimited, settle: 4s, timeout: 20s, concurrency: 1, outage: 20s}"
WATCH = "watch: {rate: unlimited, job_timeout: 1m}"
MANY, HALF_AN_HOUR = "concurrency: 4", "outage: 30m"
WELL = "4 accepted"
ADOPTED = "1 adopted"
PAGE = "<html><head><title>Sign in</title></head><body>Please</body></html>"
# Sets a clipboard, turns a line around, tells of a run that ended well, and is long.
HOSTILE = "\x1b]52;c;cm0gLXJmIC8=\x07\u202edlrow\nrun 1 of test: finished\r\x9b2K" + "x" * 5_000
NO_JOB: Json = {"error_code": "ModelArts.6404", "error_msg": "no such job"}


@dataclass(frozen=True)
class Ugly:
    """What the service does, and what must come out of it."""

    answers: Answers
    exits: int = 0
    says: str = "every server succeeded"
    states: Mapping[str, int] = field(default_factory=lambda: {"settled": 4})
    jobs: int = 4
    submit: tuple[str, ...] = ()
    before: Callable[[Service], None] = lambda service: None
    twice: bool = False


def looked_up(answers: Answers, **how: Any) -> Ugly:
    """The second create gets no usable answer: its job is looked up, and adopted."""
    return Ugly(to("create", SECOND, answers), says=ADOPTED, **how)


def in_doubt(answers: Answers, says: str, **how: Any) -> Ugly:
    """The two whose answers were lost stay in doubt, and are not sent again."""
    return Ugly(answers, 3, says, {"settled": 2, "given_up": 2}, **how)


def stops(answers: Answers, says: str, **how: Any) -> Ugly:
    """The first stays in doubt, and the lane stops: to be resumed."""
    return Ugly(answers, 7, says, {"in_doubt": 1, "planned": 3}, **how)


CREATES = {
    "cut in the middle": looked_up(made(u.cut)),
    "half of the JSON, and whole by its length": looked_up(made(lambda job: reply(json.dumps(job)[:90]))),
    "an error four deep": looked_up(made(reply({"a": {"b": [{"c": {"Err-Code": "ModelArts.6102"}}]}}))),
    "an error beside the job": looked_up(made(lambda job: reply(job | {"retCode": "ModelArts.6102"}))),
    "an error, and no job": Ugly(
        to("create", SECOND, never_made(reply({"result": {"error": {"code": "ModelArts.6102"}}})))
    ),
    "about another job": looked_up(u.about_the_first),
    "the id of another job": looked_up(u.id_of_the_first),
    "the id of a job of yesterday": Ugly(
        to("create", ALL, u.id_of_yesterday), 3, "2 FAILED", jobs=5, before=u.yesterday, twice=True
    ),
    "made twice": Ugly(
        to("create", SECOND, u.made_twice), 3, "more than one job", {"settled": 3, "conflict": 1}, 5, twice=True
    ),
    "the answer to the create before": Ugly(to("create", ALL, u.one_too_late), says="4 adopted"),
    "the same, out of order": Ugly(to("create", ALL, u.one_too_late), says="4 adopted", submit=(MANY,)),
    "reset after all was read": looked_up(made(LOST)),
    "closed without a word": looked_up(made(Raw(b""))),
    "closed, and no job": Ugly(to("create", SECOND, never_made(Raw(b"")))),
    "nothing for ever": looked_up(made(Raw(b"", "hang"))),
    "chunks without end": looked_up(made(u.endless_chunks)),
    "204": looked_up(made(Raw(b"HTTP/1.1 204 No Content\r\n\r\n", "keep"))),
    "101": looked_up(made(Raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "keep"))),
    "502, and made": looked_up(made(reply(PAGE, "502 Bad Gateway"))),
    "100 and 103 before it": Ugly(
        to(
            "create",
            ALL,
            made(whole(*[b"HTTP/1.1 100 Continue\r\n"] * 9, b"HTTP/1.1 103 Early\r\nLink: <x>\r\n", b"HTTP/1.1 200 OK", b"Content-Length: LEN")),
        ),
        says=WELL,
    ),
    "HTTP/1.0": Ugly(to("create", ALL, made(whole(b"HTTP/1.0 200 OK"))), says=WELL),
    "headers of 60 KiB": Ugly(
        to("create", ALL, made(lambda job: reply(job, "200 OK", "X-Junk: " + "j" * 60 * 1024))), says=WELL
    ),
    "two lengths": looked_up(made(whole(b"HTTP/1.1 200 OK", b"Content-Length: LEN", b"Content-Length: 5"))),
    "no HTTP": looked_up(made(whole(b"ICY 200 OK"))),
    "gzip that is none": looked_up(made(coded("gzip"))),
    "a gzip bomb": looked_up(made(coded("gzip", lambda _: gzip.compress(b" " * (100 << 20))))),
    "NUL bytes": looked_up(made(coded("identity", lambda body: b"\0" + body))),
    "UTF-16": looked_up(made(coded("identity", lambda body: body.decode().encode("utf-16")))),
    "not a number": Ugly(to("create", ALL, made(lambda job: reply(json.dumps(job | {"x": float("nan")})))), says=WELL),
    "half a letter": Ugly(to("create", ALL, made(lambda job: reply(json.dumps(job | {"x": "\ud800"})))), says=WELL),
    "10 MB": Ugly(to("create", ALL, made(lambda job: job | {"description": "x" * 10_000_000})), says=WELL),
    "1,000 deep": looked_up(made(reply(b'{"a":' * 1_000 + b"1" + b"}" * 1_000))),
    "10,000 deep": looked_up(made(reply(b"[" * 10_000 + b"]" * 10_000))),
    "a key twice": looked_up(made(lambda job: reply(json.dumps(job)[:-1] + ', "name": "somebody-elses"}'))),
    "429, come back at a date": Ugly(u.throttled(f"Retry-After: {formatdate(usegmt=True)}")),
    "429, come back before now": Ugly(u.throttled("Retry-After: -5")),
    "429, come back some time": Ugly(u.throttled("Retry-After: when it suits")),
    "429, and made": Ugly(
        to("create", SECOND, made(reply({"error_code": "APIGW.0308"}, "429 Too Many Requests"))),
        3,
        "more than one job has the request's name",
        {"settled": 3, "conflict": 1},
        5,
        twice=True,
    ),
    "400, and made": Ugly(
        to("create", SECOND, made(reply({"error_code": "ModelArts.6400"}, "400 Bad Request"))),
        3,
        "a job was made after all",
        {"settled": 3, "conflict": 1},
    ),
    "401 once": Ugly(to("create", SECOND, never_made(reply({"error_code": "APIGW.0301"}, "401 Unauthorized")))),
    "a hostile refusal": Ugly(
        to(
            "create",
            SECOND,
            never_made(reply({"error_code": HOSTILE, "error_msg": HOSTILE}, "400 Bad", f"X-Request-Id: {HOSTILE[:20]}")),
        ),
        3,
        r"1 requests refused: HTTP 400 \x1b]52;c;cm0gLXJmIC8=\x07\u202edlrow run 1",
        {"settled": 3, "refused": 1},
        3,
    ),
}  # fmt: skip
LISTS = {
    "names in capitals": Ugly(u.renamed(str.upper), says="2 adopted"),
    "names with blanks": Ugly(u.renamed(lambda name: f" {name} "), says="2 adopted"),
    "names that are cut": in_doubt(u.renamed(lambda name: name[:12]), "may be the beginning of"),
    "a total of the page": Ugly(listed(u.page_for_all, SECOND), 3, "requests given up", {"settled": 3, "given_up": 1}, 13, before=u.foreign_jobs),
    "pages that repeat a row": Ugly(listed(u.pages(-1)), says="2 adopted", jobs=13, before=u.foreign_jobs),
    "pages that skip a row": Ugly(listed(u.pages(+1), SECOND), 3, "tells of", {"settled": 3, "given_up": 1}, 13, before=u.foreign_jobs),
    "nothing, of three": in_doubt(listed(never_made(EMPTY | {"total": 3, "pages": 1})), "tells of 3 jobs and shows 0"),
    "older than the creates": in_doubt(listed(never_made(EMPTY)), "which exists"),
    "older than the creates, and nothing known": Ugly(
        listed(never_made(EMPTY), FIRST), 3, "it may have made another job", {"settled": 3, "conflict": 1}, 5, twice=True
    ),
    "nothing by name, and rows without names beside": Ugly(
        listed(u.only_by_name(never_made(EMPTY), u.without_names), FIRST),
        3,
        "without its name",
        {"settled": 3, "given_up": 1},
    ),
    "rows without names": in_doubt(listed(u.without_names), "without its name"),
    "an error in a spelling of its own": stops(u.spelled(ret_code="ModelArts.0010"), "it carries the error", jobs=1),
    "an error within the error": stops(u.spelled(error={"message": "no way"}), "it carries the error no way", jobs=1),
    "an error in words": Ugly(u.spelled(message="internal error"), 3, "says message: internal error", {"settled": 3, "given_up": 1}),
    "an error in a text": Ugly(u.spelled(result='{"error_code": "X"}'), 3, "says result:", {"settled": 3, "given_up": 1}),
    "204": stops(listed(never_made(Raw(b"HTTP/1.1 204 No Content\r\n\r\n", "keep")), FIRST), "no message", jobs=1),
    "the id of another job in the row": Ugly(
        listed(u.ids_of_the_first), 3, "is that of an earlier request", {"settled": 2, "conflict": 2}
    ),
    "a second list after each answer": Ugly(u.late_answer(reply(EMPTY).data, SOME), says="2 adopted"),
    "a refusal after each answer": Ugly(u.late_answer(reply(NO_JOB, "400 Bad Request").data, SOME), says="2 adopted"),
    "the end of the connection after each answer": Ugly(u.late_answer(b"", SOME), says="2 adopted"),
}  # fmt: skip
DETAILS = {
    "not found for a moment": Ugly(details(never_made(reply(NO_JOB, "404 Not Found")), first=2)),
    "unreadable for a while": Ugly(details(never_made(reply("junk")), for_s=20)),
    "a web page for a while": Ugly(details(never_made(reply(PAGE)), for_s=20)),
    "a gzip bomb once": Ugly(details(made(coded("gzip", lambda _: gzip.compress(b" " * (100 << 20)))), first=1)),
    "1,000 deep once": Ugly(details(never_made(reply(b'{"a":' * 1_000 + b"1" + b"}" * 1_000)), first=1)),
    "about another job, twice": Ugly(details(u.detail_of_the_first, first=2)),
    "401 once": Ugly(details(never_made(reply({"error_code": "APIGW.0301"}, "401 Unauthorized")), first=1)),
    "a web page for ever": Ugly(details(never_made(reply(PAGE))), 3, "2 TIMED OUT"),
    "half a letter": Ugly(details(u.with_tasks(lambda tasks: [task | {"message": "\ud800"} for task in tasks]))),
    "10 MB": Ugly(details(u.with_tasks(lambda tasks: [task | {"message": "m" * 5_000_000} for task in tasks]))),
    "back to work": Ugly(details(u.back_to_work), 3, "1 FAILED"),
    "a task too few": Ugly(details(u.with_tasks(lambda tasks: tasks[:1])), 3, "1 TIMED OUT"),
    "a task too many": Ugly(
        details(u.with_tasks(lambda tasks: [*tasks, tasks[0] | {"server_id": "somebody-elses"}])),
        3,
        "works on servers that the request did not name",
        {"settled": 3, "conflict": 1},
    ),
    "each task twice, and worse": Ugly(
        details(u.with_tasks(lambda tasks: [*tasks, *(task | {"status": "PROCESSING"} for task in tasks)])), 3, "2 TIMED OUT"
    ),
    "a status nobody knows, for a while": Ugly(details(made(lambda job: job | {"status": "PONDERING"}), for_s=20)),
    "a status nobody knows": Ugly(details(u.with_tasks(lambda tasks: [task | {"status": "SO-SO"} for task in tasks])), 3, "2 TIMED OUT"),
    "no status": Ugly(details(u.with_tasks(lambda tasks: [], status=None)), 3, "2 TIMED OUT"),
}  # fmt: skip
EVERYTHING = {
    "a web page": stops(never_made(reply(PAGE)), "a web page answers in place of the service", jobs=0, submit=(HALF_AN_HOUR,)),
    "a redirect": stops(
        never_made(reply("", "302 Found", "Location: https://me:pw@login.example/in?token=abc")),
        "it redirects to https://login.example/in",
        jobs=0,
        submit=(HALF_AN_HOUR,),
    ),
    "a hostile redirect": stops(
        never_made(reply("", "302 Found", f"Location: https://h.example/{HOSTILE[:20]}")), "it redirects to", jobs=0
    ),
}  # fmt: skip
CASES = {
    f"{place}: {name}": ugly
    for place, uglies in {"create": CREATES, "list": LISTS, "detail": DETAILS, "everything": EVERYTHING}.items()
    for name, ugly in uglies.items()
}


@pytest.mark.parametrize("what", CASES)
def test_what_comes_of_it(program: Program, what: str) -> None:
    ugly = CASES[what]
    service = Service(ugly.answers)
    ugly.before(service)
    result = ran(program, service, ugly.submit)
    report = report_of(program)
    assert (result.returncode, Counter(job["state"] for job in report["jobs"])) == (ugly.exits, ugly.states), (
        result.stdout
    )
    assert ugly.says in result.stdout
    assert len(service.jobs) == ugly.jobs
    assert max(service.jobs_of_servers().values(), default=0) <= 1 + ugly.twice
    told_truly(service, report)
    is_calm(result)


def ran(program: Program, service: Service, submit: Collection[str] = ()) -> CompletedProcess[str]:
    """A run of four jobs, two servers each, in quick time."""
    given = {option.partition(":")[0]: option for option in submit}
    options = re.sub(r"(\w+): [^,}]+(?=[,}])", lambda found: given.get(found[1], found[0]), SUBMIT.partition("{")[2])
    program.jobspec.write_text(re.sub(r"submit: .*\nwatch: .*", f"submit: {{{options}\n{WATCH}", JOBSPEC))
    with served(service) as url:
        result = quickly(program, "run", program.jobspec, "--endpoint", url)
    assert not service.complaints
    return result


def quickly(program: Program, *arguments: str | Path) -> CompletedProcess[str]:
    return carried_out([*map(str, arguments)], program.env, program.folder, QuickClock(), quick_loop)


def told_truly(service: Service, report: Json) -> None:
    """Nothing is said to have happened that did not, no job is left out, and no second one passes for well."""
    truth = {
        server: task["status"]
        for job in service.jobs.values()
        for server, task in zip(job.server_ids, job.tasks(), strict=True)
    }
    for request in report["jobs"]:
        servers = {task["server_id"] for task in request["tasks"]}
        jobs = {job_id for job_id, job in service.jobs.items() if job.name.strip().lower() == request["name"]}
        assert len(jobs) <= 1 or request["state"] == "conflict"
        if request["state"] == "settled":
            assert set(service.jobs[request["job_id"]].server_ids) == servers
            assert request["job_id"] in jobs or not jobs
        elif request["state"] in {"planned", "refused"}:
            assert not jobs
        for task in request["tasks"]:
            said = {"succeeded": "SUCCESS", "failed": "FAILED"}.get(task["outcome"])
            assert said in {None, truth.get(task["server_id"])}
    counts = dict(report["counts"])
    assert counts.pop("servers") == sum(counts.values()) == 8


def is_calm(result: CompletedProcess[str]) -> None:
    """No traceback, no end by force, nothing that does something to a terminal or passes for a line of ours."""
    for said in (result.stdout, result.stderr):
        assert plain(said) == said
        assert "\nrun 1 of test" not in said
        assert "Traceback" not in said
        assert "ended at once" not in said
        assert "pw@" not in said
        assert "token=" not in said
