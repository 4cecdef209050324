"""Our signatures beside the official signer's and the simulator's own check, which share no code."""

from __future__ import annotations

from typing import Any

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.api.signing import RequestSigner, canonical_query
from runner.simulator.verifying import sign as simulators_own

PROJECT = "0123456789abcdef0123456789abcdef"
HOST = "modelarts.cn-north-4.myhuaweicloud.com"
PATH = f"/v1/{PROJECT}/dev-servers/jobs"
DATE = "20260101T000000Z"
FIXED = {"User-Agent": "ua", "Content-Type": "application/json;charset=utf-8", "X-Project-Id": PROJECT}


def ours(method: str, path: str, query: list[tuple[str, str]], headers: dict[str, str], body: bytes) -> str:
    signer = RequestSigner.of(
        ak="EXAMPLEAK",
        sk="EXAMPLESK",
        method=method,
        path=path,
        query=canonical_query(query),
        headers={**headers, "Host": HOST},
    )
    return signer.sign(DATE, body).rpartition("Signature=")[2]


def test_the_vector_of_a_create() -> None:
    expected = "bf95d81fb415c486336ec5162ea0497d2a90dc0a1119e6fd3cf648defc0bce42"
    assert ours("POST", PATH, [], FIXED, b'{"name": "a"}') == expected


def test_the_vector_of_a_list_with_a_security_token() -> None:
    expected = "12dc5fd836144b1a068166e787af3ceebe5be4e889a6a69df1cc22546c1928e1"
    headers = {**FIXED, "X-Security-Token": "tok"}
    assert ours("GET", PATH, [("name", "a b/c~d"), ("visible", "true")], headers, b"") == expected


segments = st.lists(
    st.text("abcXYZ019-._~ %/é", min_size=1, max_size=8).filter(lambda s: "/" not in s), min_size=1, max_size=3
)
words = st.text("abcXYZ019-._~ +/&=é", max_size=12)


@settings(max_examples=60)
@given(
    st.sampled_from(["GET", "POST", "DELETE"]),
    segments,
    st.dictionaries(words.filter(bool), words, max_size=3),
    st.binary(max_size=60),
)
def test_the_official_signer_says_the_same(method: str, path: list[str], query: dict[str, str], body: bytes) -> None:
    text = body.hex()
    place = "/" + "/".join(part.replace("%", "") for part in path)
    request = SdkRequest(
        method=method,
        schema="https",
        host=HOST,
        resource_path=place,
        query_params=list(query.items()),
        header_params={**FIXED, "X-Sdk-Date": DATE, "Host": HOST},
        body=text,
    )
    signed: Any = Signer(BasicCredentials("EXAMPLEAK", "EXAMPLESK", PROJECT)).sign(request)
    official = signed.header_params["Authorization"].rpartition("Signature=")[2]
    assert ours(method, place, list(query.items()), FIXED, text.encode()) == official


@given(st.sampled_from(["GET", "POST"]), st.dictionaries(words.filter(bool), words, max_size=3), st.binary(max_size=60))
def test_the_simulators_own_check_says_the_same(method: str, query: dict[str, str], body: bytes) -> None:
    headers = {name.lower(): value for name, value in {**FIXED, "Host": HOST, "X-Sdk-Date": DATE}.items()}
    pairs = list(query.items())
    assert ours(method, PATH, pairs, FIXED, body) == simulators_own(
        "EXAMPLESK", method, PATH, canonical_query(pairs), headers, body
    )
