"""The table of refusals, row by row."""

from __future__ import annotations

import pytest

from runner.api.answers import is_unauthenticated, read_answer, refusal
from runner.api.replies import Reply
from runner.rules.answers import Cause, ReadFailed

IN_DOUBT = None
ROWS: list[tuple[int, str | None, Cause | None]] = [
    (400, "ModelArts.0101", Cause.INVALID),
    (400, "ModelArts.0104", Cause.INVALID),
    (400, "ModelArts.0118", Cause.UNUSABLE),
    (400, "ModelArts.0204", Cause.UNUSABLE),
    (400, "ModelArts.0210", Cause.UNUSABLE),
    (400, "ModelArts.6306", Cause.BUSY),
    (400, "ModelArts.6308", Cause.BUSY),
    (400, "ModelArts.6355", Cause.BUSY),
    (400, "ModelArts.6357", Cause.BUSY),
    (400, "ModelArts.6404", Cause.INVALID),
    (400, None, Cause.INVALID),
    (401, "APIGW.0301", Cause.UNAUTHENTICATED),
    (401, "APIGW.0307", Cause.UNAUTHENTICATED),
    (401, "ModelArts.6201", Cause.UNUSABLE),
    (403, "ModelArts.0203", Cause.UNAUTHENTICATED),
    (403, "APIG.0301", Cause.UNAUTHENTICATED),
    (403, "APIGW.0302", Cause.UNUSABLE),
    (403, "ModelArts.0210", Cause.UNUSABLE),
    (403, None, Cause.UNUSABLE),
    (404, "APIGW.0101", Cause.UNUSABLE),
    (404, "APIG.0103", Cause.UNUSABLE),
    (404, "ModelArts.2786", Cause.UNUSABLE),
    (405, None, Cause.UNUSABLE),
    (408, "ModelArts.6100", IN_DOUBT),
    (499, None, IN_DOUBT),
    (407, None, Cause.UNUSABLE),
    (409, "ModelArts.2878", Cause.BUSY),
    (413, "ModelArts.4104", Cause.INVALID),
    (429, "APIGW.0308", Cause.THROTTLED),
    (429, "ModelArts.2799", Cause.THROTTLED),
    (500, "ModelArts.6102", IN_DOUBT),
    (501, None, Cause.UNUSABLE),
    (502, "APIGW.0610", IN_DOUBT),
    (503, "APIGW.0613", IN_DOUBT),
    (504, "APIGW.0201", IN_DOUBT),
    (204, None, IN_DOUBT),
    (302, None, IN_DOUBT),
]


@pytest.mark.parametrize(("status", "code", "cause"), ROWS)
def test_a_status_and_code_refuse_for_a_cause_or_leave_doubt(
    status: int, code: str | None, cause: Cause | None
) -> None:
    assert refusal(status, code, "") == cause


@pytest.mark.parametrize(
    ("message", "is_of_signature"),
    [
        ("Incorrect IAM authentication information: verify aksk signature fail", True),
        ("AK not exist", True),
        ("AK access failed to reach the limit,forbidden", True),
        ("Policy doesn't allow modelarts:devserver:create to be performed.", False),
        ("no permission", False),
    ],
)
def test_a_403_is_about_the_signature_where_it_says_so(message: str, is_of_signature: bool) -> None:
    assert refusal(403, None, message) is (Cause.UNAUTHENTICATED if is_of_signature else Cause.UNUSABLE)
    reply = Reply(403, {}, b'{"error_code": "X", "error_msg": "%b"}' % message.encode())
    assert is_unauthenticated(reply) is is_of_signature


@pytest.mark.parametrize(
    ("status", "code", "missing"),
    [
        (400, "ModelArts.6404", True),
        (404, "ModelArts.6404", True),
        (404, "APIGW.0101", False),
        (404, "ModelArts.2786", False),
        (400, "ModelArts.0104", False),
        (500, None, False),
    ],
)
def test_which_answers_say_that_there_is_no_such_job(status: int, code: str, missing: bool) -> None:
    body = b'{"error_code": "%b", "error_msg": "m"}' % (code or "").encode()
    read = read_answer(Reply(status, {}, body), bytes, str, 0.0)
    assert isinstance(read, ReadFailed)
    assert read.missing is missing
