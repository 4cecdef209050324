"""Which servers a retry takes, after any past; and how much of the past it has to read."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.app import retrying
from runner.app.families import lineage
from runner.app.process import this_host
from runner.app.standings import newest_known, read_past_run
from runner.errors import InvalidInput
from runner.model import Job, Lane
from runner.plan.digests import LaneServer
from runner.plan.plan import Plan
from runner.run import events as e
from tests.app.past import AT_WORK, HERE, NOT_SENT, Past, past_plan

ELSEWHERE = (Lane("r", None, "q"), Lane("other", None, "p"), Lane(None, "https://r", "p"))


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    made = Past(tmp_path)
    yield made
    made.close()


def retry(past: Past, *runs: str, only: tuple[str, ...] = retrying.DEFAULT_OUTCOMES) -> Plan:
    return retrying.plan_retry(this_host(), past.folder, runs, only, look=False, ca_bundle=None).plan


def taken(past: Past, *runs: str, only: tuple[str, ...] = retrying.DEFAULT_OUTCOMES) -> set[str]:
    """The servers that a retry takes; none where it is refused because there are none."""
    try:
        plan = retry(past, *runs, only=only)
    except InvalidInput as nobody:
        if "no server of" not in str(nobody):
            raise
        return set()
    return {server.id for group in plan.groups for server in group.servers}


FAILED = {"a": "s", "b": "f", "c": "f"}


def test_a_server_that_succeeded_since_is_left_out(past: Past) -> None:
    first = past.run(FAILED)
    past.run({"b": "s"})
    assert taken(past, first) == {"c"}


@pytest.mark.parametrize("lane", ELSEWHERE, ids=lambda lane: lane.label)
def test_a_later_run_in_another_project_or_at_another_endpoint_cures_nothing(past: Past, lane: Lane) -> None:
    first = past.run(FAILED)
    past.run({"b": "s", "c": "s"}, lane=lane)
    assert taken(past, first) == {"b", "c"}


def test_the_same_endpoint_is_the_same_lane_whatever_the_region_says(past: Past) -> None:
    first = past.run(FAILED, lane=Lane("r", "https://e", "p"))
    past.run({"b": "s"}, lane=Lane(None, "https://e", "p"))
    assert taken(past, first) == {"c"}


def test_a_rehearsal_cures_nothing_and_a_real_run_cures_no_rehearsal(past: Past) -> None:
    first, rehearsal = past.run(FAILED), past.run(FAILED, simulated=True)
    past.run({"b": "s"}, simulated=True)
    past.run({"c": "s"})
    assert taken(past, first) == {"b"}
    assert taken(past, rehearsal) == {"c"}
    again = retrying.plan_retry(this_host(), past.folder, [rehearsal], ("failed",), look=True, ca_bundle=None)
    assert again.simulated
    assert not retrying.plan_retry(this_host(), past.folder, [first], ("failed",), look=False, ca_bundle=None).simulated
    with pytest.raises(InvalidInput, match="some of the runs were simulated, and some not"):
        retry(past, first, rehearsal)


def test_a_later_run_in_which_a_server_was_excluded_says_nothing_of_it(past: Past) -> None:
    first = past.run(FAILED)
    job = Job("job-1", None, None, None, None, None, None, None, None)
    excluded = e.Withdrawn(1.0, 0, "someone", "a bad fan")
    done: list[e.Event] = [e.Intended(1.0, 1), e.Accepted(2.0, 1, job), e.Settled(3.0, 1, "s", 1.0)]
    later = past.add(past_plan("bc"), [excluded, *done, e.RunEnded(9.0, "finished", "", 3)])
    assert taken(past, first) == {"b"}
    assert taken(past, later) == taken(past, later, only=("not_started",)) == set()
    assert taken(past, later, only=("excluded",)) == {"b"}


def test_no_service_is_asked_for_the_jobs_of_a_rehearsal(past: Past) -> None:
    rehearsal = past.run({"a": "t", "b": "u"}, simulated=True)
    only = retrying.DEFAULT_OUTCOMES
    again = retrying.plan_retry(this_host(), past.folder, [rehearsal], only, look=True, ca_bundle=None)
    assert [server.id for server in again.plan.groups[0].servers] == ["a", "b"]


@pytest.mark.parametrize("state", ["aborted", "stopped", "finished"])
def test_a_retry_that_never_reached_a_server_changes_nothing(past: Past, state: str) -> None:
    first = past.run(FAILED)
    child = past.run({"b": NOT_SENT, "c": "s"}, parents=[first], state=state)
    assert taken(past, first) == {"b"}
    # Asked for as well, it says no more of it.
    assert taken(past, first, child) == {"b"}
    assert taken(past, first, child, only=("not_started",)) == set()
    # Asked for alone, nothing else is known.
    assert taken(past, child, only=("not_started",)) == {"b"}


def test_a_later_run_of_its_own_that_is_asked_for_says_what_it_left(past: Past) -> None:
    first = past.run(FAILED)
    past.run({"b": "s"})
    last = past.run({"b": NOT_SENT, "c": "s"}, state="stopped")
    assert taken(past, first) == set()
    assert taken(past, first, last, only=("not_started",)) == {"b"}


def test_of_two_runs_that_are_asked_for_the_one_made_later_is_done_again_whatever_the_clock_said(past: Past) -> None:
    first, last = past.run(FAILED), past.run(FAILED)
    assert past.store.run(last).started_at < past.store.run(first).started_at
    assert retry(past, first, last).parents == retry(past, last, first).parents == (last,)


def test_a_run_of_another_campaign_cures_nothing(past: Past) -> None:
    first = past.run(FAILED)
    past.run({"b": "s", "c": "s"}, campaign="other")
    assert taken(past, first) == {"b", "c"}


def test_an_earlier_success_cures_nothing(past: Past) -> None:
    past.run({"b": "s", "c": "s"})
    assert taken(past, past.run(FAILED)) == {"b", "c"}


def test_what_failed_since_is_done_again(past: Past) -> None:
    first = past.run({"a": "s", "b": "f"})
    past.run({"b": "s"})
    past.run({"b": "t"})
    assert taken(past, first) == {"b"}


def test_a_server_that_a_later_run_is_at_work_on_is_unknown(past: Past) -> None:
    first = past.run(FAILED)
    past.run({"b": AT_WORK}, state="stopped")
    assert taken(past, first, only=("unknown",)) == {"b"}
    assert taken(past, first, only=("failed",)) == {"c"}


def test_a_server_goes_on_at_the_step_that_it_did_not_get_through_last(past: Past) -> None:
    first = past.run({"a": "f", "b": "sf", "c": "ss"})
    assert [(g.name, [s.id for s in g.servers]) for g in retry(past, first).groups] == [
        ("all", ["a"]),
        ("all-from-step-1", ["b"]),
    ]
    past.run({"a": "sf"}, parents=[first])
    (group,) = retry(past, first).groups
    assert (group.name, [server.id for server in group.servers]) == ("all-from-step-1", ["a", "b"])


def test_a_later_run_with_other_steps_says_how_but_not_where_a_server_failed(past: Past) -> None:
    first = past.run({"a": "sf"})
    past.run({"a": "ssf"})
    (group,) = retry(past, first).groups
    assert group.name == "all-from-step-1"


def test_one_id_in_two_lanes_is_two_servers(past: Past) -> None:
    here, there = past.run({"a": "f", "b": "s"}), past.run({"a": "f", "b": "f"}, lane=ELSEWHERE[0])
    past.run({"a": "s"})
    plan = retry(past, here, there)
    assert [(plan.lanes[g.lane], [s.id for s in g.servers]) for g in plan.groups] == [(ELSEWHERE[0], ["a", "b"])]
    both = retry(past, past.run({"a": "f"}), there)
    assert sorted((both.lanes[g.lane].label, s.id) for g in both.groups for s in g.servers) == [
        ("r/p", "a"),
        ("r/q", "a"),
        ("r/q", "b"),
    ]


# --- against a slow and plain account of the past


LETTERS = ("s", "f", "t", NOT_SENT, AT_WORK)
OUTCOMES = {"s": "succeeded", "f": "failed", "t": "timed_out", NOT_SENT: "not_started", AT_WORK: "unknown"}


@pytest.mark.parametrize("seed", range(25))
def test_whatever_the_past_the_newest_job_of_a_server_counts(past: Past, seed: int) -> None:
    rng = random.Random(seed)
    told: list[tuple[str, dict[str, str], str, Lane, bool]] = []
    for _ in range(rng.randint(2, 12)):
        servers = {name: rng.choice(LETTERS) for name in rng.sample("abcdef", rng.randint(1, 6))}
        campaign, lane, simulated = rng.choice("cccx"), rng.choice((HERE, HERE, ELSEWHERE[0])), rng.random() < 0.3
        parents = [told[-1][0]] if told and rng.random() < 0.5 else []
        run_id = past.run(servers, campaign=campaign, lane=lane, simulated=simulated, parents=parents)
        told.append((run_id, servers, campaign, lane, simulated))
    first = rng.randrange(len(told))
    run_id, servers, campaign, lane, simulated = told[first]
    newest = dict(servers)
    for _, later, *of in told[first + 1 :]:
        if of == [campaign, lane, simulated]:
            newest |= {name: letter for name, letter in later.items() if letter != NOT_SENT and name in servers}
    for only in ({"failed", "timed_out", "unknown"}, {"not_started"}, {"failed"}):
        expected = {name for name, letter in newest.items() if OUTCOMES[letter] in only}
        assert taken(past, run_id, only=tuple(only)) == expected


# --- how much is read


class Counting:
    """A store that counts the plans and journals that are read."""

    def __init__(self, past: Past) -> None:
        self._store = past.store
        self.journals: list[str] = []
        self.plans = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def read_events(self, run_id: str, **options: object) -> object:
        self.journals.append(run_id)
        return self._store.read_events(run_id, **options)  # type: ignore[arg-type]

    def load_plan(self, plan_hash: str) -> bytes:
        self.plans += 1
        return self._store.load_plan(plan_hash)


def known_of(past: Past, run_id: str) -> tuple[dict[str, str], Counting]:
    store = Counting(past)
    known = newest_known(store, [read_past_run(store, run_id)])  # type: ignore[arg-type]
    return {server.server_id: str(k.standing.outcome) for server, k in known.items()}, store


def test_of_many_nights_over_the_same_servers_the_newest_one_is_read(past: Past) -> None:
    first = past.run({"a": "f", "b": "s"})
    for _ in range(50):
        last = past.run({"a": "s", "b": "s"})
    known, store = known_of(past, first)
    assert known == {"a": "succeeded", "b": "succeeded"}
    assert store.journals == [first, last]


def test_of_many_runs_over_other_servers_none_is_read(past: Past) -> None:
    first = past.run({"a": "f", "b": "s"})
    for number in range(50):
        past.run({f"other-{number}": "s"})
        past.run({"a": "s"}, simulated=True)
        past.run({"a": "s"}, lane=ELSEWHERE[0])
        past.run({"a": "s"}, campaign="other")
    known, store = known_of(past, first)
    assert known == {"a": "failed", "b": "succeeded"}
    assert (store.journals, store.plans) == ([first], 1)


def test_of_many_retries_that_sent_nothing_none_is_read(past: Past) -> None:
    first = past.run({"a": "f", "b": "s"})
    for _ in range(20):
        past.run({"a": NOT_SENT}, parents=[first], state="aborted")
    known, store = known_of(past, first)
    assert known == {"a": "failed", "b": "succeeded"}
    assert (store.journals, store.plans) == ([first], 1)


def test_runs_of_which_nobody_knows_the_servers_are_looked_at(past: Past) -> None:
    first, later, other = past.run({"a": "f"}), past.run({"a": "s"}), past.run({"b": "s"})
    past._db.execute("UPDATE plan_index SET digests = NULL")  # noqa: SLF001
    known, store = known_of(past, first)
    assert known == {"a": "succeeded"}
    assert store.journals == [first, later]
    assert other not in store.journals


def test_a_family_is_folded_without_reading_others(past: Past) -> None:
    first = past.run({"a": "f", "b": "f", "c": "s"})
    child = past.run({"a": "s", "b": NOT_SENT}, parents=[first], state="aborted")
    past.run({"b": "s"}, parents=[first], simulated=True)
    past.run({"b": "s"})
    family = lineage(past.folder, child)
    assert [run["id"] for run in family["runs"]] == [first, child]
    assert [(s["server_id"], s["outcome"], s["run"], s["lane"]) for s in family["servers"]] == [
        ("a", "succeeded", child, "r/p"),
        ("b", "failed", first, "r/p"),
        ("c", "succeeded", first, "r/p"),
    ]
    assert (family["counts"]["failed"], family["abnormal_count"]) == (1, 1)


def test_one_id_in_two_projects_is_two_servers_of_a_family(past: Past) -> None:
    first = past.run({"a": "f"})
    past.run({"a": "s"}, parents=[first], lane=ELSEWHERE[0])
    servers = lineage(past.folder, first)["servers"]
    assert {LaneServer(s["lane"], s["server_id"]): s["outcome"] for s in servers} == {
        LaneServer("r/p", "a"): "failed",
        LaneServer("r/q", "a"): "succeeded",
    }
