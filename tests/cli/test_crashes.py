"""Real processes killed, frozen and doubled, over real HTTP and a real file; then the simulator is asked what it made."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from runner.api.services import ServiceSettings, open_services
from runner.journal.ownership import TAKEOVER_S
from runner.model import JobPage, Lane
from tests.cli.conftest import BEHAVIOUR, JOBSPEC, Program
from tests.cli.processes import ended, freeze_between_commits, killed_after, read_lines
from tests.cli.serving import StartSimulator
from tests.cli.test_runs import report_of
from tests.waiting import eventually

pytestmark = pytest.mark.process

# A server in another job is taken all the same: so that a second create would show.
MANNERS = BEHAVIOUR + "faults: {latency_s: 0.05}\nservers: {busy: queue}\n"
KEY = {"HUAWEICLOUD_SDK_AK": "SIMULATORAK", "HUAWEICLOUD_SDK_SK": "SIMULATORSK"}


async def made_by(url: str) -> list[str]:
    """The names of all jobs that the simulator made."""
    lane = Lane(None, url, "p")
    async with open_services([lane], ServiceSettings(KEY, Path("/nowhere"), time.time, str)) as lanes:
        page = await lanes[lane].service.list(name=None, offset=0, limit=1000)
    assert isinstance(page, JobPage)
    return [str(row.name) for row in page.rows]


def check_everything_once(program: Program, url: str, requests: int) -> None:
    jobs = report_of(program)["jobs"]
    assert Counter(job["state"] for job in jobs) == {"settled": requests}
    assert Counter(asyncio.run(made_by(url))) == {job["name"]: 1 for job in jobs}


@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again_at_random_points(program: Program, simulator: StartSimulator, seed: int) -> None:
    rng = random.Random(seed)
    program.servers(60)
    url = simulator(MANNERS)
    killed_after(program.start("run", program.jobspec, "--endpoint", url, "-v"), rng.randint(1, 12))
    for _ in range(3):
        killed_after(program.start("resume", "last", "-v"), rng.randint(1, 12))
    result = program("resume", "last")
    assert result.returncode == 0 or "is finished" in result.stderr, result.stdout + result.stderr
    check_everything_once(program, url, 30)


def taken_over(program: Program) -> subprocess.CompletedProcess[str] | None:
    """What a resume came to, once it is let in."""
    result = program("resume", "last")
    if result.returncode != 6:
        return result
    assert "is being carried out by process" in result.stderr
    return None


def test_a_frozen_process_that_wakes_after_it_was_replaced_does_nothing_more(
    program: Program, simulator: StartSimulator
) -> None:
    program.servers(40)
    # Frozen between two creates: in the middle of one, it could not be kept from finishing it.
    program.jobspec.write_text(JOBSPEC.replace("rate: unlimited, settle", "rate: 5/s, burst: 1, settle"))
    url = simulator(MANNERS)
    frozen = program.start("run", program.jobspec, "--endpoint", url, "-v")
    read_lines(frozen, 4)
    freeze_between_commits(frozen, program.state)
    result = eventually(lambda: taken_over(program), 3 * TAKEOVER_S)
    assert result.returncode == 0, result.stdout + result.stderr
    frozen.send_signal(signal.SIGCONT)
    code, _, err = ended(frozen)
    assert (code, "another process took over run" in err) == (5, True), err
    check_everything_once(program, url, 20)


def test_of_two_resumes_at_once_one_goes_on(program: Program, simulator: StartSimulator) -> None:
    program.servers(20)
    url = simulator(MANNERS)
    killed_after(program.start("run", program.jobspec, "--endpoint", url, "-v"), 3)
    both = [program.start("resume", "last") for _ in range(2)]
    assert sorted(ended(process)[0] for process in both) == [0, 6]
    check_everything_once(program, url, 10)
