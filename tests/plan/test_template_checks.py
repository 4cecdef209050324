"""A plan held against job templates: what is accepted, a strict service accepts, and what is not, it refuses."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from runner.model import Lane
from runner.plan.codec import request_body
from runner.plan.expansion import PlanOptions, expand
from runner.plan.template_checks import template_problems
from runner.simulator.behaviour import Behaviour
from runner.simulator.service import SimulatedService
from runner.spec.job_templates import as_row, fits, of_type, read_template
from runner.spec.loading import load_campaign

OPTIONS = PlanOptions({}, "2026-01-01", 0.0, "0", "", lane=Lane(None, "http://h", "p"))

texts = st.sampled_from(["", "7", "12", "a", "a7", "obs://b", "7\n", "x" * 1200])
patterns = st.sampled_from(["", "[0-9]+", "^[a-z]*$", "obs://.+", "a|7", r"\d{1,2}"])
keys = st.sampled_from(["days", "bucket", "mode"])
params = st.dictionaries(
    keys,
    st.fixed_dictionaries({"regex": patterns, "value": texts, "visible": st.sampled_from(["true", "false"])}),
    max_size=3,
)
templates = st.lists(
    st.fixed_dictionaries({"type": st.sampled_from(["LOGS", "COMMON", "ASCEND_SOFTWARE_UPGRADE"]), "params": params}),
    max_size=3,
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["LOGS", "COMMON", "HDK_UPGRADE", "NONE"]),
        st.lists(st.dictionaries(keys, texts.filter(bool), max_size=3), min_size=1, max_size=2),
    ),
    min_size=1,
    max_size=2,
)


def jobspec(drawn: list[tuple[str, list[dict[str, str]]]]) -> str:
    document: dict[str, Any] = {
        "api_version": "runner/v1",
        "name": "c",
        "groups": [{"name": "all", "servers": ["s1", "s2"]}],
        "steps": [
            {"name": f"step-{n}", "type": kind, "job_name": "j", "items": [{"type": kind, "spec": s} for s in specs]}
            for n, (kind, specs) in enumerate(drawn)
        ],
    }
    return json.dumps(document)


@given(templates, steps)
def test_what_is_accepted_a_strict_service_accepts_and_nothing_else(
    given_templates: list[dict[str, Any]], drawn: list[tuple[str, list[dict[str, str]]]]
) -> None:
    switches = {"throttle": {"creates": None, "reads": None}, "servers": {"busy": "queue"}}
    behaviour = Behaviour.model_validate({**switches, "templates": {"given": given_templates, "enforced": True}})
    service = SimulatedService(behaviour, lambda: 0.0)
    known = [read_template(row) for row in service.list_templates({}).body["data"]]
    campaign = load_campaign(jobspec(drawn), "job.json")
    plan = expand(campaign, None, OPTIONS)
    problems = list(template_problems(campaign, plan, {0: known}))
    answers = [service.create(request_body(one.body, ["s1", "s2"], "j")).status for one in plan.requests]
    unmatched = any(len(value) > 1000 for _, specs in drawn for spec in specs for value in spec.values())
    event(f"{'problems' if problems else 'none'}, {'unmatched' if unmatched else 'matched'}")
    if problems:
        assert 400 in answers
    elif not unmatched:
        assert set(answers) == {200}
    assert all(problem.file == "job.json" and problem.line and problem.column and problem.path for problem in problems)


@given(templates)
def test_a_template_is_the_same_once_it_was_saved(given_templates: list[dict[str, Any]]) -> None:
    service = SimulatedService(Behaviour.model_validate({"templates": {"given": given_templates}}), lambda: 0.0)
    for row in service.list_templates({}).body["data"]:
        template = read_template(row)
        assert read_template(json.loads(json.dumps(as_row(template)))) == template


def test_a_lane_whose_templates_are_not_known_has_no_mistakes() -> None:
    campaign = load_campaign(jobspec([("NONE", [{}])]), "job.json")
    assert not list(template_problems(campaign, expand(campaign, None, OPTIONS), {}))
    assert list(template_problems(campaign, expand(campaign, None, OPTIONS), {0: []}))


def test_of_a_type_its_own_template_goes_before_one_that_it_stands_for() -> None:
    both = [read_template({"id": kind, "type": kind}) for kind in ("ASCEND_SOFTWARE_UPGRADE", "HDK_UPGRADE")]
    assert [one.type for one in of_type(both, "HDK_UPGRADE")] == ["HDK_UPGRADE"]
    assert [one.type for one in of_type(both[:1], "HDK_UPGRADE")] == ["ASCEND_SOFTWARE_UPGRADE"]
    assert of_type(both, "COMMON") == []


def test_whatever_a_template_is_made_of_it_is_read() -> None:
    for row in (
        {},
        {"params": 7},
        {"params": [None, 7, {}, {"name": None}]},
        {"type": ["x"], "name": 7, "params": None},
    ):
        assert read_template(row).parameters == ()
    odd = read_template({"params": [{"name": "n", "value": True, "visible": False, "regex": 7}]}).parameters
    assert [(one.default, one.is_shown, one.pattern) for one in odd] == [("true", False, "7")]


def test_a_pattern_that_cannot_be_told_is_neither_fitting_nor_not() -> None:
    assert fits(r"\p{Alpha}+", "a") is None
    assert fits("(", "a") is None
    assert fits("a*", "a" * 1001) is None
    assert fits("a", "ab") is False
    assert fits("a", "a") is True
