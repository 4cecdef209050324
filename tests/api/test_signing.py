"""The signature against the official signer, and against two recorded vectors."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from huaweicloudsdkcore.sdk_request import SdkRequest  # type: ignore[import-untyped]  # it ships no types
from huaweicloudsdkcore.signer.signer import Signer  # type: ignore[import-untyped]  # it ships no types
from hypothesis import given
from hypothesis import strategies as st

from runner.api.signing import RequestSigner, canonical_path, canonical_query, sdk_date

PROJECT = "0123456789abcdef0123456789abcdef"
PATH = f"/v1/{PROJECT}/dev-servers/jobs"
DATE = "20260101T000000Z"
FIXED = {
    "Content-Type": "application/json;charset=utf-8",
    "Host": "modelarts.cn-north-4.myhuaweicloud.com",
    "User-Agent": "ua",
    "X-Project-Id": PROJECT,
}

texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)
segments = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
names = st.from_regex(r"X-[A-Za-z0-9]{1,8}", fullmatch=True)
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    path=st.lists(segments, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    query=st.dictionaries(texts.filter(bool), texts, max_size=4),
    extra=st.dictionaries(names.map(str.title), values, max_size=3),
    body=st.binary(max_size=200),
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
)
def test_any_request_is_signed_as_the_official_signer_does(
    method: str, path: str, query: dict[str, str], extra: dict[str, str], body: bytes, secret: str
) -> None:
    fixed = {**FIXED, **extra}
    request = SdkRequest(
        method=method,
        schema="https",
        host=fixed["Host"],
        resource_path=path,
        query_params=list(query.items()),
        header_params={**fixed, "X-Sdk-Date": DATE},
        body=body,
    )
    official = Signer(SimpleNamespace(ak="AK", sk=secret)).sign(request)
    wire_query = canonical_query(query.items())
    ours = RequestSigner.of(ak="AK", sk=secret, method=method, path=path, query=wire_query, headers=fixed)

    assert ours.sign(DATE, body) == official.header_params["Authorization"]
    assert official.uri == (f"{path}?{wire_query}" if wire_query else path)


@pytest.mark.parametrize(
    ("method", "query", "extra", "body", "signature"),
    [
        ("POST", {}, {}, b'{"name": "a"}', "bf95d81fb415c486336ec5162ea0497d2a90dc0a1119e6fd3cf648defc0bce42"),
        (
            "GET",
            {"visible": "true", "name": "a b/c~d"},
            {"X-Security-Token": "tok"},
            b"",
            "12dc5fd836144b1a068166e787af3ceebe5be4e889a6a69df1cc22546c1928e1",
        ),
    ],
)
def test_recorded_requests_are_signed_as_recorded(
    method: str, query: dict[str, str], extra: dict[str, str], body: bytes, signature: str
) -> None:
    signer = RequestSigner.of(
        ak="EXAMPLEAK",
        sk="EXAMPLESK",
        method=method,
        path=PATH,
        query=canonical_query(query.items()),
        headers={**FIXED, **extra},
    )
    assert signer.sign(DATE, body).endswith(f"Signature={signature}")


def test_the_query_sent_is_the_query_signed() -> None:
    assert canonical_query([("visible", "true"), ("name", "a b/c~d")]) == "name=a%20b%2Fc~d&visible=true"


def test_the_signed_path_ends_with_a_slash() -> None:
    assert canonical_path("/v1/a b") == canonical_path("/v1/a%20b") == "/v1/a%20b/"


def test_dates_are_utc_seconds() -> None:
    assert sdk_date(1767225600.9) == DATE


def test_the_secret_key_does_not_show() -> None:
    signer = RequestSigner.of(ak="AK", sk="hidden-secret", method="GET", path="/", query="", headers=FIXED)
    assert "hidden-secret" not in repr(signer) + str(signer) + signer.sign(DATE, b"")
