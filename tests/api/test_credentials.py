"""Where credentials are found, and that they stay out of sight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.api.credentials import AccessKey, GivenToken, PasswordLogin, find_credentials
from runner.errors import ServiceUnusable

if TYPE_CHECKING:
    from pathlib import Path

SDK = {"HUAWEICLOUD_SDK_AK": "ak", "HUAWEICLOUD_SDK_SK": "secret-1"}
USER = {"HW_USER_NAME": "user", "HW_USER_PASSWORD": "secret-2", "HW_DOMAIN_NAME": "account"}


def write_file(home: Path, text: str) -> Path:
    path = home / ".huaweicloud" / "credentials"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("env", "proof"),
    [
        (SDK, AccessKey("ak", "secret-1")),
        ({**SDK, "HUAWEICLOUD_SDK_SECURITY_TOKEN": "secret-3"}, AccessKey("ak", "secret-1", "secret-3")),
        ({"HW_ACCESS_KEY": "ak", "HW_SECRET_KEY": "secret-1"}, AccessKey("ak", "secret-1")),
        ({"HW_AUTH_TOKEN": " secret-4\n"}, GivenToken("secret-4")),
        (USER, PasswordLogin("user", "secret-2", domain_name="account")),
        ({**SDK, **USER, "HW_AUTH_TOKEN": "t"}, AccessKey("ak", "secret-1")),
        ({**USER, "HW_AUTH_TOKEN": "t"}, GivenToken("t")),
    ],
)
def test_the_environment_gives_credentials(env: dict[str, str], proof: object, tmp_path: Path) -> None:
    found = find_credentials(env, tmp_path)
    assert found.proof == proof
    assert "secret" not in f"{found} {found!r} {found.proof!s}"


@pytest.mark.parametrize("section", ["basic", "basiccredentials"])
def test_both_sections_of_the_file_are_read(section: str, tmp_path: Path) -> None:
    write_file(tmp_path, f"[{section}]\nak = ak\nsk = 50%off\nproject_id = p\niam_endpoint = https://iam.test\n")
    found = find_credentials({}, tmp_path)
    assert found.proof == AccessKey("ak", "50%off")
    assert (found.project_id, found.iam_endpoint) == ("p", "https://iam.test")


def test_the_file_may_be_elsewhere(tmp_path: Path) -> None:
    path = write_file(tmp_path, "[basic]\nak = ak\nsk = sk\n")
    found = find_credentials({"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(path)}, tmp_path / "no-home")
    assert found.proof == AccessKey("ak", "sk")


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"HUAWEICLOUD_SDK_AK": "ak"}, "HUAWEICLOUD_SDK_SK"),
        ({"HUAWEICLOUD_SDK_SK": "secret-1", **USER}, "HUAWEICLOUD_SDK_AK"),
        ({"HW_ACCESS_KEY": "ak", "HW_SECRET_KEY": ""}, "HW_SECRET_KEY"),
        ({"HW_USER_NAME": "user"}, "HW_USER_PASSWORD"),
        ({"HW_USER_NAME": "user", "HW_USER_PASSWORD": "secret-2"}, "HW_DOMAIN_NAME"),
    ],
)
def test_half_a_proof_is_named_and_not_skipped(env: dict[str, str], named: str, tmp_path: Path) -> None:
    with pytest.raises(ServiceUnusable, match=named) as caught:
        find_credentials(env, tmp_path)
    assert "secret-" not in str(caught.value)


def test_no_credentials_says_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ServiceUnusable, match="no credentials") as caught:
        find_credentials({}, tmp_path)
    assert str(tmp_path / ".huaweicloud" / "credentials") in str(caught.value)
    assert "HUAWEICLOUD_SDK_AK" in caught.value.hint


def test_a_damaged_file_is_named_without_its_contents(tmp_path: Path) -> None:
    write_file(tmp_path, "[basic]\nsecret-key-without-a-name\n")
    with pytest.raises(ServiceUnusable, match="credentials:2") as caught:
        find_credentials({}, tmp_path)
    assert "secret-key" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ServiceUnusable, match="No such file"):
        find_credentials({"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(tmp_path / "none")}, tmp_path)
