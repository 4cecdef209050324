"""A run as metrics, in the text format of Prometheus 0.0.4, for a textfile collector: no label tells servers apart."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from runner.model import Outcome, RunState
from runner.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runner.model import JsonObject
    from runner.report.fold import RunReport

_PREFIX = "lite_server_runner_"
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_CAMPAIGN = "campaign"


class _Sample(NamedTuple):
    labels: dict[str, str]
    value: float


def prometheus_pieces(report: RunReport) -> Iterator[bytes]:
    """All metrics, as one piece. Each has the campaign as a label, so that files of several stand side by side."""
    yield "".join(_family(name, text, samples) for name, text, samples in _families(report.head)).encode()


def _families(head: JsonObject) -> Iterator[tuple[str, str, Iterable[_Sample]]]:
    run, of = head["run"], {"campaign": head["run"]["campaign"]}
    about = {"run": run["id"], "plan_hash": run["plan_hash"], "version": run["runner_version"] or ""}
    yield "run_info", "The newest run of a campaign.", [_Sample({**of, **about}, 1)]
    states = [_Sample({**of, "state": state.value}, run["state"] == state) for state in RunState]
    yield "run_state", "1 for the state of the run, 0 for all others.", states
    for name, text in (("started_at", "When the run began."), ("finished_at", "When the run ended.")):
        yield f"run_{name.removesuffix('_at')}_timestamp_seconds", text, _known(of, _epoch(run[name]))
    yield "run_duration_seconds", "How long the run took.", _known(of, run["duration_s"])
    yield "run_exit_code", "What the command ended with.", _known(of, run["exit_code"])
    yield "run_simulated", "Whether the service was a simulator.", [_Sample(of, run["simulated"])]
    yield "servers", "Servers by outcome; those at work count as unknown, too.", _outcomes(of, head)
    yield "servers_at_work", "Servers whose job is at work.", [_Sample(of, head["at_work"])]
    yield "servers_not_reached", "Servers that the run did not come to.", [_Sample(of, head["not_reached"])]
    yield "group_servers", "Servers of each group by outcome.", _parts(of, "group", head["groups"])
    yield "wave_servers", "Servers of each wave by outcome.", _parts(of, "wave", head["waves"])
    requests = [_Sample({**of, "state": name}, count) for name, count in head["requests"].items()]
    yield "requests", "Requests by what became of them.", requests
    throttling = head["throttling"]
    yield "throttled_answers", "How often the service throttled.", [_Sample(of, throttling["throttled_answers"])]
    yield "throttled_seconds", "How long submitting waited for that.", [_Sample(of, throttling["waited_s"])]
    yield from _limits(of, head)


def _limits(of: dict[str, str], head: JsonObject) -> Iterator[tuple[str, str, Iterable[_Sample]]]:
    """Those of the campaign only: there may be one for every rack."""
    limits = [limit for limit in (head["budget"] or {"limits": []})["limits"] if limit["scope"] == _CAMPAIGN]
    for key, text in (
        ("most", "What a limit of the campaign allows, in servers."),
        ("spent", "What is used of it for good."),
        ("peak", "The most that was ever used at once."),
    ):
        yield f"limit_{key}_servers", text, [_Sample({**of, "limit": limit["name"]}, limit[key]) for limit in limits]
    evidence = head["evidence"]
    yield (
        "evidence_nats",
        "What the sequential test has against the change.",
        _known(of, evidence and evidence["evidence"]),
    )
    yield "evidence_boundary_nats", "Where that is proof.", _known(of, evidence and evidence["boundary"])


def _outcomes(of: dict[str, str], part: JsonObject) -> Iterator[_Sample]:
    return (_Sample({**of, "outcome": outcome.value}, part["counts"][outcome]) for outcome in Outcome)


def _parts(of: dict[str, str], label: str, parts: Iterable[JsonObject]) -> Iterator[_Sample]:
    for part in parts:
        yield from _outcomes({**of, label: part["name"]}, part)


def _known(of: dict[str, str], value: float | None) -> list[_Sample]:
    return [] if value is None else [_Sample(of, value)]


def _epoch(at: str | None) -> float | None:
    return None if at is None else datetime.fromisoformat(at).timestamp()


def _family(name: str, text: str, samples: Iterable[_Sample]) -> str:
    lines = [f"{_PREFIX}{name}{{{_labels(sample)}}} {float(sample.value)!r}\n" for sample in samples]
    head = f"# HELP {_PREFIX}{name} {text}\n# TYPE {_PREFIX}{name} gauge\n"
    return head + "".join(lines) if lines else ""


def _labels(sample: _Sample) -> str:
    return ",".join(f'{label}="{one_line(value).translate(_ESCAPES)}"' for label, value in sample.labels.items())
