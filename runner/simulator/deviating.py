"""Answers that break what the simulator assumes of the service: each switch of `Deviations`, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator.replies import SimulatedReply

if TYPE_CHECKING:
    from runner.model import JsonObject
    from runner.simulator.behaviour import Deviations

_CODE, _TEXT = "ModelArts.6102", "No resources."
_ERRORS: dict[str, JsonObject] = {
    "never": {},
    "error_code": {"error_code": _CODE, "error_msg": _TEXT},
    "errorCode": {"errorCode": _CODE, "errorMsg": _TEXT},
    "code": {"code": _CODE, "message": _TEXT},
    "ret_code": {"ret_code": _CODE, "ret_msg": _TEXT},
    "nested": {"result": {"error": {"code": _CODE, "message": _TEXT}}},
    "deep": {"a": {"b": [{"c": {"error": {"message": _TEXT}}}]}},
    "words": {"status": "failed", "message": _TEXT},
    "text": {"result": '{"error_code": "ModelArts.6102"}'},
    "listed": {"errors": [{"errorCode": _CODE, "errorMsg": _TEXT}]},
}


def stored_name(name: str, deviations: Deviations) -> str:
    """The name that a job has from then on, wherever it is shown or looked for."""
    match deviations.names:
        case "lower":
            return name.lower()
        case "upper":
            return name.upper()
        case "padded":
            return f" {name} "
        case "cut":
            return name[: deviations.name_length]
        case _:
            return name


def starts_at(offset: int, deviations: Deviations) -> int:
    """The row with which the page really begins that was asked for from `offset`."""
    shift = {"in_order": 0, "repeat": -1, "skip": 1}[deviations.pages]
    return offset + shift if offset else 0


def list_page(reply: SimulatedReply, deviations: Deviations) -> SimulatedReply:
    """The page as it is told."""
    body = dict(reply.body)
    if deviations.error_in_200 != "never":
        empty = {"current": 1, "pages": 0, "total": 0, "data": []}
        return SimulatedReply(200, body | empty | _ERRORS[deviations.error_in_200])
    rows: list[JsonObject] = [_row(row, deviations) for row in body["data"]]
    if deviations.rows == "some":
        rows = [row for row in rows if row["id"][0] in "01234567"]
    kept = {"all": len(rows), "none": 0, "fewer": max(0, len(rows) - 1), "some": len(rows)}[deviations.rows]
    body["data"] = rows[len(rows) - kept :]
    told: dict[str, JsonObject] = {
        "true": {},
        "of_page": {"total": kept, "pages": 1},
        "missing": {"total": None},
        "more": {"total": body["total"] + 1},
    }
    body |= told[deviations.total]
    return SimulatedReply(200, body)


def answer_to_create(detail: JsonObject, deviations: Deviations) -> JsonObject:
    """What a create is answered with, for the detail of the job that it is to show."""
    if deviations.create_answer == "another_name":
        return detail | {"name": "somebody-elses"}
    if deviations.create_answer == "no_name":
        return {key: value for key, value in detail.items() if key != "name"}
    if deviations.create_answer == "other_servers":
        return detail | {"tasks": [{"id": "t", "server_id": "somebody-elses", "status": "PROCESSING"}]}
    if deviations.create_answer == "unknown_id":
        return detail | {"id": "ffffffff-0000-0000-0000-000000000000"}
    return detail


def job_detail(detail: JsonObject, deviations: Deviations) -> JsonObject:
    """A job as it is read by its id."""
    if deviations.tasks == "one_more" and detail["tasks"]:
        return detail | {"tasks": [*detail["tasks"], detail["tasks"][0] | {"server_id": "somebody-elses"}]}
    return detail


def _row(row: JsonObject, deviations: Deviations) -> JsonObject:
    if deviations.row_names == "null":
        return row | {"name": None}
    return {key: value for key, value in row.items() if key != "name" or deviations.row_names == "shown"}
