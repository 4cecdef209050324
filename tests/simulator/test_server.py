"""The simulator over HTTP, and what the client makes of its misbehaviour."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from runner.api.client import LiteServerClient
from runner.api.services import ServiceSettings, open_services
from runner.model import Job, JobPage, Lane
from runner.rules.answers import Cause, Created, ReadFailed, Refusal, Unanswered
from runner.simulator.behaviour import Behaviour
from runner.simulator.server import Simulator

KEY = {"HUAWEICLOUD_SDK_AK": "SIMULATORAK", "HUAWEICLOUD_SDK_SK": "SIMULATORSK"}
USER = {"HW_USER_NAME": "simulator", "HW_USER_PASSWORD": "simulator", "HW_DOMAIN_NAME": "account"}
ITEM = {"type": "HDK_UPGRADE", "spec": {"version": "1"}}
BODY = orjson.dumps({"name": "job-1", "server_ids": ["s-1"], "type": "HDK_UPGRADE", "items": [ITEM]})


@asynccontextmanager
async def simulated(
    env: Mapping[str, str] = KEY, project: str | None = "p", timeout_s: float = 5.0, **switches: Any
) -> AsyncIterator[tuple[Simulator, LiteServerClient]]:
    behaviour = Behaviour.model_validate({"throttle": {"creates": None, "reads": None}} | switches)
    async with Simulator(behaviour) as simulator:
        lane = Lane("region-1", simulator.url, project)
        around = ServiceSettings(env, Path("/nowhere"), time.time, str, iam_endpoint=simulator.url, timeout_s=timeout_s)
        async with open_services([lane], around) as lanes:
            yield simulator, lanes[lane].service


@pytest.mark.parametrize("env", [KEY, USER], ids=["access key", "user and password"])
@pytest.mark.parametrize("project", ["p", None], ids=["project given", "project looked up"])
async def test_a_job_is_made_read_and_listed(env: Mapping[str, str], project: str | None) -> None:
    async with simulated(env, project, listing={"lag_s": 0}, tasks={"duration_s": 0}) as (simulator, client):
        made = await client.create(BODY)
        assert isinstance(made, Created)
        read = await client.get(made.job.job_id)
        assert isinstance(read, Job)
        assert [task.server_id for task in read.tasks] == ["s-1"]
        page = await client.list(name="job-1", offset=0, limit=10)
        assert isinstance(page, JobPage)
        assert [row.job_id for row in page.rows] == [made.job.job_id]
        assert list(simulator.service.jobs) == [made.job.job_id]


async def test_a_wrong_secret_key_is_refused_and_after_a_few_the_key_is_locked() -> None:
    wrong = {**KEY, "HUAWEICLOUD_SDK_SK": "wrong"}
    async with simulated(wrong, auth={"locked_after": 3}) as (simulator, client):
        answers = [await client.create(BODY) for _ in range(4)]
        causes = [answer.cause for answer in answers if isinstance(answer, Refusal)]
        assert causes == [Cause.UNAUTHENTICATED] * 4
        messages = [answer.error.message for answer in answers if isinstance(answer, Refusal)]
        assert messages[0] != messages[3]
        assert simulator.service.jobs == {}


async def test_a_foreign_project_is_refused() -> None:
    async with simulated(auth={"project_ids": ["other"]}) as (_, client):
        answer = await client.create(BODY)
        assert isinstance(answer, Refusal)
        assert (answer.cause, answer.error.code) == (Cause.UNUSABLE, "ModelArts.0210")


async def test_a_throttled_create_makes_nothing_and_names_the_limit() -> None:
    async with simulated(throttle={"creates": 1, "create_period_s": 60, "retry_after": True}) as (simulator, client):
        assert isinstance(await client.create(BODY), Created)
        answer = await client.create(BODY.replace(b"s-1", b"s-2"))
        assert isinstance(answer, Refusal)
        assert answer.throttle is not None
        assert (answer.throttle.limit, answer.throttle.period_s) == (1, 60)
        assert len(simulator.service.jobs) == 1


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("kind", ["reset", "hang", "cut_body", "html", "status_408", "status_500", "status_502"])
async def test_whatever_goes_wrong_after_sending_is_in_doubt(kind: str, executed: bool) -> None:
    faults = {"script": {1: {"kind": kind, "executed": executed}}, "hang_s": 10}
    async with simulated(timeout_s=3.0, faults=faults) as (simulator, client):
        assert isinstance(await client.create(BODY), Unanswered)
        assert len(simulator.service.jobs) == executed


async def test_a_read_that_fails_is_no_empty_list() -> None:
    async with simulated(faults={"reads": 1.0}) as (_, client):
        assert isinstance(await client.list(name="job-1", offset=0, limit=10), ReadFailed)
        assert isinstance(await client.get("job"), ReadFailed)
