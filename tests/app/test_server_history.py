"""What became of a server in every run that had it: the newest first, and no other run is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from runner.app.server_history import ServerInRun, server_history
from runner.errors import InvalidInput, StateFolderError
from runner.model import Lane
from runner.settings import JOURNAL_FILE
from tests.app.past import AT_WORK, NOT_SENT, Past


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    past = Past(tmp_path)
    yield past
    past.close()


def outcomes(past: Past, run: str, server: str = "a") -> list[tuple[str, str]]:
    return [(one.run, one.outcome) for one in server_history(past.folder, run, server)]


def test_every_run_that_had_it_tells_of_it_the_newest_first(past: Past) -> None:
    first = past.run({"a": "s", "b": "f"})
    other = past.run({"a": "f"}, campaign="other")
    past.run({"b": "f", "c": "f"})
    at_work = past.run({"a": AT_WORK, "c": "s"}, state="stopped")
    last = past.run({"a": NOT_SENT, "b": "s"}, state="stopped")
    expected = [(last, "not_reached"), (at_work, "at_work"), (other, "failed"), (first, "succeeded")]
    assert outcomes(past, last) == outcomes(past, first) == expected
    assert outcomes(past, first, "name-a") == expected  # its name
    assert [one.campaign for one in server_history(past.folder, first, "a")] == ["c", "c", "other", "c"]


def test_a_server_that_did_not_get_through_the_first_step_is_told_of_there(past: Past) -> None:
    run = past.run({"a": "fn", "b": "sf", "c": "ss"})
    found = {server: next(server_history(past.folder, run, server)) for server in "abc"}
    assert {server: (one.step, one.outcome, one.job_id) for server, one in found.items()} == {
        "a": ("step-0", "failed", "job-0"),
        "b": ("step-1", "failed", "job-4"),
        "c": ("step-1", "succeeded", "job-5"),
    }
    assert (found["a"].why, found["c"].why) == ("the service gives no reason", "")


def test_neither_rehearsals_nor_the_same_id_in_another_lane_are_the_same_server(past: Past) -> None:
    elsewhere = Lane("other-region", None, "p")
    real = past.run({"a": "s"})
    rehearsed = past.run({"a": "f"}, simulated=True)
    away = past.run({"a": "f"}, lane=elsewhere)
    assert outcomes(past, real) == [(real, "succeeded")]
    assert outcomes(past, rehearsed) == [(rehearsed, "failed")]
    assert outcomes(past, away) == [(away, "failed")]


def test_runs_that_did_not_have_it_are_not_read(past: Past) -> None:
    damaged = [past.run({"b": "s", f"x{number}": "s"}) for number in range(3)]
    run = past.run({"a": "s"})
    db = apsw.Connection(str(past.folder / JOURNAL_FILE))
    for run_id in damaged:
        db.execute("UPDATE plan SET body = x'00' WHERE plan_hash = (SELECT plan_hash FROM run WHERE id = ?)", (run_id,))
    db.close()
    assert outcomes(past, run) == [(run, "succeeded")]
    with pytest.raises(StateFolderError, match="is damaged"):
        outcomes(past, damaged[0], "b")


def test_where_it_is_not_known_which_servers_a_run_had_it_is_read(past: Past) -> None:
    """Runs of versions that kept no digests."""
    without = past.run({"b": "s"})
    having = past.run({"a": "f"})
    run = past.run({"a": "s", "c": "s"})
    db = apsw.Connection(str(past.folder / JOURNAL_FILE))
    db.execute("UPDATE plan_index SET digests = NULL")
    db.close()
    assert outcomes(past, run) == [(run, "succeeded"), (having, "failed")]
    assert outcomes(past, without, "b") == [(without, "succeeded")]


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ("d", "has no server 'd'"),
        ("name-d", "has no server 'name-d'"),
        ("a*", "has no server"),
        ("", "has no server ''"),
    ],
)
def test_a_server_that_the_run_did_not_have_is_refused(past: Past, server: str, says: str) -> None:
    run = past.run({"a": "s", "b": "s", "name-c": "s", "c": "s"})
    with pytest.raises(InvalidInput, match=says):
        outcomes(past, run, server)
    with pytest.raises(InvalidInput, match="'name-c' is the id or the name of several servers: c, name-c"):
        outcomes(past, run, "name-c")
    with pytest.raises(InvalidInput, match="no such run"):
        outcomes(past, "1999", "a")


def test_as_json_it_has_all_that_is_known(past: Past) -> None:
    (found,) = server_history(past.folder, past.run({"a": "f"}), "a")
    assert set(found.as_json()) == set(ServerInRun._fields)
    assert (found.server_id, found.lane, found.group, found.wave) == ("a", "r/p", "all", None)
