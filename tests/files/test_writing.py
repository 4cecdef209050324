"""Writing files: what several writers, odd folders and odd streams come to."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runner.files.places import FileNotWritten
from runner.files.temporary import temporary_beside
from runner.files.writing import check, is_stdout, is_stream, write

LONG = 200_000


def content(letter: str) -> bytes:
    return letter.encode() * LONG


def test_many_writers_at_once_leave_the_whole_of_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    letters = "abcdefgh"

    def write_often(letter: str) -> None:
        for _ in range(10):
            write(path, content(letter))
            check(path)
            assert len(set(path.read_bytes())) == 1

    with ThreadPoolExecutor(len(letters)) as pool:
        list(pool.map(write_often, letters))
    assert path.read_bytes() in map(content, letters)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_somebody_writes_now_is_not_taken_for_one_that_was_left(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    with temporary_beside(path, 0o600) as mine:
        write(path, b"theirs")
        assert mine.path.exists()
        os.write(mine.descriptor, b"mine")
        mine.path.replace(path)
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("left", [".report.json.0.part", ".report.json.17.part"])
def test_what_was_left_is_removed_whatever_its_number(tmp_path: Path, left: str) -> None:
    (tmp_path / left).write_text("half of a rep")
    write(tmp_path / "report.json", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize(
    "name", [".other.json.0.part", ".report.json.part", ".report.json.x.part", "report.json.0.part"]
)
def test_files_of_others_are_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    write(tmp_path / "report.json", b"whole")
    assert (tmp_path / name).read_text() == "mine"


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    """As anybody could make it in a folder that all may write to."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".report.json.0.part").symlink_to(victim)
    write(tmp_path / "report.json", b"whole")
    assert (victim.read_text(), (tmp_path / "report.json").read_bytes()) == ("mine", b"whole")


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "😀" * 63, "[a-z]*.json", "new\nline"])
def test_names_of_all_kinds(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    check(path)
    write(path, b"first")
    write(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_folders_are_made_when_the_file_is(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "report.json"
    check(path)
    assert list(tmp_path.iterdir()) == []
    write(path, b"whole")
    assert path.read_bytes() == b"whole"


def test_attributes_of_a_file_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    try:
        os.setxattr(path, "user.kept", b"yes")
    except (AttributeError, OSError):
        pytest.skip("this file system has no attributes")
    before = path.stat().st_ino
    write(path, b"new")
    assert path.stat().st_ino != before
    assert os.getxattr(path, "user.kept") == b"yes"


@pytest.mark.parametrize("size", [0, 1, LONG, 3 * LONG])
def test_a_file_of_several_names_has_the_new_length(tmp_path: Path, size: int) -> None:
    path, other = tmp_path / "report.json", tmp_path / "other"
    path.write_bytes(content("o"))
    other.hardlink_to(path)
    write(path, b"n" * size)
    assert other.read_bytes() == b"n" * size


def test_what_is_private_is_so_from_the_start_and_stays_as_it_was_made(tmp_path: Path) -> None:
    private, opened = tmp_path / "private", tmp_path / "opened"
    opened.touch(0o644)
    for path in (private, opened):
        write(path, b"new", private=True)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (private, opened)] == [0o600, 0o644]


def test_a_fifo_that_nobody_reads_is_given_up(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    check(fifo)
    with pytest.raises(FileNotWritten, match="fifo cannot be written: nobody reads it"):
        write(fifo, b"new", reader_s=0.0)
    assert fifo.is_fifo()
    assert not [thread for thread in threading.enumerate() if thread.name == "fifo"]


@pytest.fixture
def slow_pipe() -> Iterator[tuple[int, int]]:
    """The ends of a pipe that a shell gives us; it is to answer at once, not to wait, whatever is full."""
    out, into = os.pipe()
    os.set_inheritable(into, True)
    fcntl.fcntl(into, fcntl.F_SETFL, fcntl.fcntl(into, fcntl.F_GETFL) | os.O_NONBLOCK)
    yield out, into
    os.close(into)


def test_a_pipe_that_is_full_is_waited_for(slow_pipe: tuple[int, int]) -> None:
    out, into = slow_pipe
    got: list[bytes] = []

    def read() -> None:
        with os.fdopen(out, "rb") as reader:
            while len(b"".join(got)) < LONG:
                got.append(reader.read1())

    thread = threading.Thread(target=read)
    thread.start()
    write(Path(f"/dev/fd/{into}"), content("a"))
    thread.join()
    assert b"".join(got) == content("a")


def test_descriptors_of_the_program_itself_are_none_of_its_users(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w") as file, pytest.raises(FileNotWritten, match="it is closed"):
        check(Path(f"/dev/fd/{file.fileno()}"))


def test_what_is_standard_output(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/stdout")
    named = [Path("-"), Path("/dev/stdout"), Path("/dev/fd/1"), Path(f"/proc/{os.getpid()}/fd/1"), tmp_path / "link"]
    assert all(map(is_stdout, named))
    others = [None, Path("/dev/fd/2"), Path("/dev/null"), tmp_path, tmp_path / "-", tmp_path / "1"]
    assert not any(map(is_stdout, others))


def test_what_is_a_stream(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    streams = {name for name in ("dangling", "fifo", "file", "new") if is_stream(tmp_path / name)}
    assert streams == {"fifo"}
    assert is_stream(Path("/dev/null"))
    assert not is_stream(tmp_path)
