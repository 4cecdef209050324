"""The servers that the service lists: whole or refused, as an inventory, and what changed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from runner.cli.fleet_progress import FleetProgress
from runner.engine.clock import SystemClock
from tests.cli.conftest import JOBSPEC, Program
from tests.cli.inside import ClockSetTo
from tests.cli.serving import StartSimulator

FREE = "throttle: {creates: null, reads: null}\n"
Ask = Callable[..., CompletedProcess[str]]


class ThreeTimes(SystemClock):
    """A clock that takes no time to wait by, but for the third minute or more: then the command is interrupted."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        self._ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead_s

    async def sleep(self, seconds: float) -> None:
        self._ahead_s += seconds
        await super().sleep(0)
        if seconds > 60.0:
            self.waited.append(seconds)
            if len(self.waited) > 2:
                raise KeyboardInterrupt


@pytest.fixture
def ask(program: Program, simulator: StartSimulator) -> Ask:
    """`ask(fleet, ...)` gives `runner servers` of a service with such a fleet."""

    def asked(fleet: str, *arguments: str, throttle: str = FREE) -> CompletedProcess[str]:
        program.clock = SystemClock() if throttle != FREE else ThreeTimes()
        url = simulator(f"{throttle}fleet: {{{fleet}}}\n")
        return program("servers", "--endpoint", url, "--project-id", "p", *arguments)

    return asked


@pytest.mark.parametrize("scope", ["mine", "all"])
@pytest.mark.parametrize("count", [0, 1, 2, 999, 1000, 1001, 2500])
def test_the_list_is_whole(ask: Ask, scope: str, count: int) -> None:
    found = ask(f"count: {count}", "--format", "ids", "--scope", scope)
    assert found.returncode == 0, found.stderr
    assert len(set(found.stdout.split())) == count


@pytest.mark.parametrize("most", [2, 3, 10, 100])
def test_it_is_whole_whatever_the_service_takes_for_a_page(ask: Ask, most: int) -> None:
    found = ask(f"count: 205, most: {most}", "--format", "ids")
    assert found.returncode == 0, found.stderr
    assert len(set(found.stdout.split())) == 205


LIES = {
    "paging: ignored": "paging is ignored",
    "pages: repeat": "paging is ignored",
    "pages: skip": "does not go on where the one before ended",
    "pages: overlap": "does not go on where the one before ended",
    "rows: fewer": "tells of 2,500 servers and shows 2,499",
    "rows: twice": "shows the same one twice",
    "total: of_page": "shows",
    "total: more": "tells of 2,501 servers and shows 2,500",
    "total: missing": "does not tell how many servers there are",
    "total: grows": "the list told of 2,50",
    "error_in_200: true": "it carries the error ModelArts.6102",
    "change: deleted, change_times: 99": "told of",
    "change: made, change_times: 99": "told of",
    "change: replaced, change_times: 99": "does not go on where the one before ended",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_list_that_may_not_be_whole_is_refused_with_what_was_seen(ask: Ask, lie: str) -> None:
    found = ask(f"count: 2500, {lie}", "--format", "ids")
    assert (found.returncode, found.stdout) == (7, ""), found.stderr
    assert LIES[lie] in found.stderr
    assert "cannot be listed whole" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("change", ["deleted", "made", "replaced"])
def test_a_fleet_that_changed_once_while_it_was_read_is_read_again(ask: Ask, change: str) -> None:
    found = ask(f"count: 2500, change: {change}", "--format", "ids")
    assert found.returncode == 0, found.stderr
    assert len(set(found.stdout.split())) == {"deleted": 2499, "made": 2501, "replaced": 2500}[change]


@pytest.mark.parametrize("fault", ["throttled_at: [2, 3]", "failing_at: [2]"])
def test_what_passes_in_the_middle_does_not_cost_the_list(ask: Ask, fault: str) -> None:
    found = ask(f"count: 2500, {fault}", "--format", "ids")
    assert found.returncode == 0, found.stderr
    assert len(set(found.stdout.split())) == 2500


@pytest.mark.parametrize(("paging", "code"), [("ignored", 7), ("whole", 0), ("refused", 0)])
def test_the_list_of_the_tenant_may_have_no_paging(ask: Ask, paging: str, code: int) -> None:
    found = ask(f"count: 40, all_paging: {paging}", "--format", "ids", "--scope", "all")
    assert found.returncode == code, found.stderr
    assert len(found.stdout.split()) == (0 if code else 40)


def test_fields_are_labels_and_secrets_are_none(ask: Ask, program: Program) -> None:
    extra = "extra: {admin_pass: hush, user_data: hush, tags: [{key: team, value: llm}], availability_zone: az1, os: {k: v}}"
    found = ask(f"count: 20, hyper_instances: 2, members: 8, {extra}", "--format", "ndjson")
    first, *_, last = map(json.loads, found.stdout.splitlines())
    assert first["status"] == "RUNNING"
    assert first["flavor"] == "snt9b.xlarge"
    assert (first["category"], last["category"]) == ("HPS", "SERVER")
    assert first["hyper_instance.name"] == "supernode-0000"
    assert first["hyper_instance.status"] == "ACTIVE"
    assert first["hyper_instance"] != first["hyper_instance.name"]
    assert "hyper_instance" not in last
    assert first["tags.row"] == "r0"
    assert first["tags.team"] == last["tags.team"] == "llm"
    assert first["az"] == "az1"
    assert first["os.k"] == "v"
    assert first["image"] == "euler-2.10"
    assert first["tor"] == "10.0.0.1"
    assert {"vpc", "subnet", "cloud_server.id", "cloud_server.type"} <= first.keys()
    kept = b"".join(path.read_bytes() for path in program.state.rglob("*") if path.is_file())
    assert b"hush" not in kept
    assert b"supernode-0000" in kept
    assert "hush" not in found.stdout + found.stderr


def test_each_form_but_a_table_and_json_is_an_inventory(ask: Ask, program: Program) -> None:
    (program.folder / "job.yaml").write_text(JOBSPEC.replace("inventory: fleet.csv\n", ""))
    for output in ("csv", "ndjson", "ids"):
        found = ask("count: 30", "--format", output, "-q")
        text = found.stdout if output != "ids" else "id\n" + found.stdout
        (program.folder / "got").write_text(text)
        planned = program("plan", "job.yaml", "-i", "got", "--endpoint", "http://127.0.0.1:1")
        assert planned.returncode == 0, planned.stderr
        assert "30 of 30" in planned.stdout


def test_servers_are_selected_and_counted(ask: Ask) -> None:
    fleet = "count: 30, flavors: [small, large, large]"
    assert len(ask(fleet, "--select", 'labels.flavor == "large"', "--format", "ids").stdout.split()) == 20
    counted = ask(fleet, "--by", "labels.flavor", "--format", "csv")
    assert list(csv.reader(counted.stdout.splitlines())) == [["value", "servers"], ["large", "20"], ["small", "10"]]
    assert "large" in ask(fleet, "--by", "labels.flavor").stdout
    document = json.loads(ask(fleet, "--by", "labels.flavor", "--format", "json").stdout)
    assert document["counts"] == [{"value": "large", "servers": 20}, {"value": "small", "servers": 10}]
    for option in ("--select", "--by"):
        wrong = ask(fleet, option, 'labels.flavour == "x"' if option == "--select" else "labels.flavour")
        assert wrong.returncode == 2
        assert "no server has a label `flavour`" in wrong.stderr


def test_what_changed_since_the_last_look_is_told(program: Program, simulator: StartSimulator) -> None:
    behaviour = FREE + "fleet: {count: 30, change: replaced, topology: absent}\n"
    where = ("--endpoint", simulator(behaviour), "--project-id", "p")
    assert "since" not in program("servers", *where).stdout
    again = program("servers", *where)
    assert "1 new, 1 gone, 0 changed" in again.stdout
    document = json.loads(program("servers", *where, "--format", "json", "--offline").stdout)
    assert len(document["change"]["new"]) == len(document["change"]["gone"]) == 1
    assert "nothing changed" in program("servers", *where).stdout


FROM_SERVICE = "inventory: {api: {select: 'labels.status == \"RUNNING\"'}}\n"


@pytest.fixture
def jobspec(program: Program) -> Callable[[str], Path]:
    """Writes the jobspec with such an inventory."""

    def write(inventory: str) -> Path:
        path = program.folder / "job.yaml"
        path.write_text(JOBSPEC.replace("inventory: fleet.csv\n", inventory))
        return path

    return write


def test_a_plan_is_made_of_what_the_service_lists(
    program: Program, simulator: StartSimulator, jobspec: Callable[[str], Path]
) -> None:
    url = simulator(FREE + "fleet: {count: 12, statuses: {'0*': STOPPED, '1*': STOPPED, '2*': STOPPED}}\n")
    jobspec(FROM_SERVICE)
    made = program("plan", "job.yaml", "--endpoint", url, "-o", "plan.json")
    assert made.returncode == 0, made.stderr
    assert "12 servers, listed now" in made.stderr
    plan = json.loads((program.folder / "plan.json").read_text())
    again = program("plan", "job.yaml", "--endpoint", url, "--format", "json")
    assert "12 servers, listed" in again.stderr
    assert "ago" in again.stderr
    assert json.loads(again.stdout)[0]["plan_hash"] == plan["plan_hash"]
    assert plan["inventory_fingerprint"].startswith("sha256:")
    assert 0 < plan["summary"]["selected"] < 12


def test_offline_a_plan_is_made_of_what_was_kept_and_nothing_is_asked(
    program: Program, simulator: StartSimulator, jobspec: Callable[[str], Path]
) -> None:
    jobspec("inventory: {api: {max_age: 1ms}}\n")
    nowhere = ("--endpoint", "http://127.0.0.1:9")
    offline = [("plan", "job.yaml", "--offline"), ("run", "job.yaml", "--dry-run", "--offline")]
    for command in offline:
        refused = program(*command, *nowhere)
        assert refused.returncode == 6, refused.stderr
        assert "there is no list of the servers" in refused.stderr
    lacking = program("validate", "job.yaml", *nowhere)
    assert (lacking.returncode, lacking.stderr) == (0, "")
    assert "the servers: there is no list of the servers" in lacking.stdout
    url = simulator(FREE + "fleet: {count: 12}\n")
    assert program("servers", "job.yaml", "--endpoint", url).returncode == 0
    before = simulator.calls["mine"]
    for command in (*offline, ("validate", "job.yaml")):
        done = program(*command, "--endpoint", url)
        assert done.returncode == 0, done.stderr
    assert simulator.calls["mine"] == before
    assert program("plan", "job.yaml", "--endpoint", url).returncode == 0
    assert simulator.calls["mine"] > before


def test_the_service_is_an_inventory_of_the_command_line(program: Program, simulator: StartSimulator) -> None:
    url = simulator(FREE + "fleet: {count: 7}\ntasks: {duration_s: 0.1}\nlisting: {lag_s: 0}\n")
    done = program("run", "job.yaml", "--endpoint", url, "-i", "api:all", "--report", "report.json", "-q")
    assert done.returncode == 0, done.stderr
    assert json.loads((program.folder / "report.json").read_text())["counts"]["succeeded"] == 7
    wrong = program("plan", "job.yaml", "--endpoint", url, "-i", "api:every")
    assert wrong.returncode == 2
    assert "expected api:, api:mine or api:all" in wrong.stderr


def test_a_file_is_joined_by_id_and_what_only_one_has_is_said(
    program: Program, simulator: StartSimulator, jobspec: Callable[[str], Path]
) -> None:
    url = simulator(FREE + "fleet: {count: 5}\n")
    ids = program("servers", "--endpoint", url, "--project-id", "p", "--format", "ids").stdout.split()
    rows = [f"{server},r{number}" for number, server in enumerate(ids[:4])]
    (program.folder / "racks.csv").write_text("\n".join(["id,rack", *rows, "gone,r9"]) + "\n")
    jobspec("inventory: {api: {join: racks.csv}}\n")
    made = program("plan", "job.yaml", "--endpoint", url, "--limit", 'labels.rack in ["r1", "r2"]', "--format", "json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)[0]["summary"]["selected"] == 2
    for remark in (
        "1 servers that the service lists are not in racks.csv",
        "1 servers of racks.csv are not listed by the service: gone",
    ):
        assert any(remark in warning for warning in json.loads(made.stdout)[0]["summary"]["warnings"])
    (program.folder / "racks.csv").write_text(f"id,status\n{ids[0]},STOPPED\n")
    refused = program("plan", "job.yaml", "--endpoint", url, "--limit", 'labels.status == "RUNNING"')
    assert refused.returncode == 2
    assert "the service says status 'RUNNING', and racks.csv 'STOPPED'" in refused.stderr


def test_a_kept_list_that_was_changed_is_not_taken(
    program: Program, simulator: StartSimulator, jobspec: Callable[[str], Path]
) -> None:
    jobspec("inventory: {api: {}}\n")
    url = simulator(FREE + "fleet: {count: 5}\n")
    assert program("plan", "job.yaml", "--endpoint", url).returncode == 0
    (kept,) = (program.state / "servers").glob("*.ndjson")
    kept.write_bytes(kept.read_bytes().replace(b"RUNNING", b"STOPPED", 1))
    assert program("plan", "job.yaml", "--endpoint", url, "--offline").returncode == 6
    assert program("plan", "job.yaml", "--endpoint", url).returncode == 0
    assert kept.stat().st_mode & 0o777 == 0o600


def test_servers_of_several_lanes_tell_theirs(
    program: Program, simulator: StartSimulator, jobspec: Callable[[str], Path]
) -> None:
    first, second = simulator(FREE + "fleet: {count: 5}\n"), simulator(FREE + "servers: {fleet: {a: RUNNING}}\n")
    text = jobspec("inventory: {api: {}}\n").read_text()
    group = (
        f'  - name: all\n    select: labels["lane.endpoint"] == "{first}"\n    lane: {{endpoint: \'{first}\'}}\n'
        f'  - name: other\n    select: labels["lane.endpoint"] == "{second}"\n    lane: {{endpoint: \'{second}\'}}\n'
    )
    (program.folder / "job.yaml").write_text(text.replace('  - name: all\n    select: "true"\n', group))
    made = program("plan", "job.yaml", "--format", "json")
    assert made.returncode == 0, made.stderr
    assert [group["servers"] for group in json.loads(made.stdout)[0]["groups"]] == [5, 1]


def test_hyper_instances_that_cannot_be_listed_cost_their_labels_alone(ask: Ask) -> None:
    found = ask("count: 20, hyper_instances: 2, hyper_list: refused, topology: absent", "--format", "ndjson")
    assert found.returncode == 0, found.stderr
    assert "hyper-instances cannot be listed" in found.stderr
    first = json.loads(found.stdout.splitlines()[0])
    assert first["hyper_instance.name"] == "supernode-0000"
    assert first.keys().isdisjoint({"hyper_instance.status", "tor"})


def test_without_a_lane_it_says_what_to_give(program: Program) -> None:
    refused = program("servers")
    assert refused.returncode == 2
    assert "use --region or --endpoint" in refused.stderr


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("inventory: {api: {scope: everything}}", "expected 'mine' or 'all'"),
        ("inventory: {api: {max_agee: 5m}}", "did you mean `max_age`"),
        ("inventory: {api: {max_age: 5}}", "write 5s if it is in seconds"),
        ("inventory: {api: {select: 'labels.status ='}}", "inventory.api.select"),
        ("inventory: {apis: {}}", "did you mean `api`"),
        ("inventory: [a.csv]", "expected a file, or a mapping with `api`"),
        ("inventory: {api: {join: '{{ secret.X }}'}}", "a secret must not stand here"),
    ],
)
def test_a_wrong_inventory_is_told_with_its_place(
    program: Program, jobspec: Callable[[str], Path], written: str, said: str
) -> None:
    jobspec(written + "\n")
    refused = program("validate", "job.yaml", "--endpoint", "http://127.0.0.1:9")
    assert refused.returncode == 2
    assert said in refused.stderr
    assert "job.yaml:3:" in refused.stderr


def test_twenty_thousand_servers_are_whole_at_a_read_rate_or_the_inventory_is_refused(ask: Ask) -> None:
    strict = "throttle: {creates: 10, reads: 20}\n"
    found = ask("count: 20000, hyper_instances: 100", "--by", "labels.category", "--format", "csv", throttle=strict)
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines() == ["value,servers", "SERVER,19200", "HPS,800"]
    for lie in ("pages: skip", "change: replaced, change_times: 99", "total: more"):
        refused = ask(f"count: 20000, {lie}", "--format", "ids", throttle=strict)
        assert (refused.returncode, refused.stdout) == (7, "")


def test_watching_says_what_changes_and_nothing_else(program: Program, simulator: StartSimulator) -> None:
    url = simulator(FREE + "fleet: {count: 30, change: replaced, topology: absent, failing_at: [3, 4, 5, 6, 7, 8]}\n")
    program.clock = clock = ThreeTimes()
    found = program("servers", "--endpoint", url, "--project-id", "p", "--watch", "--every", "2m")
    assert found.returncode == 5
    assert clock.waited == [120.0, 120.0, 120.0]
    assert "since" in found.stdout
    assert found.stdout.count("1 new, 1 gone, 0 changed") == 1
    assert found.stderr.count("cannot be listed whole: Backend unavailable.") == 1
    wrong = program("servers", "--endpoint", url, "--project-id", "p", "--watch", "--format", "json")
    assert wrong.returncode == 2


def test_what_a_server_is_called_does_nothing_on_a_screen(ask: Ask) -> None:
    extra = 'extra: {name: "a\\e]0;owned\\a\\nb", note: "\\e[2J"}'
    for output in ("table", "csv", "ndjson", "json", "ids"):
        found = ask(f"count: 3, {extra}", "--format", output)
        assert found.returncode == 0, found.stderr
        assert "\x1b" not in found.stdout
        assert "\x07" not in found.stdout


def test_a_list_that_is_too_old_is_read_anew_and_a_moved_clock_makes_none_new(
    program: Program, simulator: StartSimulator, jobspec: Callable[[str], Path]
) -> None:
    jobspec("inventory: {api: {max_age: 10m}}\n")
    url = simulator(FREE + "fleet: {count: 5}\nauth: {skew_s: 100000}\n")
    now = datetime.now(UTC)
    for minutes, told in ((0, "now"), (9, "ago"), (11, "now"), (-60, "now"), (-61, "now")):
        program.clock = ClockSetTo(now + timedelta(minutes=minutes))
        done = program("plan", "job.yaml", "--endpoint", url)
        assert done.returncode == 0, done.stderr
        assert f"5 servers, listed {told}" in done.stderr or f"{told}\n" in done.stderr, (minutes, done.stderr)


def test_a_label_with_dots_is_read_as_documented(ask: Ask) -> None:
    fleet = "count: 20, hyper_instances: 1"
    by_dots = ask(fleet, "--select", 'labels.hyper_instance.name == "supernode-0000"', "--format", "ids")
    by_name = ask(fleet, "--select", 'labels["hyper_instance.name"] == "supernode-0000"', "--format", "ids")
    assert len(by_dots.stdout.split()) == len(by_name.stdout.split()) == 8, by_dots.stderr
    assert len(ask(fleet, "--select", 'labels.image.arch == "ARM"', "--format", "ids").stdout.split()) == 20
    assert len(ask(fleet, "--select", 'labels.image == "euler-2.10"', "--format", "ids").stdout.split()) == 20


def test_credentials_that_are_refused_stop_it_after_few_calls(program: Program, simulator: StartSimulator) -> None:
    url = simulator(FREE + "fleet: {count: 5}\nauth: {access_keys: {SIMULATORAK: other}}\n")
    refused = program("servers", "--endpoint", url, "--project-id", "p")
    assert refused.returncode == 7
    assert "verify aksk signature fail" in refused.stderr
    assert sum(simulator.calls.values()) == 0
    assert "SIMULATORSK" not in refused.stderr
    for path in program.state.rglob("*"):
        assert not path.is_file() or b"SIMULATORSK" not in path.read_bytes()


def test_a_rehearsal_takes_the_servers_that_there_are(
    program: Program, simulator: StartSimulator, jobspec: Callable[[str], Path]
) -> None:
    jobspec("inventory: {api: {}}\n")
    url = simulator(FREE + "fleet: {count: 6}\n")
    path = program.folder / "job.yaml"
    path.write_text(path.read_text().replace("project_id: p", f"project_id: p\n  endpoint: {url}"))
    done = program("run", "job.yaml", "--behaviour", "quick.yaml", "--report", "report.json", "-q")
    assert done.returncode == 0, done.stderr
    assert json.loads((program.folder / "report.json").read_text())["counts"]["succeeded"] == 6
    assert not simulator.jobs


def test_members_that_are_not_listed_are_told(program: Program, simulator: StartSimulator) -> None:
    url = simulator(FREE + "fleet: {count: 12, hyper_instances: 2}\n")
    found = program("servers", "--endpoint", url, "--project-id", "p")
    assert found.returncode == 0
    assert "1 hyper-instances have members that are not listed" in found.stderr
    assert "(4 of 8)" in found.stderr


def test_no_cell_is_a_formula(ask: Ask) -> None:
    found = ask("count: 2, extra: {note: '=cmd()', owner: '-1'}", "--format", "csv")
    (header, *rows) = csv.reader(found.stdout.splitlines())
    assert len(rows) == 2
    assert [row[header.index("note")] for row in rows] == ["'=cmd()"] * 2
    assert [row[header.index("owner")] for row in rows] == ["'-1"] * 2


def test_lanes_may_need_variables_of_the_command_line(
    program: Program, simulator: StartSimulator, jobspec: Callable[[str], Path]
) -> None:
    url = simulator(FREE + "fleet: {count: 3}\n")
    path = jobspec("inventory: {api: {}}\n")
    path.write_text(path.read_text().replace("project_id: p", 'project_id: p\n  endpoint: "{{ where }}"'))
    assert program("servers", "job.yaml").returncode == 2
    assert len(program("servers", "job.yaml", "-e", f"where={url}", "--format", "ids").stdout.split()) == 3
    assert program("plan", "job.yaml", "-e", f"where={url}", "--offline").returncode == 0
    assert program("templates", "-j", "job.yaml", "-e", f"where={url}", "--save").returncode == 0


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


def test_each_tenth_is_shown_on_a_terminal_and_nothing_elsewhere() -> None:
    for stream, is_quiet, lines in ((Terminal(), False, 10), (Terminal(), True, 0), (io.StringIO(), False, 0)):
        with redirect_stderr(stream):
            progress = FleetProgress(is_quiet=is_quiet)
            for shown in range(1000, 100_001, 1000):
                progress.progress("lane", shown, 100_000)
        assert len(stream.getvalue().splitlines()) == lines
    few = Terminal()
    with redirect_stderr(few):
        FleetProgress(is_quiet=False).progress("lane", 100, 200)
    assert not few.getvalue()


def test_a_plan_that_asks_for_no_list_needs_no_state_folder(
    program: Program, simulator: StartSimulator, jobspec: Callable[[str], Path]
) -> None:
    url = simulator(FREE + "fleet: {count: 3}\n")
    program.env["RUNNER_STATE_DIR"] = ""
    for command in ("plan", "validate"):
        assert program(command, "job.yaml", "--endpoint", url).returncode == 0
    jobspec("inventory: {api: {}}\n")
    refused = program("plan", "job.yaml", "--endpoint", url)
    assert refused.returncode == 6
    assert "name a folder with --state-dir or RUNNER_STATE_DIR" in refused.stderr
    assert simulator.calls["mine"] == 0
    assert program("plan", "job.yaml", "--endpoint", url, "--state-dir", program.state).returncode == 0


def test_an_unchanged_list_is_not_written_again(program: Program, simulator: StartSimulator) -> None:
    where = ("--endpoint", simulator(FREE + "fleet: {count: 30}\n"), "--project-id", "p")
    assert program("servers", *where).returncode == 0
    (kept,) = (program.state / "servers").glob("*.ndjson")
    before = kept.stat()
    assert "nothing changed" in program("servers", *where).stdout
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_one_id_on_two_lanes_is_refused(
    program: Program, simulator: StartSimulator, jobspec: Callable[[str], Path]
) -> None:
    behaviour = FREE + "servers: {fleet: {a: RUNNING}}\n"
    first, second = simulator(behaviour), simulator(behaviour)
    text = jobspec("inventory: {api: {}}\n").read_text()
    more = f"  - name: other\n    select: 'false'\n    lane: {{endpoint: '{second}'}}\nsteps:"
    (program.folder / "job.yaml").write_text(
        text.replace("steps:", more).replace("project_id: p", f"project_id: p\n  endpoint: {first}")
    )
    refused = program("plan", "job.yaml")
    assert refused.returncode == 2
    assert "the id a stands on line 1 already" in refused.stderr
