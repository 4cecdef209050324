"""Endpoints from regions, and endpoints that are refused."""

from __future__ import annotations

import pytest

from runner.api.endpoints import checked_endpoint, checked_project, iam_endpoint, lane_endpoint, region_advice
from runner.errors import InvalidInput, ServiceUnusable

OVERRIDE = {"HUAWEICLOUD_SDK_REGION_MODELARTS_CN_NORTH_9": "https://one.test/, https://two.test"}


@pytest.mark.parametrize(
    ("region", "given", "env", "endpoint"),
    [
        ("cn-north-9", None, {}, "https://modelarts.cn-north-9.myhuaweicloud.com"),
        ("xx-new-1", None, {}, "https://modelarts.xx-new-1.myhuaweicloud.com"),
        ("cn-north-9", None, OVERRIDE, "https://one.test"),
        ("cn-north-9", "https://mine.test/", OVERRIDE, "https://mine.test"),
        (None, "http://127.0.0.1:8080", {}, "http://127.0.0.1:8080"),
        (None, "http://[::1]:8080", {}, "http://[::1]:8080"),
    ],
)
def test_the_endpoint_of_a_lane(region: str | None, given: str | None, env: dict[str, str], endpoint: str) -> None:
    assert lane_endpoint(region, given, env) == endpoint


@pytest.mark.parametrize(
    ("region", "given"),
    [(None, None), ("cn_north", None), ("evil.test/#-1", None), (None, "mine.test"), (None, "ftp://mine.test"),
     (None, "https://h.test/?q=1"), (None, "https://h.test:port")],
)  # fmt: skip
def test_what_cannot_be_an_endpoint_is_bad_input(region: str | None, given: str | None) -> None:
    with pytest.raises(InvalidInput):
        lane_endpoint(region, given, {})


def test_a_password_in_an_endpoint_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidInput) as caught:
        checked_endpoint("https://user:hidden@h.test")
    assert "hidden" not in str(caught.value)


def test_credentials_do_not_cross_the_network_in_clear() -> None:
    with pytest.raises(ServiceUnusable, match="unencrypted"):
        checked_endpoint("http://modelarts.test")


@pytest.mark.parametrize("project", ["", "a/b", "..", "a b", "x" * 65])
def test_what_cannot_be_a_project_is_bad_input(project: str) -> None:
    with pytest.raises(InvalidInput):
        checked_project(project)


@pytest.mark.parametrize(
    ("region", "given", "endpoint"),
    [
        ("cn-north-9", None, "https://iam.cn-north-9.myhuaweicloud.com"),
        ("xx-new-1", None, "https://iam.myhuaweicloud.com"),
        (None, "https://iam.test/", "https://iam.test"),
    ],
)
def test_the_endpoint_of_iam(region: str | None, given: str | None, endpoint: str) -> None:
    assert iam_endpoint(region, given) == endpoint


def test_a_mistyped_region_gets_advice() -> None:
    assert "cn-north-9" in region_advice("modelarts.cn-nroth-9.myhuaweicloud.com")
    assert region_advice("modelarts.cn-north-9.myhuaweicloud.com") == ""
