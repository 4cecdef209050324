"""Small plans, a certificate, and the order and effort of all tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

from runner.model import Lane, Server
from runner.plan.plan import Plan, PlannedGroup, PlannedRequest, PlanSummary
from runner.spec.campaign import Submit, Watch

PlanMaker = Callable[..., Plan]


def small_plan(
    sizes: Sequence[int] = (4,),
    per_job: Sequence[int] = (2,),
    submit: Submit | None = None,
    watch: Watch | None = None,
    lanes: int = 1,
) -> Plan:
    """A plan with one group per size and one step per entry of `per_job` (servers in one request)."""
    groups = tuple(
        PlannedGroup(f"group-{g}", g % lanes, tuple(Server(f"g{g}-s{i}", f"name-{g}-{i}", {}) for i in range(size)))
        for g, size in enumerate(sizes)
    )
    steps = tuple(f"step-{s}" for s in range(len(per_job)))
    requests = tuple(
        PlannedRequest(
            step=s,
            group=g,
            start=start,
            stop=min(start + each, size),
            body={
                "name": f"job-{g}-{s}",
                "type": "HDK_UPGRADE",
                "items": [{"type": "HDK_UPGRADE", "spec": {"version": "1"}}],
            },
        )
        for g, size in enumerate(sizes)
        for s, each in enumerate(per_job)
        for start in range(0, size, each)
    )
    return Plan(
        campaign="test",
        description="",
        jobspec="",
        variables={},
        inventory_fingerprint="sha256:0",
        runner_version="0",
        created_at=0.0,
        lanes=tuple(Lane(f"region-{i}", f"http://127.0.0.1:{i + 1}", "p") for i in range(lanes)),
        steps=steps,
        groups=groups,
        requests=requests,
        submit=submit or Submit(rate=1000.0, burst=1000, concurrency=4),
        watch=watch or Watch(),
        summary=PlanSummary(sum(sizes), sum(sizes), 0, len(requests), ()),
        plan_hash="sha256:0",
    )


@pytest.fixture
def plan_of() -> PlanMaker:
    return small_plan


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 and service.test with its key, in one PEM file."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert, both = folder / "key.pem", folder / "cert.pem", folder / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
    where = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:service.test", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command.split(), *where], check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + cert.read_bytes())
    return both


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First those that mostly wait, so that the others fill the time."""
    items.sort(key=lambda item: (item.get_closest_marker("process") is None, "cli" not in item.path.parts))


# A slow moment of the machine is no failure of a property. `few` is for those who wait for an answer.
settings.register_profile("all", deadline=None, max_examples=100)
settings.register_profile("few", deadline=None, max_examples=20)
settings.register_profile("same", deadline=None, max_examples=50, derandomize=True, database=None)
settings.load_profile("all")
