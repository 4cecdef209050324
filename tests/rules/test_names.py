"""How names are compared with those that the service shows."""

from __future__ import annotations

from runner.model import JobRow
from runner.rules.names import NameManner, ShownNames

SENT = "upgrade-abc123000001"


def shown(*names: str | None) -> ShownNames:
    return ShownNames([JobRow(f"job-{place}", name, None, None) for place, name in enumerate(names)])


def cut(names: ShownNames, manner: NameManner, *known: str) -> str | None:
    return names.cut(SENT, manner, known.__contains__)


def test_case_and_blanks_make_no_other_name() -> None:
    rows = shown("UPGRADE-ABC123000001", f" {SENT} ", SENT, "upgrade-abc123000002", None)
    assert [row.job_id for row in rows.of(SENT)] == ["job-0", "job-1", "job-2"]


def test_until_a_name_was_shown_whole_any_beginning_may_be_all_that_is_left_of_it() -> None:
    manner = NameManner()
    assert cut(shown("upgrade-abc", "other"), manner) == (
        f"job job-0 is listed as 'upgrade-abc', which may be the beginning of {SENT}"
    )
    assert cut(shown("other", SENT + "0", None), manner) is None
    manner.learn(SENT, None)
    assert cut(shown("upgrade-abc"), manner) is not None
    manner.learn(SENT, SENT.upper())
    assert cut(shown("upgrade-abc"), manner) is None


def test_where_names_are_cut_only_that_long_ones_are_in_question() -> None:
    manner = NameManner()
    manner.learn("upgrade-abc123000009", "upgrade-abc1")
    assert cut(shown("upgrade-abc1"), manner) is not None
    assert cut(shown("upgrade-ab", "upgrade-abc12"), manner) is None


def test_a_cut_name_of_a_job_that_is_known_is_that_of_another_request() -> None:
    assert cut(shown("upgrade-abc"), NameManner(), "job-0") is None
    assert cut(shown("upgrade-abc", "upgrade-abc"), NameManner(), "job-0") is not None


def test_a_shorter_name_that_was_shown_whole_says_nothing_of_longer_ones() -> None:
    manner = NameManner()
    manner.learn("upgrade-a", "upgrade-a")
    assert cut(shown("upgrade-abc"), manner) is not None
    assert cut(shown("upgrade"), manner) is None


def test_a_name_as_long_as_the_longest_that_was_shown_whole_may_be_all_that_is_left_of_a_longer_one() -> None:
    manner = NameManner()
    manner.learn("upgrade-abc", "upgrade-abc")
    assert cut(shown("upgrade-abc"), manner) is not None
    assert cut(shown("upgrade-ab"), manner) is None


def test_whether_a_name_may_be_that_of_a_job() -> None:
    manner = NameManner()
    assert manner.is_of(SENT, None)
    assert manner.is_of(SENT, SENT.upper())
    assert manner.is_of(SENT, "upgrade-abc")
    assert not manner.is_of(SENT, "")
    assert not manner.is_of(SENT, "upgrade-abc123000002")
    manner.learn(SENT, SENT)
    assert not manner.is_of(SENT, "upgrade-abc")
