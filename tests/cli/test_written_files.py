"""Files that a person names: what is there stays what it is, and is whole whatever happens."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.cli.conftest import SIMULATED, Program
from tests.cli.processes import LONGEST_S, ended, works
from tests.waiting import eventually

REGION = ("--region", "r-1")
OLD = "what was there before\n"
NULL, FULL = 3, 7  # minor numbers of /dev/null and /dev/full
POWERLESS = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
NOT_GIVING = ("setpriv", "--bounding-set=-chown", "--inh-caps=-chown")
IS_ROOT = os.geteuid() == 0
process = pytest.mark.process


def planned(text: str | bytes) -> str:
    """The hash of a plan: raises where it is no whole plan."""
    document = json.loads(text)
    assert document["requests"]
    found: str = document["plan_hash"]
    return found


def parts_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.endswith(".part"))


def device(path: Path, minor: int) -> Path:
    """A device like one of those in /dev, which no test may break."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
        path.open("w").close()
    except PermissionError:
        pytest.skip("only root may make a device, and not on every file system")
    return path


def given(program: Program, command: list[str], **streams: Any) -> subprocess.CompletedProcess[str]:
    """What becomes of a command whose streams and descriptors are these."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.run(command, check=False, cwd=program.folder, env=program.env, text=True, **streams)


def in_bash(script: str, command: list[str]) -> list[str]:
    """A command in a script, as `"$@"`."""
    return ["bash", "-c", script, "bash", *command]


@contextmanager
def read(fifo: Path) -> Iterator[Callable[[], bytes]]:
    """Somebody reads a fifo from now on; afterwards: what came."""
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(fifo.read_bytes()), daemon=True)
    thread.start()

    def come() -> bytes:
        thread.join(LONGEST_S)
        return b"".join(got)

    yield come


@pytest.fixture
def past(program: Program) -> Program:
    """A program that has carried out a run."""
    assert program("run", program.jobspec, *SIMULATED, "-q").returncode == 0
    return program


COMMANDS = {
    "plan": ("plan", "job.yaml", *REGION, "-o"),
    "report": ("report", "last", "-o"),
    "lineage": ("report", "last", "--lineage", "--report"),
    "export": ("export", "last"),
    "run": ("run", "job.yaml", *SIMULATED, "--report"),
}
each_command = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


# Standard output, however it is named.


def test_a_plan_to_standard_output_is_there_alone(program: Program) -> None:
    result = program("plan", program.jobspec, *REGION, "-o", "-")
    assert result.returncode == 0
    assert program("plan", program.jobspec, *REGION, "-o", "plan.json").returncode == 0
    assert planned(result.stdout) == planned((program.folder / "plan.json").read_text())
    assert "campaign   test" in result.stderr
    assert not (program.folder / "-").exists()


def test_a_plan_of_a_retry_to_standard_output_is_there_alone(program: Program) -> None:
    (program.folder / "quick.yaml").write_text("tasks: {duration_s: 0.1, failing_servers: [id-3]}\n")
    assert program("run", program.jobspec, *SIMULATED, "-q").returncode == 3
    assert planned(program("retry", "last", "-o", "-").stdout)


def test_two_documents_on_standard_output_are_refused(program: Program) -> None:
    result = program("plan", program.jobspec, *REGION, "-o", "-", "--format", "json")
    assert (result.returncode, result.stdout) == (2, "")
    assert "would both be on standard output" in result.stderr


@process
def test_an_export_to_standard_output(past: Program) -> None:
    with (past.folder / "run.zip").open("wb") as file:
        assert given(past, past.command("export", "last", "-"), stdout=file).returncode == 0
    assert any(name.endswith("plan.json") for name in zipfile.ZipFile(past.folder / "run.zip").namelist())


def test_a_copy_of_the_journal_is_no_stream(past: Program) -> None:
    result = past("backup", "-")
    assert (result.returncode, result.stdout) == (2, "")
    assert "a copy of the journal is a file" in result.stderr
    assert not (past.folder / "-").exists()


@process
@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link", "link-to-link"])
def test_standard_output_that_is_a_file_is_written_into_from_where_it_is(program: Program, name: str) -> None:
    """Opened by its name, it would be written from its beginning; replaced, it would be another file."""
    (program.folder / "link").symlink_to("/dev/stdout")
    (program.folder / "link-to-link").symlink_to("link")
    out = program.folder / "out"
    with out.open("w") as file:
        file.write(OLD)
        file.flush()
        inode = out.stat().st_ino
        done = given(program, program.command("plan", program.jobspec, *REGION, "-o", name), stdout=file)
    assert out.stat().st_ino == inode
    assert out.read_text().startswith(OLD)
    assert planned(out.read_text().removeprefix(OLD))
    assert (done.returncode, "campaign   test" in done.stderr) == (0, True)


@process
def test_standard_output_that_is_closed_takes_no_report(program: Program) -> None:
    closed = ("sh", "-c", 'exec "$@" >&-', "sh")
    code, out, err = ended(program.start("run", program.jobspec, "--simulate", "--report", "-", within=closed))
    assert (code, out) == (6, "")
    assert "standard output cannot be written: it is closed" in err


@process
@pytest.mark.parametrize("command", [COMMANDS["plan"], COMMANDS["report"], COMMANDS["export"]])
def test_a_reader_of_standard_output_that_has_enough(past: Program, command: tuple[str, ...]) -> None:
    """What it says on stderr is the plan for a person."""
    done = given(past, in_bash('set -o pipefail; "$@" - | true', past.command(*command)))
    assert done.returncode == 0
    assert "rror" not in done.stderr


# Other descriptors.


@process
def test_a_descriptor_is_written_into(program: Program) -> None:
    log = program.folder / "log"
    log.write_text(OLD)
    with log.open("a") as file:
        number = file.fileno()
        command = program.command("plan", program.jobspec, *REGION, "-o", f"/dev/fd/{number}")
        subprocess.run(command, cwd=program.folder, env=program.env, pass_fds=[number], capture_output=True, check=True)
    assert planned(log.read_text().removeprefix(OLD))


@process
@pytest.mark.parametrize("command", [COMMANDS["plan"], COMMANDS["run"]], ids=["plan", "run"])
def test_a_process_of_the_shell_is_written_to(program: Program, command: tuple[str, ...]) -> None:
    done = given(program, in_bash('"$@" >(cat > copy; mv copy copied)', program.command(*command)))
    assert done.returncode == 0
    assert json.loads(eventually(lambda: _text(program, "copied")))


def _text(program: Program, name: str) -> str:
    path = program.folder / name
    return path.read_text() if path.exists() else ""


@process
def test_descriptors_that_are_not_to_be_written_are_refused(program: Program) -> None:
    """Also those that the program opens for itself: its journal is one."""
    for number in (3, 9, 99):
        code, _, err = ended(program.start("run", program.jobspec, *SIMULATED, "--report", f"/dev/fd/{number}"))
        assert (code, f"/dev/fd/{number} cannot be written" in err) == (6, True), err
    with program.jobspec.open() as file:
        command = program.command("plan", program.jobspec, *REGION, "-o", f"/dev/fd/{file.fileno()}")
        done = given(program, command, pass_fds=[file.fileno()])
    assert (done.returncode, "it is open for reading only" in done.stderr) == (6, True)
    assert not program.state.exists()


# Devices, fifos, and what is neither these nor a file.


@each_command
def test_a_device_stays_one(past: Program, command: tuple[str, ...]) -> None:
    null = device(past.folder / "null", NULL)
    before = null.stat()
    link = past.folder / "link"
    link.symlink_to("null")
    for path in (null, link):
        assert past(*command, path).returncode == 0
        assert (null.stat().st_ino, null.stat().st_mode) == (before.st_ino, before.st_mode)
    assert link.is_symlink()
    assert parts_in(past.folder) == []


@each_command
def test_a_fifo_is_written_into(past: Program, command: tuple[str, ...]) -> None:
    """And whoever reads it already does not find its end before there is anything."""
    fifo = past.folder / "fifo"
    os.mkfifo(fifo)
    with read(fifo) as come:
        result = past(*command, fifo)
        assert result.returncode == 0, result.stderr
        got = come()
    assert got.startswith(b"PK") if command[0] == "export" else json.loads(got)
    assert fifo.is_fifo()


def test_a_device_that_is_full(program: Program) -> None:
    full = device(program.folder / "full", FULL)
    result = program("plan", program.jobspec, *REGION, "-o", full)
    assert result.returncode == 6
    assert "full cannot be written: No space left on device" in result.stderr
    assert full.is_char_device()


@pytest.mark.skipif(not IS_ROOT, reason="only root may make a device")
def test_disks_and_sockets_are_refused(program: Program) -> None:
    with TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listening:
        path = Path(short, "s")
        listening.bind(str(path))
        result = program("plan", program.jobspec, *REGION, "-o", path)
        assert (result.returncode, "it is a socket" in result.stderr) == (6, True)
        assert path.is_socket()
    disk = program.folder / "disk"
    os.mknod(disk, stat.S_IFBLK | 0o600, os.makedev(259, 255))
    result = program("plan", program.jobspec, *REGION, "-o", disk)
    assert (result.returncode, "it is a disk" in result.stderr) == (6, True)


@each_command
def test_no_journal_is_written_over(past: Program, command: tuple[str, ...]) -> None:
    before = (past.state / "journal.db").read_bytes()
    (past.folder / "link").symlink_to(past.state / "journal.db")
    for place in (past.state / "journal.db", "link"):
        result = past(*command, place)
        assert (result.returncode, "it is the journal of a state folder" in result.stderr) == (6, True)
    assert (past.state / "journal.db").read_bytes() == before


@each_command
def test_a_folder_is_no_file(past: Program, command: tuple[str, ...]) -> None:
    (past.folder / "folder").mkdir()
    result = past(*command, "folder")
    assert result.returncode == 2
    assert "is a directory" in result.stderr
    assert list((past.folder / "folder").iterdir()) == []


# Links.


@pytest.mark.parametrize("there", [True, False], ids=["old", "dangling"])
def test_links_are_followed_and_stay(program: Program, *, there: bool) -> None:
    """A relative one is from its own folder; one leads to another file system."""
    with TemporaryDirectory(dir="/dev/shm") as memory:
        target = Path(memory, "plan.json")
        if there:
            target.write_text(OLD)
        (program.folder / "folder").mkdir()
        (program.folder / "folder/second").symlink_to(target)
        (program.folder / "first").symlink_to("folder/second")
        assert program("plan", program.jobspec, *REGION, "-o", "first").returncode == 0
        assert planned(target.read_text())
        assert (program.folder / "first").is_symlink()
        assert (program.folder / "folder/second").is_symlink()
        assert [path.name for path in Path(memory).iterdir()] == ["plan.json"]


def test_links_in_a_circle_are_refused(program: Program) -> None:
    (program.folder / "a").symlink_to("b")
    (program.folder / "b").symlink_to("a")
    result = program("plan", program.jobspec, *REGION, "-o", "a")
    assert result.returncode == 6
    assert "Too many levels of symbolic links" in result.stderr


def test_all_names_of_a_file_show_the_same(program: Program) -> None:
    path, other = program.folder / "plan.json", program.folder / "other.json"
    path.write_text(OLD * 1000)
    other.hardlink_to(path)
    assert program("plan", program.jobspec, *REGION, "-o", path).returncode == 0
    assert path.samefile(other)
    assert planned(other.read_text())


# Modes and owners.


@process
@pytest.mark.parametrize(("umask", "mode"), [("022", 0o644), ("077", 0o600), ("027", 0o640), ("000", 0o666)])
def test_a_new_file_follows_the_umask_and_the_state_folder_is_for_its_owner(
    program: Program, umask: str, mode: int
) -> None:
    within = ("sh", "-c", f'umask {umask}; exec "$@"', "sh")
    for command in (COMMANDS["run"], COMMANDS["plan"], COMMANDS["report"], COMMANDS["export"]):
        path = program.folder / f"{command[0]}.out"
        code, _, err = ended(program.start(*command, path, within=within))
        assert code == 0, err
        assert stat.S_IMODE(path.stat().st_mode) == mode
    for command in (("run", "job.yaml", *SIMULATED), ("backup", "copy.db")):
        assert ended(program.start(*command, within=within))[0] == 0
    (report,) = (program.state / "reports").iterdir()
    for private in (report, program.state / "journal.db", program.folder / "copy.db"):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600


@each_command
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o604])
def test_an_existing_file_keeps_its_mode(past: Program, command: tuple[str, ...], mode: int) -> None:
    path = past.folder / "out"
    path.write_text(OLD)
    path.chmod(mode)
    assert past(*command, path).returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_bytes() != OLD.encode()
    assert parts_in(past.folder) == []


@pytest.mark.skipif(not IS_ROOT, reason="only root may give a file away")
def test_an_existing_file_keeps_its_owner(program: Program) -> None:
    path = program.folder / "plan.json"
    path.write_text(OLD)
    os.chown(path, 65_533, 65_532)
    path.chmod(0o640)
    assert program("plan", program.jobspec, *REGION, "-o", path).returncode == 0
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (65_533, 65_532, 0o640)
    assert planned(path.read_text())


@process
@pytest.mark.skipif(not IS_ROOT or not works(*NOT_GIVING), reason="needs a file of somebody else")
def test_a_file_whose_owner_cannot_be_kept_otherwise_is_written_into(program: Program) -> None:
    path = program.folder / "plan.json"
    path.write_text(OLD * 1000)
    os.chown(path, 65_533, 65_532)
    before = path.stat()
    code, _, err = ended(program.start("plan", program.jobspec, *REGION, "-o", path, within=NOT_GIVING))
    assert code == 0, err
    after = path.stat()
    assert (after.st_ino, after.st_uid, after.st_gid) == (before.st_ino, 65_533, 65_532)
    assert planned(path.read_text())
    assert parts_in(program.folder) == []


@process
@pytest.mark.skipif(IS_ROOT and not works(*POWERLESS), reason="root may write everywhere")
def test_folders_and_files_that_cannot_be_written(program: Program) -> None:
    within = POWERLESS if IS_ROOT else ()
    folder = program.folder / "folder"
    folder.mkdir()
    open_to_all, protected = folder / "open.json", folder / "protected.json"
    for path in (open_to_all, protected):
        path.write_text(OLD * 1000)
    protected.chmod(0o444)
    inode = open_to_all.stat().st_ino

    def plan_to(path: Path) -> tuple[int, str]:
        code, _, err = ended(program.start("plan", program.jobspec, *REGION, "-o", path, within=within))
        return code, err

    code, err = plan_to(protected)  # in a folder where another could take its place
    assert (code, "protected.json cannot be written: it is write-protected" in err) == (6, True)
    folder.chmod(0o555)
    try:
        assert plan_to(open_to_all)[0] == 0
        code, err = plan_to(folder / "new.json")
        assert (code, "new.json cannot be written: Permission denied" in err) == (6, True)
        code, err = plan_to(folder / "more" / "new.json")
        assert (code, "new.json cannot be written: Permission denied" in err) == (6, True)
    finally:
        folder.chmod(0o755)
    assert open_to_all.stat().st_ino == inode
    assert planned(open_to_all.read_text())
    assert protected.read_text() == OLD * 1000
    assert {path.name for path in folder.iterdir()} == {"open.json", "protected.json"}


@process
@pytest.mark.skipif(IS_ROOT and not works(*POWERLESS), reason="root may write everywhere")
def test_a_folder_that_may_be_written_and_not_listed(program: Program) -> None:
    folder = program.folder / "drop"
    folder.mkdir()
    folder.chmod(0o333)
    within = POWERLESS if IS_ROOT else ()
    assert ended(program.start("plan", program.jobspec, *REGION, "-o", folder / "plan.json", within=within))[0] == 0
    folder.chmod(0o755)
    assert planned((folder / "plan.json").read_text())
    assert parts_in(folder) == []


# Full disks and sudden ends.

# No file may be longer than that, and whoever writes more than that is either told or killed. To be started with -B: Python
# itself would leave half of a module that it compiles.
_LIMITED = """\
import resource, signal, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({longest}, {longest}))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
signal.signal(signal.SIGXFSZ, signal.{handler})
sys.argv[0] = "runner"
from runner.cli.main import main
main()
"""


def limited(
    program: Program, handler: str, *arguments: str | Path, longest: int = 2000
) -> subprocess.CompletedProcess[str]:
    code = _LIMITED.format(handler=handler, longest=longest)
    return given(program, [program.command()[0], "-B", "-c", code, *map(str, arguments)])


@process
@pytest.mark.parametrize("names", [1, 2])
@pytest.mark.parametrize("long", [True, False])
def test_a_full_disk_leaves_the_old_file_whole(program: Program, names: int, *, long: bool) -> None:
    path, old = program.folder / "plan.json", OLD * (1000 if long else 1)
    path.write_text(old)
    if names > 1:
        (program.folder / "other").hardlink_to(path)
    done = limited(program, "SIG_IGN", "plan", program.jobspec, *REGION, "-o", path)
    assert done.returncode == 6
    assert "plan.json cannot be written: File too large" in done.stderr
    assert path.read_text() == old
    assert parts_in(program.folder) == []


@process
@pytest.mark.parametrize("there", [True, False], ids=["old", "new"])
def test_who_is_killed_while_writing_leaves_the_old_file_whole_and_no_litter_for_long(
    program: Program, *, there: bool
) -> None:
    """By the kernel, which ends it as `kill -9` does: at once, in the middle of a write."""
    path = program.folder / "plan.json"
    if there:
        path.write_text(OLD)
    done = limited(program, "SIG_DFL", "plan", program.jobspec, *REGION, "-o", path)
    assert done.returncode < 0
    assert path.exists() == there
    assert not there or path.read_text() == OLD
    (left,) = parts_in(program.folder)
    assert (program.folder / left).stat().st_size == 2000
    assert program("plan", program.jobspec, *REGION, "-o", path).returncode == 0
    assert planned(path.read_text())
    assert parts_in(program.folder) == []


@process
def test_a_backup_that_is_killed_leaves_no_litter_for_long(past: Program) -> None:
    path = past.folder / "copy.db"
    assert limited(past, "SIG_DFL", "backup", path, longest=40_000).returncode < 0
    assert not path.exists()
    assert len(parts_in(past.folder)) == 1
    assert past("backup", path).returncode == 0
    assert parts_in(past.folder) == []


# Other file systems.

_MOUNTING = ("unshare", "--mount", "sh", "-ec")


@process
@pytest.mark.skipif(not works(*_MOUNTING, "true"), reason="nothing can be mounted here")
def test_a_file_that_is_mounted_is_written_into(program: Program) -> None:
    """As a container has a file of its host: nothing else can take its place."""
    outside, inside = program.folder / "outside.json", program.folder / "inside.json"
    outside.write_text(OLD * 1000)
    inside.touch()
    mount = f'mount --bind {outside} {inside}; exec "$@"'
    command = program.command("plan", program.jobspec, *REGION, "-o", inside)
    done = given(program, [*_MOUNTING, mount, "sh", *command])
    assert done.returncode == 0, done.stderr
    assert planned(outside.read_text())
    assert inside.read_text() == ""
    assert parts_in(program.folder) == []


@process
@pytest.mark.skipif(not works(*_MOUNTING, "true"), reason="nothing can be mounted here")
@pytest.mark.parametrize("names", [1, 2])
def test_a_disk_that_is_really_full_leaves_the_old_file_whole(program: Program, names: int) -> None:
    program.servers(500)
    disk = program.folder / "disk"
    disk.mkdir()
    link = "ln old.json other.json; " if names > 1 else ""
    script = (
        f"mount -t tmpfs -o size=32k tmpfs {disk}; cd {disk}; echo before > old.json; {link}cd ..; "
        f'"$@" || code=$?; ls -A {disk}; cat {disk}/old.json; exit $code'
    )
    command = program.command("plan", program.jobspec, *REGION, "-o", disk / "old.json")
    done = given(program, [*_MOUNTING, script, "sh", *command])
    assert done.returncode == 6
    assert "old.json cannot be written: No space left on device" in done.stderr
    assert done.stdout.split() == ["old.json", *["other.json"][: names - 1], "before"]


@process
@pytest.mark.skipif(not works(*_MOUNTING, "true"), reason="nothing can be mounted here")
def test_a_disk_that_can_only_be_read(program: Program) -> None:
    disk = program.folder / "disk"
    disk.mkdir()
    (program.folder / "link").symlink_to("disk/old.json")
    script = f'mount -t tmpfs tmpfs {disk}; echo before > {disk}/old.json; mount -o remount,ro {disk}; exec "$@"'
    for place in ("disk/old.json", "disk/new.json", "disk/new/new.json", "link"):
        done = given(
            program, [*_MOUNTING, script, "sh", *program.command("run", "job.yaml", *SIMULATED, "--report", place)]
        )
        assert (done.returncode, f"{place} cannot be written: " in done.stderr) == (6, True), done.stderr
    assert not program.state.exists()
