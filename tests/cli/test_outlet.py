"""What is shown never keeps a run waiting, and nothing of it is lost while somebody reads."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.cli.outlet import Outlet
from tests.waiting import eventually

LINE = "x" * 999 + "\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, io.TextIOWrapper]]:
    ours, theirs = os.pipe()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        yield ours, stream
    os.close(ours)


def shown(outlet: Outlet, text: str) -> None:
    outlet.write(text)
    outlet.flush()


def read_all(descriptor: int, total: int) -> bytes:
    read = b""
    while len(read) < total:
        read += os.read(descriptor, 65_536)
    return read


def test_all_is_shown_in_its_order_while_somebody_reads(pipe: tuple[int, io.TextIOWrapper]) -> None:
    ours, stream = pipe
    lines = [f"{number:09}\n" for number in range(900)]
    outlet = Outlet(stream)
    for line in lines:
        shown(outlet, line)
    assert read_all(ours, 10 * len(lines)).decode() == "".join(lines)
    eventually(lambda: not outlet.is_behind)
    assert outlet.missed == 0


def test_what_nobody_reads_is_left_out_and_counted(pipe: tuple[int, io.TextIOWrapper]) -> None:
    ours, stream = pipe
    outlet = Outlet(stream)
    for _ in range(5000):
        shown(outlet, LINE)
    missed = outlet.missed
    assert 3500 < missed < 4500
    reading = threading.Thread(target=read_all, args=(ours, (5000 - missed) * len(LINE)))
    reading.start()
    reading.join()
    eventually(lambda: not outlet.is_behind)
    shown(outlet, "again\n")
    assert os.read(ours, 100) == b"again\n"


def test_waiting_for_it_has_an_end(pipe: tuple[int, io.TextIOWrapper]) -> None:
    outlet = Outlet(pipe[1])
    for _ in range(200):
        shown(outlet, LINE)
    outlet.drain(0.05)
    assert outlet.is_behind


def test_a_failure_is_told_to_whoever_looks_or_writes_next() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        outlet = Outlet(full)
        shown(outlet, "gone\n")
        eventually(lambda: not outlet.is_behind)
        for ask in (outlet.check, outlet.flush):
            with pytest.raises(OSError, match="No space left"):
                ask()


def test_a_stream_in_memory_takes_everything_at_once() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    shown(Outlet(stream), "all\n")
    assert isinstance(stream.buffer, io.BytesIO)
    assert stream.buffer.getvalue() == b"all\n"
