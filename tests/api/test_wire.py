"""Answers of the service, in every form they are known to take."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.wire import UnreadableAnswer, read_job, read_listed, read_page, read_time
from runner.model import JobPage, JobRow, ListedPage

MOMENT = 1755005748.0
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.sampled_from(["", "FINISHED", "12", "1755005748201", "2025-08-12", "\u00b2", "9" * 400, "\x1b[2J"])
json_values = scalars | texts | st.lists(scalars, max_size=2) | st.dictionaries(texts, scalars, max_size=2)
FIELDS = ["name", "type", "status", "abnormal_count", "template_id", "user_name", "create_at", "update_at", "tasks"]
TASK_FIELDS = ["id", "server_id", "server_name", "status", "message", "create_at", "update_at", "cloud_server"]


def job_with(**fields: object) -> bytes:
    return orjson.dumps({"id": "job-1", **fields})


@pytest.mark.parametrize(
    "told",
    [1755005748000, "1755005748000", "2025-08-12T13:35:48Z", "2025-08-12T15:35:48+02:00", "2025-08-12 13:35:48.000000"],
)
def test_a_time_is_understood_in_each_form(told: object) -> None:
    assert read_job(job_with(create_at=told), str).created_at == MOMENT


@pytest.mark.parametrize("told", [None, True, "", "soon", -1, 10**30, "9" * 40, [], {}])
def test_a_time_that_makes_no_sense_is_no_time(told: object) -> None:
    assert read_time(told) is None


def test_unknown_statuses_fields_and_rewritten_types_pass() -> None:
    job = read_job(job_with(status="PONDERING", type="ASCEND_SOFTWARE_UPGRADE", brand_new=[1]), str)
    assert (job.status, job.service_type) == ("PONDERING", "ASCEND_SOFTWARE_UPGRADE")


@pytest.mark.parametrize("tasks", [None, [], {}, "none"])
def test_a_job_may_have_no_tasks_yet(tasks: object) -> None:
    assert read_job(job_with(tasks=tasks), str).tasks == ()


def test_a_task_keeps_what_the_service_says_but_for_secrets() -> None:
    row = {"id": "t", "server_id": "s", "message": "token abc", "cloud_server": {"id": "c", "n": 1, "x": None}}
    (task,) = read_job(job_with(tasks=[row]), lambda text: text.replace("abc", "***")).tasks
    assert task.message == "token ***"
    assert task.cloud_server == {"id": "c", "n": "1"}


def test_a_task_without_its_server_is_left_out() -> None:
    job = read_job(job_with(tasks=[{"id": "t"}, 7, {"server_id": "s"}]), str)
    assert [task.server_id for task in job.tasks] == ["s"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"<html>",
        b"{}",
        b'{"id": null}',
        b'{"id": ""}',
        b'{"id": 7}',
        b'{"id": ".."}',
        b'{"id": "job", "error_code": "ModelArts.0010"}',
    ],
)
def test_what_is_not_a_job_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        read_job(body, str)


@given(
    st.dictionaries(st.sampled_from(FIELDS), json_values), st.dictionaries(st.sampled_from(TASK_FIELDS), json_values)
)
def test_optional_fields_may_hold_anything(fields: dict[str, object], task: dict[str, object]) -> None:
    job = read_job(job_with(**{**fields, "tasks": [task]}), str)
    assert job.job_id == "job-1"
    assert len(job.tasks) <= 1


def test_a_page_gives_its_rows_and_the_total() -> None:
    body = orjson.dumps({"total": "12", "data": [{"id": "a", "name": "n", "status": "ACTIVE", "create_at": None}]})
    assert read_page(body) == JobPage((JobRow("a", "n", "ACTIVE", None),), 12)


@pytest.mark.parametrize("body", [b"{}", b'{"data": null}', b'{"data": {}}', b'{"data": null, "total": 3}'])
def test_a_page_that_lost_its_rows_is_not_an_empty_page(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        read_page(body)


ERRORS = [
    {"error_code": "ModelArts.6102"},
    {"errorCode": "ModelArts.6102", "errorMsg": "no resources"},
    {"code": "ModelArts.6102", "message": "no resources"},
    {"code": 500},
    {"ERROR_CODE": "ModelArts.6102"},
    {"err_code": "ModelArts.6102"},
    {"error": "no resources"},
    {"error": {"code": "ModelArts.6102"}},
    {"result": {"error": {"message": "no resources", "error-code": "ModelArts.6102"}}},
    {"errors": [{"errorCode": "ModelArts.6102"}]},
    {"success": False},
    {"success": "false"},
    {"is_success": False},
    {"retCode": 500},
    {"errors": ["no resources"]},
    {"error": {"message": "no resources"}},
    {"a": {"b": [{"c": {"error_code": "ModelArts.6102"}}]}},
]
NO_ERRORS = [
    {"error_code": None},
    {"error_code": "", "error_msg": ""},
    {"error_code": "0", "error_msg": None},
    {"code": 0, "message": "ok"},
    {"code": "200"},
    {"success": True},
    {"error": None, "errors": []},
    {"error": {"code": "0", "message": "ok"}},
    {"retCode": "0"},
]
# Of a page without rows: errors in spellings of their own, and what is about the page.
SAID: dict[str, dict[str, object]] = {
    "note": {"message": "internal error"},
    "state": {"status": 500},
    "words": {"status": "failed"},
    "text": {"result": '{"error_code": "ModelArts.6102"}'},
    "a count": {"failed": 1},
    "another alphabet": {"\u9519\u8bef": "\u5931\u8d25"},
}
NOTHING_SAID = [
    {"message": "success", "status": 200, "failed": 0, "note": None, "is_success": True},
    {"request_id": "1f", "limit": 1000, "has_more": False, "next_marker": "x", "timestamp": 1755005748201},
]


@pytest.mark.parametrize("error", ERRORS)
def test_an_answer_that_carries_an_error_is_neither_a_job_nor_a_page(error: dict[str, object]) -> None:
    with pytest.raises(UnreadableAnswer, match="it carries the error"):
        read_job(job_with(**error), str)
    with pytest.raises(UnreadableAnswer, match="it carries the error"):
        read_page(orjson.dumps({"total": 0, "data": [], **error}))


@pytest.mark.parametrize("fields", NO_ERRORS)
def test_one_that_says_there_is_no_error_is(fields: dict[str, object]) -> None:
    assert read_job(job_with(**fields), str).job_id == "job-1"
    assert read_page(orjson.dumps({"total": 0, "data": [], **fields})) == JobPage((), 0)


@pytest.mark.parametrize("error", ERRORS)
def test_what_jobs_do_and_tasks_say_is_no_error_of_the_answer(error: dict[str, object]) -> None:
    task = {"server_id": "s", **error}
    assert read_job(job_with(items=[{"type": "X", "spec": error}], tasks=[task]), str).tasks
    assert read_page(orjson.dumps({"total": 1, "data": [{"id": "a", "name": "n", **error}]})).rows


@pytest.mark.parametrize("what", SAID)
def test_what_a_page_says_instead_of_rows_is_kept(what: str) -> None:
    page = read_page(orjson.dumps({"total": 0, "data": [], **SAID[what]}))
    assert page.said


@pytest.mark.parametrize("fields", NOTHING_SAID)
def test_what_is_about_the_page_says_nothing(fields: dict[str, object]) -> None:
    assert read_page(orjson.dumps({"total": 0, "data": [], **fields})).said is None


def test_an_answer_may_be_nested_as_deep_as_json_goes() -> None:
    for depth in (900, 1_000, 1_020):
        deep = b'{"a":' * depth + b"1" + b"}" * depth
        assert read_job(b'{"id": "job-1", "extra": ' + deep + b"}", str).job_id == "job-1"
    with pytest.raises(UnreadableAnswer):
        read_job(b'{"id": "job-1", "extra": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", str)


@pytest.mark.parametrize("letters", [b"\\ud800", b"\\udfff\\ud800", b"\xff\xfe", b"\xe4\xb8", b"\xc4\xe3\xba\xc3"])
def test_letters_that_are_none_hide_nothing_else(letters: bytes) -> None:
    row = b'{"server_id": "s", "status": "SUCCESS", "message": "cut ' + letters + b'"}'
    job = read_job(b'{"id": "job-1", "abnormal_count": NaN, "tasks": [' + row + b"]}", str)
    assert [(task.server_id, task.status) for task in job.tasks] == [("s", "SUCCESS")]
    assert job.tasks[0].message is not None
    assert job.tasks[0].message.startswith("cut ")
    orjson.dumps(job)


def test_a_page_tells_where_it_stands() -> None:
    body = orjson.dumps({"total": 12, "current": 2, "pages": "3", "size": 5, "data": []})
    assert read_page(body) == JobPage((), 12, current=2, pages=3, size=5)


def test_one_unreadable_row_spoils_the_page() -> None:
    with pytest.raises(UnreadableAnswer):
        read_page(b'{"total": 2, "data": [{"id": "a"}, {"name": "without an id"}]}')


def test_a_list_gives_its_rows_as_they_are() -> None:
    body = b'{"current": 1, "pages": 2, "size": 1, "total": 2, "data": [{"id": "a", "odd": [null], "error": "no"}]}'
    rows = ({"id": "a", "odd": [None], "error": "no"},)
    assert read_listed(body, "servers", "id") == ListedPage(rows, 2, current=1, pages=2, size=1)


@pytest.mark.parametrize("row", [None, 7, [], {}, {"id": None}, {"id": 7}, {"id": ""}, {"id": "x" * 300}])
def test_a_row_by_which_nothing_is_known_spoils_the_list(row: object) -> None:
    with pytest.raises(UnreadableAnswer, match="no usable `id`"):
        read_listed(orjson.dumps({"total": 2, "data": [{"id": "a"}, row]}), "servers", "id")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"data": null}', b'{"total": 3}', b'{"total": 0, "data": [], "error_code": "E"}']
)
def test_what_is_no_list_is_not_an_empty_one(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        read_listed(body, "servers", "id")
