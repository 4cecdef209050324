"""The picture of a run: as high and as wide as the terminal whatever happens, and true."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.plain import plain
from runner.plan.plan import Plan
from runner.run import events as e
from runner.run.facts import initial_facts
from runner.run.standing import standing
from runner.screen.cells import line_width, text_of
from runner.screen.charset import Charset
from runner.screen.dialogue import Dialogue
from runner.screen.kept import Kept
from runner.screen.picture import Foot, Subject, picture
from runner.screen.view import View
from tests import rolling
from tests.conftest import small_plan
from tests.driving import job_of
from tests.screen.acting import Acted, drawn

HOSTILE = [
    "\x1b]52;c;cm0gLXJmIC8=\x07",
    "\u202edlrow",
    "\x9b2K\x1b[2J\x1b[1;1Hrun 1: finished\r\n",
    "机架故障" * 200,
    "z\u0301\u0302\u0303" * 300,
    "x" * 1_000_000,
    "[bold]markup[/bold] {0} %s",
    "",
]
sizes = st.tuples(st.integers(1, 220), st.integers(1, 60))
keys = st.lists(
    st.sampled_from([*"psead?f\r\x1b\x7f", "yes", "why not 机", "\x1b[A", "x" * 900, "\x1b]52;c;x\x07"]), max_size=8
)


@given(
    rolling.feasible(),
    st.integers(0, 2**32),
    st.sampled_from(HOSTILE),
    st.lists(sizes, min_size=1, max_size=4),
    st.sampled_from(["utf-8", "ascii"]),
    keys,
)
def test_every_picture_is_exactly_as_large_as_its_terminal(
    made: tuple[rolling.Case, Plan],
    seed: int,
    said: str,
    terminals: list[tuple[int, int]],
    encoding: str,
    typed: list[str],
) -> None:
    chance = Random(seed)
    run = Acted(made[1], seed, drawn("sssssfktu", seed))
    run.said = said
    dialogue = Dialogue(Charset(encoding), may_type=chance.random() < 0.8, may_detach=chance.random() < 0.5)

    def is_well() -> None:
        for width, height in terminals:
            lines = picture(run.view(width, height, encoding), dialogue.foot(width))
            assert len(lines) == height
            for one in lines:
                shown = text_of(one)
                assert line_width(one) <= width
                assert plain(shown) == shown
                assert "\n" not in shown
                shown.encode(encoding)

    is_well()
    for text in typed:
        dialogue.take(text, run.state)
        is_well()
    run.run()
    run.kept.note(run.now, said)
    dialogue.say(said)
    is_well()


@given(rolling.feasible(), st.integers(0, 2**32))
def test_what_is_shown_as_bad_is_what_the_facts_count(made: tuple[rolling.Case, Plan], seed: int) -> None:
    run = Acted(made[1], seed, drawn("ssssfktu", seed))
    run.run()
    assert sum(trouble.count for trouble in run.kept.troubles.most(100)) == run.bad
    assert len(run.kept.failed) == min(200, run.bad)
    ledger = run.state.rollout.ledger if run.state.rollout else None
    assert ledger is not None
    assert set(run.kept.bad_domains) == {cell for cell in ledger.domains() if cell.spent}


@given(rolling.feasible(), st.integers(0, 2**32))
def test_what_is_kept_of_a_run_that_is_taken_up_is_the_same(made: tuple[rolling.Case, Plan], seed: int) -> None:
    """`runner watch` and `resume` read the journal first."""
    run = Acted(made[1], seed, drawn("ssssfktu", seed))
    run.run()
    again = Acted(made[1], seed)
    again.live, again.kept = run.live, type(run.kept)(run.state)
    for event in run.events:
        again.kept.take(event)
    again.now = run.now
    before = [text_of(one) for one in picture(run.view(80, 40), Foot(()))]
    assert [text_of(one) for one in picture(again.view(80, 40), Foot(()))] == before


def rows_of(run: Acted, width: int, height: int, marks: tuple[str, ...]) -> list[int]:
    """In which rows these words stand, each of them once."""
    lines = [text_of(one) for one in picture(run.view(width, height), Foot(()))]
    found = [[row for row, text in enumerate(lines) if text.startswith(mark)] for mark in marks]
    assert all(len(rows) == 1 for rows in found), lines
    return [rows[0] for rows in found]


@given(rolling.feasible(), st.integers(0, 2**32), st.sampled_from([(80, 24), (120, 30), (200, 50)]))
def test_nothing_moves_while_the_run_goes_on(made: tuple[rolling.Case, Plan], seed: int, size: tuple[int, int]) -> None:
    chance = Random(seed)
    run = Acted(made[1], seed, drawn("ssssf", seed))
    marks = (" limits", " sent", " pace", " bad ")
    places = rows_of(run, *size, marks)
    for _ in range(30):
        actions = list(run.actions())
        if not actions:
            break
        run.now += 1.0
        chance.choice(actions)()
        assert rows_of(run, *size, marks) == places


def test_a_number_that_grows_moves_nothing_beside_it() -> None:
    plan = rolling.Case(
        rolling.jobspec(rolling.everyone, (1,), {"waves": [{"name": "w"}], "budget": {"max_abnormal": "100%"}}),
        rolling.fleet([{"flavor": "f1"}] * 120),
    ).plan()
    run = Acted(plan, 1)
    columns: set[tuple[int, ...]] = set()
    run.record(e.WaveStarted(1.0, 0))
    for request in range(120):
        run.record(e.Intended(2.0, request))
        run.record(e.Accepted(2.0, request, job_of(request)))
        run.record(e.Settled(3.0, request, "s", 1.0))
        run.ends[plan.servers_of(request)[0].id] = "s"
        texts = [text_of(one) for one in picture(run.view(80, 24), Foot(()))]
        columns.add(
            tuple(texts[row].index(word) for row, word in ((1, "done"), (1, "at work"), (1, "bad"), (3, "bad")))
        )
    assert len(columns) == 1


@pytest.mark.parametrize("height", range(1, 12))
def test_the_foot_stays_where_there_is_no_room_for_all(height: int) -> None:
    facts = initial_facts(small_plan((4,)))
    view = View("r", facts, standing(facts, 0.0), Kept(facts), Charset(), 60, height)
    dialogue = Dialogue(view.charset, may_type=True, may_detach=False)
    lines = [text_of(one) for one in picture(view, dialogue.foot(60))]
    assert len(lines) == height
    assert lines[-1].startswith(" [p]ause")


def test_the_failed_servers_and_help_have_the_place_of_the_run() -> None:
    rollout = {"waves": [{"name": "w"}], "budget": {"per": {"labels.rack": "50%"}}}
    servers = rolling.fleet([{"flavor": "f1", "rack": f"r{n % 3}"} for n in range(6)])
    plan = rolling.Case(rolling.jobspec(rolling.everyone, (2,), rollout), servers).plan()
    run = Acted(plan, 1, lambda server: "f" if server.id == "id-3" else "s")
    run.said = "device 4 of id-3 is gone"
    run.run()
    failed = map(text_of, picture(run.view(100, 24), Foot((), subject=Subject.FAILED)))
    (row,) = [text for text in failed if "name-3" in text]
    assert "failed" in row
    assert " r0 " in row
    assert row.endswith("device 4 of id-3 is gone")
    (row,) = [text for text in map(text_of, picture(run.view(100, 24), Foot(()))) if text.startswith(" bad ")]
    assert "1 failed: device <n> of <server> is gone" in row
    assert row.endswith("r0 1")
