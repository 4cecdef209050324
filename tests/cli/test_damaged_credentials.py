"""Nothing of a secret is said, logged or kept, however its place is damaged, and whoever asks for it."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.credentials import find_credentials
from runner.errors import ServiceUnusable
from tests.cli.conftest import Program
from tests.cli.rollouts import with_rollout
from tests.cli.serving import StartSimulator

SECRET = "Zq7Xw2Vn5Kt8Rb3Ly6"
PIECES = [SECRET[start : start + 6] for start in range(len(SECRET) - 5)]
NOT_UTF8, LINE_END, CLIPBOARD = "\udcff", "\nX-Evil: 1", "\x1b]52;c;cm0gLXJmIC8=\x07"


def tells_nothing(*texts: str | bytes) -> None:
    for text in texts:
        said = text.decode("latin-1") if isinstance(text, bytes) else text
        assert [piece for piece in PIECES if piece in said] == []
        assert "Traceback" not in said


# Files, in each of the forms, with something cut, put in, doubled or turned around.
FORMS = [
    f"[basic]\nak = AKAKAK\nsk = {SECRET}\nsecurity_token = {SECRET}\n",
    f"; mine\n[basic]\nak: 'AKAKAK'\nsk: \"{SECRET}\" ; hidden\n[global]\nsk = {SECRET}\n",
    json.dumps({"current": "x", "profiles": [{"name": "x", "accessKeyId": "AK", "secretAccessKey": SECRET}]}, indent=1),
    f'"User Name","Access Key Id","Secret Access Key"\n"robot","AKAKAK","{SECRET}"\n',
    f"{SECRET}\n",
]
PUT_IN = [
    b"",
    b"\n",
    b"\n ",
    b"\r",
    b"\0",
    b"\xff",
    b'"',
    b"'",
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b"=",
    b"%",
    b";",
    b"\x1b[2J",
    b"\xef\xbb\xbf",
]
edits = st.tuples(st.floats(0, 1), st.integers(0, 12), st.integers(0, 2), st.sampled_from(PUT_IN))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    text = draw(st.sampled_from(FORMS))
    content = text.encode(draw(st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-8-sig"])))
    for share, length, times, put_in in draw(st.lists(edits, min_size=1, max_size=4)):
        place = int(share * len(content))
        content = content[:place] + put_in + content[place : place + length] * times + content[place + length :]
    return content


@given(damaged())
def test_a_damaged_file_gives_a_key_or_an_error_that_quotes_nothing(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "credentials"
        path.write_bytes(content)
        try:
            found = find_credentials({"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(path)}, Path(folder))
        except ServiceUnusable as error:
            tells_nothing(f"{error} {error!r} {error.hint}", *traceback.format_exception(error)[1:])
        else:
            tells_nothing(f"{found} {found!r} {found.proof!r}")


@pytest.fixture
def asked(program: Program, simulator: StartSimulator) -> Iterator[Callable[..., CompletedProcess[str]]]:
    """Gives commands for a run that waits for a person; after each, nothing of the secret is anywhere."""
    with_rollout(program, "waves: [{name: w, groups: [canary], approve: true}, {name: rest}]")
    url = simulator()
    ran = program("run", program.jobspec, "--endpoint", url, "--no-wait-for-person")
    assert ran.returncode == 5, ran.stderr
    for name in ("AK", "SK"):
        del program.env[f"HUAWEICLOUD_SDK_{name}"]

    def ask(*arguments: str) -> CompletedProcess[str]:
        where = ("--endpoint", url) if arguments[0] == "run" else ()
        result = program(*arguments, *where)
        tells_nothing(result.stdout, result.stderr)
        return result

    yield ask
    tells_nothing(*(path.read_bytes() for path in program.state.rglob("*") if path.is_file()))


COMMANDS = [
    ("run", "job.yaml"),
    ("run", "job.yaml", "--log-format", "json", "-v"),
    ("resume", "last", "--log-format", "console", "-v"),
    ("retry", "last", "--only", "not_started"),
]


@pytest.mark.parametrize(
    "text",
    [
        f"{SECRET}\n",
        f"[basic]\nak = a\n{SECRET}\n",
        f"[basic]\nak = a\nsk = {SECRET}\n  {SECRET}\n",
        f"[basic]\nak = a\nsk = {SECRET}{CLIPBOARD}\n",
        f"[basic]\nsk = {SECRET}\n",
        f'{{"profiles": ["{SECRET}"',
        f"User Name,Access Key Id,Secret Access Key\nx,{SECRET}\n",
    ],
)
def test_at_no_command_a_line_of_a_damaged_file_is_said(
    asked: Callable[..., CompletedProcess[str]], program: Program, text: str
) -> None:
    (program.folder / "mine").write_text(text)
    program.env["HUAWEICLOUD_SDK_CREDENTIALS_FILE"] = "mine"
    for command in COMMANDS:
        result = asked(*command)
        assert (result.returncode, "mine" in result.stderr) == (7, True), result.stderr
    for command in (
        ("plan", "job.yaml", "--region", "r-1"),
        ("validate", "job.yaml", "--region", "r-1"),
        ("show", "last"),
    ):
        assert asked(*command).returncode == 0


KEY = {"HUAWEICLOUD_SDK_AK": "AKAKAK", "HUAWEICLOUD_SDK_SK": SECRET}
USER = {
    "HW_USER_NAME": "user",
    "HW_USER_PASSWORD": SECRET,
    "HW_DOMAIN_NAME": "account",
    "HW_AUTH_URL": "http://127.0.0.1:1",
}
OIDC = {
    "HUAWEICLOUD_OIDC_AGENCY_URN": "urn", "HUAWEICLOUD_OIDC_PROVIDER_URN": "urn", "HUAWEICLOUD_OIDC_ID_TOKEN": SECRET,
    "HUAWEICLOUD_SDK_STS_ENDPOINT": "http://127.0.0.1:1", "HUAWEICLOUD_OIDC_POLICY": "{}",
}  # fmt: skip
# In whose value something is that no text, or no header, may have.
DAMAGED = [
    *((KEY, name, end) for name in KEY for end in (NOT_UTF8, LINE_END, CLIPBOARD)),
    *(({**KEY, "HUAWEICLOUD_SDK_SECURITY_TOKEN": SECRET}, "HUAWEICLOUD_SDK_SECURITY_TOKEN", end) for end in (NOT_UTF8, LINE_END)),
    *(({"HW_AUTH_TOKEN": SECRET}, "HW_AUTH_TOKEN", end) for end in (NOT_UTF8, LINE_END, CLIPBOARD)),
    *((USER, name, NOT_UTF8) for name in ("HW_USER_NAME", "HW_USER_PASSWORD", "HW_DOMAIN_NAME", "HW_AUTH_URL")),
    *((OIDC, name, NOT_UTF8) for name in OIDC),
    (OIDC, "HUAWEICLOUD_OIDC_ID_TOKEN", LINE_END),
    ({**KEY, "HTTPS_PROXY": f"http://user:{SECRET}@127.0.0.1:1"}, "HTTPS_PROXY", NOT_UTF8),
    ({**KEY, "HTTPS_PROXY": f"http://user:{SECRET}"}, "HTTPS_PROXY", f"{NOT_UTF8}@127.0.0.1:1"),
    ({**OIDC, "HUAWEICLOUD_OIDC_DURATION_SECONDS": "9"}, "HUAWEICLOUD_OIDC_DURATION_SECONDS", "9" * 5_000),
    ({**KEY, "HUAWEICLOUD_SDK_PROJECT_ID": "p"}, "HUAWEICLOUD_SDK_PROJECT_ID", NOT_UTF8),
]  # fmt: skip


@pytest.mark.parametrize(("env", "name", "end"), DAMAGED, ids=[f"{name}-{end[:8]!a}" for _, name, end in DAMAGED])
def test_a_variable_with_something_in_it_that_none_may_have_is_named_without_its_value(
    program: Program, env: dict[str, str], name: str, end: str
) -> None:
    for key in KEY:
        del program.env[key]
    program.env |= {**env, name: env[name] + end}
    result = program("run", program.jobspec, "--endpoint", "https://service.test", "--log-format", "json", "-v")
    assert (result.returncode, name in result.stderr) == (7, True), result.stderr
    tells_nothing(result.stdout, result.stderr)
    tells_nothing(*(path.read_bytes() for path in program.state.rglob("*") if path.is_file()))


@pytest.mark.parametrize(
    "content", [b"%s\n%s" % (SECRET.encode(), SECRET.encode()), SECRET.encode() + b"\xff", b" ", b"\xff"]
)
@pytest.mark.parametrize("who", [
    {"HUAWEICLOUD_SDK_IDP_ID": "idp", "HUAWEICLOUD_SDK_ID_TOKEN_FILE": "token", "HW_AUTH_URL": "http://127.0.0.1:1"},
    {**{name: value for name, value in OIDC.items() if "ID_TOKEN" not in name}, "HUAWEICLOUD_OIDC_TOKEN_FILE": "token"},
])  # fmt: skip
def test_a_damaged_token_file_is_named_without_what_is_in_it(
    program: Program, who: dict[str, str], content: bytes
) -> None:
    for key in KEY:
        del program.env[key]
    (program.folder / "token").write_bytes(content)
    program.env |= who
    result = program("run", program.jobspec, "--endpoint", "https://service.test")
    assert (result.returncode, f"{program.folder}/token" in result.stderr) == (7, True), result.stderr
    tells_nothing(result.stdout, result.stderr)


# Addresses with a password in them.
WITH_PASSWORD = [
    f"https://user:{SECRET}@service.test",
    f"https://user:{SECRET}/@service.test",
    f"user:{SECRET}@service.test",
]


@pytest.mark.parametrize("address", WITH_PASSWORD)
def test_an_address_with_a_password_is_refused_without_it(program: Program, address: str) -> None:
    for command in ("plan", "validate", "run"):
        result = program(command, "job.yaml", "--endpoint", address)
        assert (result.returncode, "--endpoint" in result.stderr) == (2, True), result.stderr
        tells_nothing(result.stdout, result.stderr)
    program.jobspec.write_text(
        program.jobspec.read_text().replace("project_id: p", f"project_id: p\n  endpoint: {address}")
    )
    result = program("plan", "job.yaml")
    assert (result.returncode, "job.yaml:6:13: lane.endpoint: the endpoint has a user" in result.stderr) == (2, True), (
        result.stderr
    )
    tells_nothing(result.stdout, result.stderr)


@pytest.mark.parametrize("variable", ["HW_AUTH_URL", "HUAWEICLOUD_SDK_IAM_ENDPOINT", "HUAWEICLOUD_SDK_STS_ENDPOINT",
                                      "RUNNER_METADATA_ENDPOINT", "HUAWEICLOUD_SDK_REGION_MODELARTS_CN_NORTH_9"])  # fmt: skip
@pytest.mark.parametrize("address", WITH_PASSWORD)
def test_so_is_one_of_a_variable(program: Program, variable: str, address: str) -> None:
    who = {"HW_AUTH_URL": USER, "HUAWEICLOUD_SDK_STS_ENDPOINT": OIDC, "RUNNER_METADATA_ENDPOINT": {}}
    for key in KEY:
        del program.env[key]
    program.env |= {**who.get(variable, KEY), variable: address}
    result = program("run", "job.yaml", "--region", "cn-north-9")
    assert result.returncode == 2, result.stderr
    tells_nothing(result.stdout, result.stderr)
