"""What is sent for a request is what the plan shows, with the secrets in it."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.app.bodies import BodyMaker
from runner.errors import InvalidInput
from runner.plan.codec import request_body
from runner.plan.plan import Plan
from runner.run.facts import initial_facts
from tests.conftest import small_plan

SECRET = "***secret.TOKEN***"


def with_spec(plan: Plan, spec: dict[str, str], description: str | None) -> Plan:
    extra = {} if description is None else {"description": description}
    items = [{"type": "HDK_UPGRADE", "spec": spec}]
    requests = tuple(request._replace(body={**request.body, **extra, "items": items}) for request in plan.requests)
    return replace(plan, requests=requests)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    spec=st.dictionaries(st.text(min_size=1), st.one_of(st.text(), st.just(f"x{SECRET}y")), max_size=4),
    description=st.one_of(st.none(), st.from_regex(r"[-_.a-zA-Z0-9]{1,64}", fullmatch=True)),
    secret=st.text(min_size=1).filter(str.strip),
)
def test_the_bytes_are_the_planned_body(spec: dict[str, str], description: str | None, secret: str) -> None:
    plan = with_spec(small_plan((3,), (2,)), spec, description)
    bodies = BodyMaker(plan, "run-1", initial_facts(plan), {"TOKEN": secret})
    for index in range(len(plan.requests)):
        ids = [server.id for server in plan.servers_of(index)]
        planned = request_body(plan.requests[index].body, ids, bodies.job_name_of(index))
        sent = orjson.loads(bodies.body_of(index))
        assert list(sent) == list(planned)
        texts = planned["items"][0]["spec"]
        planned["items"] = [
            {**planned["items"][0], "spec": {key: text.replace(SECRET, secret) for key, text in texts.items()}}
        ]
        assert sent == planned


def test_a_secret_that_is_not_there_stops_before_anything_is_sent() -> None:
    plan = with_spec(small_plan(), {"token": SECRET}, None)
    with pytest.raises(InvalidInput, match="the secret TOKEN is not in the environment"):
        BodyMaker(plan, "run-1", initial_facts(plan), {"TOKE": "x"})
