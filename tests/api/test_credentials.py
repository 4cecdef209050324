"""Where credentials are found, and that they stay out of sight."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from runner.api.credentials import expiry_warning, find_credentials
from runner.api.proofs import AccessKey, GivenToken, PasswordLogin
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
        find_credentials({"RUNNER_METADATA_ENDPOINT": ""}, tmp_path)
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


KEY = AccessKey("AKAKAK", "secret-1", "secret-2")


@pytest.mark.parametrize(
    "text",
    [
        "[basic]\nak = AKAKAK\nsk = secret-1\nsecurity_token = secret-2\n",
        "\ufeff[basic]\r\nak=AKAKAK\r\nsk=secret-1\r\nsecurity_token=secret-2\r\n",
        "[Basic]\nak: 'AKAKAK'\nsk: \"secret-1\"\nsecurity_token: 'secret-2'\n",
        '; mine\n[basic]\n; [global]\nak = AKAKAK ; of the robot\nsk = "secret-1" ; hidden\n# old\nsecurity_token = secret-2 # short\n',
        "[global]\nak = other\nsk = other\n[basic]\nAK = AKAKAK\nSK = secret-1\nSecurity_Token = secret-2\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_file_is_read_however_it_was_written(text: str, encoding: str, tmp_path: Path) -> None:
    write_file(tmp_path, "").write_bytes(text.encode(encoding))
    assert find_credentials({}, tmp_path).proof == KEY


@pytest.mark.parametrize("name", ["~/keys/mine", "keys/mine"])
def test_a_file_may_be_named_from_home(name: str, tmp_path: Path) -> None:
    write_file(tmp_path, "[basic]\nak = other\nsk = other\n")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "mine").write_text("[basic]\nak = AKAKAK\nsk = secret-1\nsecurity_token = secret-2\n")
    assert find_credentials({"HUAWEICLOUD_SDK_CREDENTIALS_FILE": name}, tmp_path).proof == KEY


def test_a_named_file_without_a_key_is_not_passed_over(tmp_path: Path) -> None:
    write_file(tmp_path, "[basic]\nak = other\nsk = other\n")
    (tmp_path / "mine").write_text("[global]\nak = a\nsk = b\n")
    with pytest.raises(ServiceUnusable, match="no access key in"):
        find_credentials({"HUAWEICLOUD_SDK_CREDENTIALS_FILE": "mine"}, tmp_path)


def koocli(home: Path, *profiles: dict[str, Any], current: str = "default") -> Path:
    path = home / ".hcloud" / "config.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\ufeff" + json.dumps({"current": current, "profiles": profiles}), encoding="utf-8")
    return path


IN_PROFILE = {"accessKeyId": "AKAKAK", "secretAccessKey": "secret-1", "securityToken": "secret-2"}
OTHER = {"name": "other", "mode": "AKSK", "accessKeyId": "other", "secretAccessKey": "other"}


def test_the_current_profile_of_koocli_is_read(tmp_path: Path) -> None:
    profile = {"name": "default", "mode": "AKSK", **IN_PROFILE, "region": "cn-north-9", "projectId": "p"}
    koocli(tmp_path, OTHER, profile)
    found = find_credentials({}, tmp_path)
    assert (found.proof, found.project_id, found.project_region) == (KEY, "p", "cn-north-9")
    assert "secret" not in repr(found)


def test_a_profile_may_be_named_and_its_file_be_elsewhere(tmp_path: Path) -> None:
    write_file(tmp_path, "[basic]\nak = other\nsk = other\n")
    path = koocli(tmp_path, OTHER, {"name": "mine", **IN_PROFILE}, current="other")
    assert find_credentials({"HW_PROFILE": "mine"}, tmp_path).proof == KEY
    moved = path.rename(tmp_path / "koocli")
    env = {"HW_SHARED_CONFIG_FILE": "~/koocli", "HW_PROFILE": "mine"}
    assert find_credentials(env, tmp_path).proof == KEY
    assert find_credentials({"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(moved)}, tmp_path).proof != KEY


def test_a_profile_of_a_single_sign_on_has_its_key_inside(tmp_path: Path) -> None:
    koocli(tmp_path, {"name": "default", "mode": "SSO", "ssoAuth": {"stsToken": IN_PROFILE}})
    assert find_credentials({}, tmp_path).proof == KEY


def test_the_csv_of_the_console_is_read(tmp_path: Path) -> None:
    text = '\ufeff"User Name","Access Key Id","Secret Access Key"\r\n"robot","AKAKAK","secret-1"\r\n'
    (tmp_path / "credentials.csv").write_text(text, encoding="utf-8", newline="")
    found = find_credentials({"HUAWEICLOUD_SDK_CREDENTIALS_FILE": "~/credentials.csv"}, tmp_path)
    assert found.proof == AccessKey("AKAKAK", "secret-1")


SECRET_LINE = "secret-key-of-somebody"
ENCRYPTED = {"accessKeyId": "c2VjcmV0+/==", "secretAccessKey": SECRET_LINE}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{SECRET_LINE}\n", "credentials:1"),
        (f"[basic]\nak = a\n{SECRET_LINE}\n", "credentials:3"),
        (f"[basic]\nsk = {SECRET_LINE}\nsk = {SECRET_LINE}\n", "credentials:3"),
        (f"[{SECRET_LINE}]\n[{SECRET_LINE}]\n", "credentials:2"),
        (f"[basic]\nak = a\nsk = secret-\n  {SECRET_LINE}\n", "sk in section"),
        (f"[basic]\nak = a\nsk = {SECRET_LINE} more\n", "sk in section"),
        (f"[basic]\nak = a\nsk = {SECRET_LINE}\u00a0x\n", "sk in section"),
        (f"[basic]\nak = a\nsk = b\nsecurity_token = {SECRET_LINE}\n {SECRET_LINE}", "security_token in section"),
        (f"[basic]\nsk = {SECRET_LINE}\n", "ak is not"),
        (f'{{"profiles": ["{SECRET_LINE}"', "credentials:1"),
        (f'{{"current": "{SECRET_LINE}", "profiles": "{SECRET_LINE}"}}', "has no profile"),
        (json.dumps({"current": "x", "profiles": [{"name": "x", **ENCRYPTED}]}), "encrypted"),
        (f'User Name,Access Key Id,Secret Access Key\nx,AK,"{SECRET_LINE}\n', "credentials"),
        (f"User Name,Access Key Id,Secret Access Key\nx,{SECRET_LINE}\n", "no whole line"),
        (f"User Name,Access Key Id,Secret Access Key\nx,AK,{SECRET_LINE}\ny,AK,{SECRET_LINE}\n", "several"),
        (SECRET_LINE * 100_000, "credentials"),
    ],
)
def test_no_error_quotes_what_is_in_a_file(text: str, says: str, tmp_path: Path) -> None:
    write_file(tmp_path, text)
    with pytest.raises(ServiceUnusable, match=says) as caught:
        find_credentials({}, tmp_path)
    said = "".join(traceback.format_exception(caught.value)) + str(caught.value) + repr(caught.value)
    assert SECRET_LINE not in said


def test_bytes_that_are_no_text_are_not_quoted(tmp_path: Path) -> None:
    write_file(tmp_path, "").write_bytes(b"[basic]\nsk = secret-\xe9")
    with pytest.raises(ServiceUnusable, match="not a credentials file") as caught:
        find_credentials({}, tmp_path)
    assert "secret-" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "env",
    [
        {"HW_AUTH_TOKEN": "secret-1\nsecret-2"},
        {"HUAWEICLOUD_SDK_AK": "ak", "HUAWEICLOUD_SDK_SK": "secret-1\r\nsecret-2"},
        {**SDK, "HUAWEICLOUD_SDK_SECURITY_TOKEN": "secret-1\nX-Evil: 1"},
        {"HW_ACCESS_KEY": "secret-\n1", "HW_SECRET_KEY": "x"},
    ],
)
def test_a_token_with_a_line_end_is_refused_by_name(env: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ServiceUnusable, match=r"HW|HUAWEICLOUD") as caught:
        find_credentials(env, tmp_path)
    assert "has a line end in it" in str(caught.value)
    assert "secret-" not in str(caught.value)


def test_a_region_s_project_is_not_taken_for_another_region(tmp_path: Path) -> None:
    profile = {"name": "default", **IN_PROFILE, "region": "cn-north-9", "projectId": "p"}
    koocli(tmp_path, profile)
    found = find_credentials({"HUAWEICLOUD_SDK_PROJECT_ID": "mine"}, tmp_path)
    assert (found.project_id, found.project_region) == ("mine", None)


HOUR = 3600.0
TEMPORARY = {**SDK, "HUAWEICLOUD_SDK_SECURITY_TOKEN": "secret-3"}


@pytest.mark.parametrize(
    ("env", "least_s", "named"),
    [
        (TEMPORARY, 2 * HOUR, "HUAWEICLOUD_SDK_AK"),
        (TEMPORARY, 0.5 * HOUR, ""),
        (SDK, 999 * HOUR, ""),
        ({"HW_AUTH_TOKEN": "secret-4"}, 25 * HOUR, "HW_AUTH_TOKEN"),
        ({"HW_AUTH_TOKEN": "secret-4"}, 23 * HOUR, ""),
        (USER, 999 * HOUR, ""),
        ({}, 999 * HOUR, ""),
    ],
)
def test_what_cannot_be_renewed_is_warned_of_if_the_plan_outlasts_it(
    env: dict[str, str], least_s: float, named: str, tmp_path: Path
) -> None:
    write_file(tmp_path, "[basic]\nak = AKAKAK\nsk = secret-1\nsecurity_token = secret-2\n")
    said = expiry_warning(find_credentials(env, tmp_path), least_s)
    assert named in said
    assert bool(said) is bool(named)
    assert "secret-" not in said
