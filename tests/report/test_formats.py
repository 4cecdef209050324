"""Reports in forms that other programs read: read here by parsers that are not ours, with texts that mean harm."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import replace
from random import Random
from xml.etree import ElementTree as ET

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runner.model import Server
from runner.report.all_servers import ServerResult
from runner.report.csv_rows import COLUMNS
from runner.report.csv_text import harmless
from runner.report.fold import RunReport, fold
from runner.report.format_names import ReportFormat
from runner.report.formats import Pieces
from runner.report.junit import junit_pieces
from runner.report.run_page import MOST_BYTES
from runner.run import events as e
from tests.conftest import small_plan
from tests.made_run import MadeRun, made_run, racks

HOSTILE = (
    "</script><script>alert(1)</script>", "=cmd|' /C calc'!A0", "a\x1b]52;c;aGk=\x07", "x\u202egnp", "\x00\ufffe\uffff", "| a | b |",
    "line\r\nother", '"quoted", \\ back', "@SUM(1)", "\uff1d1+1", "-1+1", "\t=1", "https://evil.example/", "x" * 5000, "]]>&amp;<b>",
)  # fmt: skip
"""Names, labels and messages of somebody who means harm, or of nobody in particular."""


def report_of(run: MadeRun, cut: int | None = None) -> RunReport:
    return RunReport(fold(run.plan, run.events[:cut]), "20260101-000000-abcdef")


def written(report: RunReport, form: ReportFormat) -> str:
    return b"".join(Pieces(report, form)).decode()


def hostile_run() -> MadeRun:
    """Every server has a bad word as its name, in its labels and in what it says when it fails."""
    fleet = [
        Server(f"id-{place}", HOSTILE[place % len(HOSTILE)], {"rack": f"r0005{HOSTILE[place // 5 % len(HOSTILE)]}"})
        for place in range(75)
    ]
    fleet[0] = fleet[0]._replace(labels={"rack": "r0005"})
    words = iter(HOSTILE * 20)

    def bad(_: Server, chance: Random) -> str | None:
        return next(words) if chance.random() < 0.5 else None

    run = made_run(bad=bad, fleet=fleet, rollout={"waves": [{"name": "one"}]}, why=HOSTILE[0])
    return run._replace(plan=replace(run.plan, campaign=HOSTILE[0]))


@pytest.fixture(scope="module")
def run() -> MadeRun:
    return made_run()


@pytest.fixture(scope="module")
def hostile() -> RunReport:
    return report_of(hostile_run())


def counts_of(report: RunReport) -> Counter[str]:
    """Servers by outcome, with those at work apart, as the report counts them."""
    counts = Counter({name: count for name, count in report.head["counts"].items() if name != "servers" and count})
    counts["unknown"] -= report.head["at_work"]
    return +(counts + Counter(at_work=report.head["at_work"]))


@pytest.mark.parametrize("cut", [1, 60, 130, 200, None])
def test_all_forms_count_as_the_report_does_at_every_moment(run: MadeRun, cut: int | None) -> None:
    report = report_of(run, cut)
    counts = counts_of(report)
    servers = report.servers()
    assert len({(server.lane, server.id) for server in servers}) == len(servers) == report.head["counts"]["servers"]
    assert Counter("at_work" if server.at_work else server.outcome for server in servers) == counts
    rows = list(csv.DictReader(io.StringIO(written(report, ReportFormat.CSV))))
    assert Counter(row["outcome"] for row in rows) == counts
    cases = ET.fromstring(written(report, ReportFormat.JUNIT)).iter("testcase")
    kinds = Counter(next((child.tag for child in case), "") for case in cases)
    assert kinds[""] == counts["succeeded"]
    assert kinds["failure"] == counts["failed"] + counts["timed_out"]
    assert kinds["error"] == counts["unknown"]
    assert kinds.total() == len(servers)


def test_a_server_counts_once_though_it_goes_through_several_steps() -> None:
    plan = small_plan((4,), (2, 2))
    events: list[e.Event] = [
        e.RunStarted(1.0, "test", "sha256:0", "0", simulated=False, watched=True),
        *(e.Intended(2.0, request) for request in (0, 1)),
        *(e.Accepted(3.0, request, replace_job(request)) for request in (0, 1)),
        e.Settled(4.0, 0, "ss", 1.0),
        e.Settled(5.0, 1, "fs", 1.0),
        e.Intended(6.0, 2),
        e.Accepted(7.0, 2, replace_job(2)),
        e.Settled(8.0, 2, "sf", 1.0),
    ]
    report = RunReport(fold(plan, events), "r")
    found = {server.id: (server.step, server.outcome) for server in report.servers()}
    assert found == {
        "g0-s0": ("step-1", "succeeded"),
        "g0-s1": ("step-1", "failed"),
        "g0-s2": ("step-0", "failed"),
        "g0-s3": ("step-1", "not_started"),
    }
    assert Counter(outcome for _, outcome in found.values()) == counts_of(report)


def replace_job(request: int) -> e.Job:
    from tests.driving import job_of  # noqa: PLC0415  only here

    return job_of(request)


# CSV.


def test_the_table_has_what_the_service_said_and_every_label(run: MadeRun) -> None:
    rows = list(csv.DictReader(io.StringIO(written(report_of(run), ReportFormat.CSV))))
    assert list(rows[0]) == [*COLUMNS, "labels.az", "labels.flavor", "labels.rack"]
    failed = [row for row in rows if row["outcome"] == "failed"]
    assert {row["labels.rack"] for row in failed} == {"r0003"}
    assert all("does not fit firmware" in row["reason"] for row in failed)
    assert {row["reason"] for row in rows if row["outcome"] == "succeeded"} == {""}


def test_no_cell_is_a_formula_and_no_row_is_two(hostile: RunReport) -> None:
    text = written(hostile, ReportFormat.CSV)
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == 76
    assert {len(row) for row in rows} == {len(rows[0])}
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell[:1] in set("=+-@\t\r\uff1d\uff0b\uff0d\uff20")]
    assert not any(character in text for character in "\x00\x07\x1b\u202e")
    assert "'=cmd|' /C calc'!A0" in cells


def test_what_is_no_formula_stays_as_it_is() -> None:
    assert [harmless(cell) for cell in ("npu-1", "", "a=b", "1", "'x")] == ["npu-1", "", "a=b", "1", "'x"]


# JUnit.


def test_a_suite_is_a_wave_and_a_case_a_server(run: MadeRun) -> None:
    report = report_of(run)
    root = ET.fromstring(written(report, ReportFormat.JUNIT))
    assert [(suite.get("name"), suite.get("tests")) for suite in root] == [
        (wave["name"], str(wave["servers"])) for wave in report.head["waves"]
    ]
    names = [case.get("name", "") for case in root.iter("testcase")]
    assert len(set(names)) == len(names)  # of two of the same name GitLab shows one
    assert all(f"({server.id})" in name for server, name in zip(report.servers(), names, strict=True))
    for suite, wave in zip(root, report.head["waves"], strict=True):
        assert suite.get("failures") == str(wave["counts"]["failed"] + wave["counts"]["timed_out"])
    failure = next(root.iter("failure"))
    assert (failure.get("type"), failure.get("message", "")[:8]) in {("failed", "failed: "), ("timed_out", "timed ou")}


def test_without_waves_a_suite_is_a_group() -> None:
    report = report_of(made_run(60, fleet=racks(120), rollout=None))
    root = ET.fromstring(written(report, ReportFormat.JUNIT))
    assert [(suite.get("name"), suite.get("tests")) for suite in root] == [("canary", "20"), ("all", "100")]


def test_hostile_text_is_xml_that_others_read(hostile: RunReport) -> None:
    text = written(hostile, ReportFormat.JUNIT)
    root = ET.fromstring(text)
    assert {element.tag for element in root.iter()} <= {
        "testsuites",
        "testsuite",
        "testcase",
        "failure",
        "error",
        "skipped",
    }
    assert root.get("name") == HOSTILE[0]
    assert "]]>&amp;<b> (id-14)" in {case.get("name") for case in root.iter("testcase")}
    assert max(len(value) for element in root.iter() for value in element.attrib.values()) < 1100


@pytest.mark.parametrize(("most_bytes", "most_elements"), [(40_000, 10_000), (10_000_000, 300)])
def test_what_does_not_fit_leaves_out_servers_that_succeeded(run: MadeRun, most_bytes: int, most_elements: int) -> None:
    report = report_of(run)
    data = b"".join(junit_pieces(report, most_bytes, most_elements))
    root = ET.fromstring(data)
    assert len(data) < most_bytes + 2000
    assert sum(1 for _ in root.iter()) < most_elements + 20
    left_out = sum(int(one.get("value", "")) for one in root.iter("property"))
    kinds = Counter(next((child.tag for child in case), "") for case in root.iter("testcase"))
    assert left_out > 0
    assert kinds[""] + left_out == report.head["counts"]["succeeded"]
    assert kinds["failure"] == report.head["abnormal_count"]
    assert [int(suite.get("tests", "")) for suite in root] == [len(suite.findall("testcase")) for suite in root]


# Prometheus.


def samples(report: RunReport) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    families: list[str] = []
    for family in text_string_to_metric_families(written(report, ReportFormat.PROM)):
        assert family.documentation
        assert family.type == "gauge"
        families.append(family.name)
        for sample in family.samples:
            assert sample.timestamp is None  # a textfile collector refuses a file with one
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found
            found[key] = sample.value
    assert len(set(families)) == len(families)
    return found


def test_metrics_are_those_of_the_report(run: MadeRun) -> None:
    report = report_of(run)
    found = samples(report)

    def value(name: str, **labels: str) -> float:
        return found[f"lite_server_runner_{name}", frozenset({"campaign": "c", **labels}.items())]

    assert value("servers", outcome="failed") == report.head["counts"]["failed"] > 0
    assert value("wave_servers", wave="ramp-3", outcome="succeeded") == report.head["waves"][3]["counts"]["succeeded"]
    assert value("run_state", state="finished") == 1
    assert value("run_state", state="aborted") == 0
    assert value("run_finished_timestamp_seconds") - value("run_started_timestamp_seconds") == pytest.approx(
        report.head["run"]["duration_s"], abs=0.01
    )
    assert value("limit_peak_servers", limit="max_abnormal") == report.head["budget"]["limits"][0]["peak"]
    assert value("run_exit_code") == 3


def test_metrics_do_not_grow_with_the_fleet() -> None:
    small, large = (samples(report_of(made_run(count))) for count in (200, 1000))
    told = "lite_server_runner_run_info"
    assert {key for key in small if key[0] != told} == {key for key in large if key[0] != told}


def test_metrics_of_a_run_without_an_end_leave_out_what_is_not_known(run: MadeRun) -> None:
    names = {name for name, _ in samples(report_of(run, 100))}
    assert "lite_server_runner_run_started_timestamp_seconds" in names
    assert not names & {"lite_server_runner_run_exit_code", "lite_server_runner_run_finished_timestamp_seconds"}


def test_hostile_names_stay_in_their_labels(hostile: RunReport) -> None:
    found = samples(hostile)
    assert {dict(labels)["campaign"] for _, labels in found} == {HOSTILE[0]}


# Markdown.


def test_the_page_says_how_it_ended_what_to_type_and_where_it_went_wrong(run: MadeRun) -> None:
    text = written(report_of(run), ReportFormat.MARKDOWN)
    assert text.startswith("## c: finished\n")
    assert "runner retry 20260101-000000-abcdef   # 16 failed, 5 timed out" in text
    assert "labels.rack=r0003: 16 of 20, of the others 0 %" in text
    assert "| mira | looked at the dashboard |" in text
    assert text.count("| npu-") == 21


def test_a_page_of_very_many_abnormal_servers_is_cut_below_what_a_summary_takes() -> None:
    said = ("driver 24.1 does not fit " + "\u8d85" * 400 + " {}").format
    report = report_of(made_run(2000, lambda server, _: said(server.id), rollout={"waves": [{"name": "one"}]}))
    text = written(report, ReportFormat.MARKDOWN)
    assert 0.9 * MOST_BYTES < len(text.encode()) <= MOST_BYTES < 2**20
    assert "left out" in text[-200:]


def test_hostile_text_marks_nothing(hostile: RunReport) -> None:
    text = written(hostile, ReportFormat.MARKDOWN)
    bare = text.replace("\\<", "").replace("\\@", "").replace("\\:", "")
    fenced = bare.partition("```")[2].rpartition("```")[0]
    assert "<script" not in bare
    assert "@SUM" not in bare
    assert "://" not in bare.replace(fenced, "")
    assert not any(character in text for character in "\x00\x07\x1b\u202e")


# All of them.


@pytest.mark.parametrize("form", list(ReportFormat))
def test_a_report_is_the_same_bytes_every_time(run: MadeRun, form: ReportFormat) -> None:
    pieces = Pieces(report_of(run), form)
    assert b"".join(pieces) == b"".join(pieces) == b"".join(Pieces(report_of(run), form))


@pytest.mark.parametrize("form", list(ReportFormat))
@pytest.mark.parametrize("events", [0, 1, 5])
def test_a_run_that_has_hardly_begun_has_one_in_every_form(run: MadeRun, form: ReportFormat, events: int) -> None:
    assert written(report_of(run, events), form)
    bare = RunReport(fold(small_plan((0,)), []), "r")
    assert written(bare, form)


def test_a_reason_is_told_of_servers_that_were_excluded_and_refused(run: MadeRun) -> None:
    plan = small_plan((4,), (2,))
    events: list[e.Event] = [
        e.RunStarted(1.0, "test", "sha256:0", "0", simulated=False, watched=True),
        e.Intended(2.0, 0),
        e.Refused(3.0, 0, e.Cause.INVALID, e.ServiceError(400, "ModelArts.1", "no such flavor", None), None),
        e.Withdrawn(4.0, 1, "mira", "in repair"),
    ]
    why = {server.id: server.why for server in RunReport(fold(plan, events), "r").servers()}
    assert why["g0-s0"] == "HTTP 400 ModelArts.1 no such flavor"
    assert why["g0-s2"] == "excluded by mira: in repair"


def test_the_rows_are_what_the_json_report_says(run: MadeRun) -> None:
    report = report_of(run)
    tasks = [
        (task["server_id"], task["outcome"])
        for job in json.loads(written(report, ReportFormat.JSON))["jobs"]
        for task in job["tasks"]
    ]
    assert [(server.id, server.outcome) for server in report.servers()] == tasks
    assert all(isinstance(server, ServerResult) for server in report.servers())
