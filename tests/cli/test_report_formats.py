"""`--report FORMAT=FILE` and `runner report --format`: in whichever form, found before the campaign, kept with the run."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runner.app.listing import open_store
from runner.app.reporting import NamedReport, places_from_text, places_to_text
from runner.report.format_names import ReportFormat
from tests.cli.conftest import SIMULATED, Program
from tests.cli.serving import StartSimulator
from tests.cli.test_report_places import in_state_folder, only_submitted, state_in

ALL = ("html=o.html", "junit=o.xml", "markdown=o.md", "csv=o.csv", "prom=o.prom", "json=o.json")


def options(*reports: str) -> list[str]:
    return [word for report in reports for word in ("--report", report)]


def test_one_run_writes_every_form_and_says_where(program: Program) -> None:
    result = program("run", program.jobspec, *SIMULATED, *options(*ALL))
    assert result.returncode == 0, result.stderr
    assert f"report: {program.folder / 'o.json'}\nreport as html: {program.folder / 'o.html'}\n" in result.stdout
    read = {
        name: (program.folder / name).read_text() for name in ("o.html", "o.xml", "o.md", "o.csv", "o.prom", "o.json")
    }
    assert state_in(read["o.json"]) == "finished"
    assert read["o.html"].startswith("<!doctype html>")
    assert len(list(ET.fromstring(read["o.xml"]).iter("testcase"))) == 8
    assert read["o.md"].startswith("## test: finished, simulated\n")
    assert len(list(csv.DictReader(io.StringIO(read["o.csv"])))) == 8
    assert len(list(text_string_to_metric_families(read["o.prom"]))) > 10
    assert not (program.state / "reports").exists()
    for form, name in (option.split("=") for option in ALL):
        program("report", "last", "--format", form, "--out", f"again-{name}")
        again = (program.folder / f"again-{name}").read_text()
        assert again == read[name], form


def test_without_a_json_file_the_report_is_in_the_state_folder_too(program: Program) -> None:
    result = program("run", program.jobspec, *SIMULATED, *options("csv=o.csv"))
    assert f"report: {in_state_folder(program)}\nreport as csv: {program.folder / 'o.csv'}\n" in result.stdout
    assert state_in(in_state_folder(program).read_text()) == "finished"


def test_standard_output_may_have_another_form(program: Program) -> None:
    result = program("run", program.jobspec, *SIMULATED, *options("markdown=-"))
    assert result.stdout.startswith("## test: finished, simulated\n")
    assert "servers succeeded, exit 0" in result.stderr
    assert program("report", "last", "--format", "markdown").stdout == result.stdout


def test_a_run_that_failed_or_was_stopped_has_them_as_well(program: Program) -> None:
    (program.folder / "quick.yaml").write_text("tasks: {duration_s: 0.1, failing_servers: [id-3]}\n")
    result = program("run", program.jobspec, *SIMULATED, *options("junit=o.xml"), "--deadline", "1h")
    assert result.returncode == 3
    (failure,) = ET.parse(program.folder / "o.xml").getroot().iter("failure")
    assert failure.get("type") == "failed"


@pytest.mark.parametrize(
    ("reports", "code", "said"),
    [
        (("csv=nowhere/../quick.yaml/o.csv",), 6, "cannot be written: Not a directory"),
        (("html=.",), 2, "is a directory"),
        (("html=",), 2, "is empty; expected a path"),
        (("htlm=o.html",), 2, "'htlm' is no form of a report; did you mean html?"),
        (("md=o.md",), 2, "did you mean markdown? A file of that name is ./md=..."),
        (("csv=o", "prom=./o"), 2, "is named 2 times: one report would be written over the other"),
        (("csv=-", "prom=/dev/stdout"), 2, "is named 2 times"),
    ],
)
def test_a_place_that_will_not_do_is_refused_before_anything_is_sent(
    program: Program, reports: tuple[str, ...], code: int, said: str
) -> None:
    result = program("run", program.jobspec, *SIMULATED, *options(*reports))
    assert (result.returncode, said in result.stderr) == (code, True), result.stderr
    assert not (program.state / "journal.db").exists()
    assert json.loads(program("list", "--format", "json").stdout) == []


@pytest.mark.parametrize("name", ["date=2026.json", "./csv=1", "folder/html=2"])
def test_an_equals_sign_in_the_path_of_a_file_is_one_of_the_path(program: Program, name: str) -> None:
    assert program("run", program.jobspec, *SIMULATED, "--report", name).returncode == 0
    assert state_in((program.folder / name).read_text()) == "finished"


def test_a_resume_writes_all_files_of_the_run_from_wherever_it_is_given(
    program: Program, simulator: StartSimulator
) -> None:
    run_id = only_submitted(program, simulator(), *options("csv=o.csv", "json=o.json"))
    before = (program.folder / "o.csv").read_text()
    assert before.count("at_work") == 8
    folder, program.folder = program.folder, program.folder / "elsewhere"
    program.folder.mkdir()
    assert program("resume", run_id).returncode == 0
    assert (folder / "o.csv").read_text().count("succeeded") == 8
    assert state_in((folder / "o.json").read_text()) == "finished"
    assert list(program.folder.iterdir()) == []


def test_a_resume_may_name_other_files_and_the_run_keeps_those(program: Program, simulator: StartSimulator) -> None:
    only_submitted(program, simulator(), *options("csv=o.csv"))
    assert program("resume", "last", *options("html=o.html", "prom=o.prom")).returncode == 0
    assert "at_work" in (program.folder / "o.csv").read_text()
    with open_store(program.state) as store:
        kept = places_from_text(store.run(store.resolve("last")).report)
    assert kept == (
        NamedReport(ReportFormat.HTML, program.folder / "o.html"),
        NamedReport(ReportFormat.PROM, program.folder / "o.prom"),
    )


def test_a_file_that_cannot_be_written_in_the_end_costs_no_other_and_changes_no_exit(
    program: Program, simulator: StartSimulator
) -> None:
    run_id = only_submitted(program, simulator(), *options("html=gone/o.html", "csv=o.csv"))
    (program.folder / "gone/o.html").unlink()
    (program.folder / "gone").rmdir()
    (program.folder / "gone").write_text("a file where a folder was")
    result = program("resume", run_id)
    assert result.returncode == 0
    assert "gone/o.html cannot be written: Not a directory" in result.stderr
    assert f"`runner report {run_id} --format html -o FILE` writes it again" in result.stderr
    assert (program.folder / "o.csv").read_text().count("succeeded") == 8


@pytest.mark.parametrize(
    "places",
    [
        (),
        (NamedReport(ReportFormat.JSON, Path("/a/b.json")),),
        (NamedReport(ReportFormat.JSON, Path("/[")), NamedReport(ReportFormat.CSV, Path('/a\n"b'))),
        (NamedReport(ReportFormat.HTML, Path("/o.html")),),
    ],
)
def test_places_are_kept_as_they_are(places: tuple[NamedReport, ...]) -> None:
    assert places_from_text(places_to_text(places)) == places


def test_the_path_of_one_json_file_is_kept_as_versions_before_kept_it() -> None:
    assert places_to_text((NamedReport(ReportFormat.JSON, Path("/a/b.json")),)) == "/a/b.json"
    assert places_from_text("/a/b.json") == (NamedReport(ReportFormat.JSON, Path("/a/b.json")),)


def test_a_lineage_is_json_only(program: Program) -> None:
    assert program("run", program.jobspec, *SIMULATED).returncode == 0
    result = program("report", "last", "--lineage", "--format", "csv")
    assert (result.returncode, "--lineage is JSON only" in result.stderr) == (2, True)
