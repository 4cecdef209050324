"""A run as JUnit XML: a suite for each wave, a case for each server.

What CI systems take is kept to: GitLab refuses files of 30 MB and more, ignores a second test of the same name
(docs.gitlab.com/ci/testing/unit_test_reports), takes 500,000 cases, and in version 17.6.1 took 250,000 elements
(gitlab-org/gitlab issue 507482). So a message is one short line, no output is kept, the id of a server is in the name of its
case, and where not all cases fit, some of servers that succeeded are left out and the suite says how many.
"""

from __future__ import annotations

import re
from itertools import accumulate, groupby
from typing import TYPE_CHECKING

from runner.plain import one_line
from runner.report.all_servers import BAD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.report.all_servers import ServerResult
    from runner.report.fold import RunReport

MOST_BYTES = 28_000_000
MOST_ELEMENTS = 240_000
"""Of the file, so that there is room for what is around the cases."""

_MARKUP = re.compile('[&<>"\ufffe\uffff]')
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\ufffe": "", "\uffff": ""}
_AT_ONCE = 500


def junit_pieces(
    report: RunReport, most_bytes: int = MOST_BYTES, most_elements: int = MOST_ELEMENTS
) -> Iterator[bytes]:
    """The document, piece by piece, in UTF-8."""
    run, servers = report.head["run"], report.servers()
    room = iter(range(_room(servers, most_bytes, most_elements)))
    took = f' time="{run["duration_s"]:.3f}"' if run["duration_s"] is not None else ""
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="{_text(run["campaign"])}"{took}>\n'.encode()
    for (wave, group), of_suite in _suites(servers):
        yield from _suite(run["started_at"], wave or group, of_suite, room)
    yield b"</testsuites>\n"


def _suites(servers: Sequence[ServerResult]) -> Iterator[tuple[tuple[str | None, str], list[ServerResult]]]:
    """Waves; groups where there are none."""

    def suite_of(server: ServerResult) -> tuple[str | None, str]:
        return server.wave, "" if server.wave is not None else server.group

    return ((key, list(found)) for key, found in groupby(servers, suite_of))


def _suite(started_at: str | None, name: str, servers: Sequence[ServerResult], room: Iterator[int]) -> Iterator[bytes]:
    shown = [server for server in servers if _kind(server) or next(room, None) is not None]
    at = f' timestamp="{started_at[:19]}"' if started_at else ""
    yield f'<testsuite name="{_text(name)}"{at} {_totals(shown)}>\n'.encode()
    if len(shown) < len(servers):
        left_out = f'<property name="succeeded_and_left_out" value="{len(servers) - len(shown)}"/>'
        yield f"<properties>{left_out}</properties>\n".encode()
    for start in range(0, len(shown), _AT_ONCE):
        yield "".join(map(_case, shown[start : start + _AT_ONCE])).encode()
    yield b"</testsuite>\n"


def _totals(servers: Sequence[ServerResult]) -> str:
    kinds = [_kind(server) for server in servers]
    counted = (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    return f'tests="{len(kinds)}" ' + " ".join(f'{name}="{kinds.count(kind)}"' for name, kind in counted)


def _kind(server: ServerResult) -> str:
    """What the case has in it: nothing for a server that succeeded."""
    if server.outcome == "succeeded":
        return ""
    if server.outcome in BAD and not server.at_work:
        return "error" if server.outcome == "unknown" else "failure"
    return "skipped"


def _case(server: ServerResult) -> str:
    kind = _kind(server)
    name = f"{server.name} ({server.id})" if server.name else server.id
    opening = f'<testcase name="{_text(name)}" classname="{_text(server.group)}.{_text(server.step)}"'
    if not kind:
        return opening + "/>\n"
    outcome = "at work" if server.at_work else server.outcome.replace("_", " ")
    message = f"{outcome}: {server.why}" if server.why else outcome
    type_ = "" if kind == "skipped" else f' type="{server.outcome}"'
    return f'{opening}><{kind}{type_} message="{_text(message)}"/></testcase>\n'


def _text(text: str) -> str:
    return _MARKUP.sub(lambda found: _ENTITIES[found[0]], one_line(text))


def _room(servers: Sequence[ServerResult], most_bytes: int, most_elements: int) -> int:
    """For how many cases of servers that succeeded there is room beside all others."""
    others = [_case(server) for server in servers if _kind(server)]
    left_bytes = most_bytes - sum(len(case.encode()) for case in others)
    left = most_elements - 2 * len(others)
    sizes = accumulate(len(_case(server).encode()) for server in servers if not _kind(server))
    return sum(place <= left and size <= left_bytes for place, size in enumerate(sizes, 1))
