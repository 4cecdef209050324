"""docs/reports.md says what is so: its commands are run, its tables compared with what is written."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from runner.report.csv_rows import COLUMNS
from runner.report.fold import RunReport, fold
from runner.report.format_names import ReportFormat
from runner.report.formats import Pieces
from runner.report.junit import MOST_BYTES, MOST_ELEMENTS
from runner.report.run_page import MOST_BYTES as MOST_MARKDOWN
from tests.cli.conftest import Program
from tests.made_run import made_run

TEXT = (Path(__file__).parents[2] / "docs" / "reports.md").read_text()


def rows(title: str, place: int = 0) -> list[list[str]]:
    """The rows of a table under a title."""
    section = TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0] if title else TEXT.partition("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    lines = tables[place].splitlines()[2:]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def report(form: ReportFormat) -> str:
    run = made_run()
    return b"".join(Pieces(RunReport(fold(run.plan, run.events), "20260101-000000-abcdef"), form)).decode()


def test_the_first_commands_do_what_they_say(program: Program) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines():
        result = program(*shlex.split(line)[1:])
        assert result.returncode == 0, result.stderr
    assert {path.name for path in program.folder.glob("*.*")} >= {
        "report.json",
        "report.html",
        "report.xml",
        "servers.csv",
    }


def test_every_form_has_its_row() -> None:
    assert [row[0] for row in rows("")] == [
        f"`{form}`" for form in ("json", "html", "markdown", "junit", "csv", "prom")
    ]
    assert set(re.findall(r"`(\w+)`", " ".join(row[0] for row in rows("")))) == set(ReportFormat)


def test_the_limits_are_those_that_are_kept_to() -> None:
    assert f"at most {MOST_MARKDOWN:,} bytes" in TEXT
    assert f"at most {MOST_BYTES // 1_000_000} MB, {MOST_ELEMENTS:,} elements" in TEXT


def test_the_columns_of_the_table_are_those_of_the_file() -> None:
    named = [name for row in rows("CSV") for name in re.findall(r"`([\w.]+)`", row[0])]
    header = next(csv.reader(io.StringIO(report(ReportFormat.CSV))))
    assert named == [*COLUMNS, "labels.NAME"]
    assert header[: len(COLUMNS)] == list(COLUMNS)
    assert all(name.startswith("labels.") for name in header[len(COLUMNS) :])


def test_every_metric_is_named_and_every_name_is_one() -> None:
    named = {f"lite_server_runner_{name}" for row in rows("Prometheus") for name in re.findall(r"`(\w+)`", row[0])}
    assert named == set(re.findall(r"# TYPE (\w+) gauge", report(ReportFormat.PROM)))


EXPECTED = {
    "how it ended": "finished  exit 3",
    "servers by outcome": '{"servers":600,"succeeded":579,"failed":16,',
    "why, and where": "16\tfailed\tnode <address>: driver <n>.<name> does not fit firmware <address>\tlabels.rack=r0003",
    "each wave": "canary\tpassed\t20\t0\n",
    "what people decided": "\tapprove\tmira\tlooked at the dashboard",
    "limits that were nearly used up": "max_abnormal\tcampaign\t118\t120",
    "what each of them said": "does not fit firmware 7.3.0.1",
    "requests that the service refused": "",
}


@pytest.mark.process
@pytest.mark.parametrize(("what", "command"), [row[:2] for row in rows("JSON with jq") if "jq" in row[1]])
def test_recipes_of_jq_tell_what_they_say(tmp_path: Path, what: str, command: str) -> None:
    if shutil.which("jq") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("jq is not on PATH: `apt-get install jq`")
    text = report(ReportFormat.JSON)
    (tmp_path / "report.json").write_text(text)
    done = subprocess.run(shlex.split(command.strip("`")), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if what == "ids of the abnormal servers":
        assert len(done.stdout.splitlines()) == len(set(done.stdout.splitlines())) == json.loads(text)["abnormal_count"]
    elif EXPECTED[what]:
        assert EXPECTED[what] in done.stdout
    else:
        assert done.stdout == ""
