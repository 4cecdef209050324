"""Telling somebody of a run, once: real programs, real HTTP on loopback, and no secret in what is said of a failure."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.app.sending import LocalSender
from runner.plan.hooks import PlannedHook
from runner.spec.secrets import redactor
from tests.app.receiver import receiving

SIGNAL = {"event": "end", "run_id": "r-1", "text": 'over: "all" ***secret.TOKEN***', "exit_code": 0, "wave": None} | {
    "counts": {"servers": 8}
}
TOKEN = "t0ken-t0ken"
HERE = {"PATH": os.environ["PATH"], "TOKEN": TOKEN, "HOME": "/home/me"}
TEXT = "***signal.text***"


def sent(hook: PlannedHook, env: Mapping[str, str] = HERE, **more: Any) -> str | None:
    """Why it did not arrive."""
    redact = redactor([value for name, value in env.items() if name in hook.secrets])
    return asyncio.run(LocalSender(redact, more.get("ca_bundle"), env=env).send(hook, SIGNAL))


def post(url: str, **more: Any) -> PlannedHook:
    return PlannedHook(("end",), post=url, timeout_s=more.pop("timeout_s", 30.0), **more)


def run(script: str, *env: str, timeout_s: float = 30.0) -> PlannedHook:
    return PlannedHook(("end",), command=("sh", "-c", script), env=env, timeout_s=timeout_s)


def test_the_signal_is_posted_as_it_is() -> None:
    with receiving() as receiver:
        assert sent(post(f"{receiver.url}/x?y=z")) is None
        (heard,) = receiver.heard
        assert heard.path == "/x?y=z"
        assert json.loads(heard.body) == SIGNAL  # and what looks like a reference in it stays what it is
        assert heard.headers["Content-Type"] == "application/json; charset=utf-8"


def test_a_body_of_its_own_has_what_is_told_and_secrets_and_neither_reads_the_other() -> None:
    body = {
        "text": TEXT,
        "n": "***signal.counts.servers***",
        "code": "exit ***signal.exit_code*** of ***signal.run_id***, wave ***signal.wave***",
        "list": [TEXT, 1, True, None],
        "token": "***secret.TOKEN***",
    }
    with receiving() as receiver:
        assert sent(post(receiver.url, body=body, headers={"Authorization": "Bearer ***secret.TOKEN***"})) is None
        (heard,) = receiver.heard
        assert json.loads(heard.body) == {
            "text": SIGNAL["text"],
            "n": 8,
            "code": "exit 0 of r-1, wave ",
            "list": [SIGNAL["text"], 1, True, None],
            "token": TOKEN,
        }
        assert heard.headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_text_is_posted_as_text_and_a_header_that_is_given_stands() -> None:
    with receiving() as receiver:
        assert sent(post(receiver.url, body=f"now: {TEXT}", headers={"content-type": "text/markdown"})) is None
        assert sent(post(receiver.url, body=TEXT)) is None
        first, second = receiver.heard
        assert first.body.decode() == f"now: {SIGNAL['text']}"
        assert [first.headers["content-type"], second.headers["Content-Type"]] == [
            "text/markdown",
            "text/plain; charset=utf-8",
        ]


@pytest.mark.parametrize(
    ("manner", "says"),
    [
        (500, "HTTP 500"),
        (404, "HTTP 404"),
        ("redirect", "HTTP 307, a redirect, which is not followed"),
        ("reset", "the receiver closed the connection without an answer"),
        ("hang", "no answer within 0.3 s"),
    ],
)
def test_what_is_said_of_one_who_does_not_take_it(manner: Any, says: str) -> None:
    with receiving(manner) as receiver:
        hook = post(f"{receiver.url}/***secret.TOKEN***", timeout_s=0.3 if manner == "hang" else 30.0)
        assert sent(hook) == says
        assert [heard.path for heard in receiver.heard] == [f"/{TOKEN}"]


def test_one_who_never_stops_answering_has_taken_it() -> None:
    with receiving("endless") as receiver:
        assert sent(post(receiver.url)) is None


def test_one_who_is_not_there() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert sent(post(url)) == "no connection to the receiver: Connection refused"
    assert sent(post("http://***secret.TOKEN***.invalid/x")) == "the receiver is not found by its name"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ('{"errcode":0,"errmsg":"ok"}', None),
        ('{"errcode":310000,"errmsg":"keywords not in content t0ken-t0ken"}', "its answer has 310000 for errcode"),
        ('{"errmsg":"ok"}', "its answer has something else, or nothing for errcode"),
        ('{"errcode":"0"}', "its answer has something else, or nothing for errcode"),
        ("[0]", "its answer has something else, or nothing for errcode"),
        ("ok", "its answer is not JSON"),
        ("", "its answer is not JSON"),
    ],
)
def test_a_service_that_says_200_to_what_it_does_not_take(answer: str, says: str | None) -> None:
    with receiving(answer) as receiver:
        assert sent(post(receiver.url, answer={"errcode": 0})) == says


@pytest.mark.parametrize("missing", [{}, {"TOKEN": ""}, {"TOKEN": " \n"}])
def test_a_secret_that_is_not_there(missing: Mapping[str, str]) -> None:
    hook = post("http://127.0.0.1:9/", headers={"A": "***secret.TOKEN***"})
    assert sent(hook, missing) == "the secret TOKEN is not in the environment, or empty"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("hooks.example.com/x", "what `post` is with its secret is no URL to post to"),
        ("ftp://h/x", "what `post` is with its secret is no URL to post to"),
        ("http://h/x\n", "what `post` is with its secret is no URL to post to"),
        ("http://h:99999/", "what `post` is with its secret is no URL to post to"),
        ("http:///x", "what `post` is with its secret is no URL to post to"),
        ("\udcff", "the secret TOKEN is not UTF-8"),
    ],
)
def test_a_secret_that_is_no_url_is_not_shown(value: str, says: str) -> None:
    found = sent(post("***secret.TOKEN***"), {"TOKEN": value})
    assert found is not None
    assert found.startswith(says)
    assert value not in found


def test_a_secret_that_is_no_header_is_not_shown() -> None:
    hook = post("http://127.0.0.1:9/", headers={"A": "***secret.TOKEN***"})
    said = "the header A has a line end or another control character in it"
    assert sent(hook, {"TOKEN": "a\nInjected: yes"}) == said


def test_the_proxy_of_the_environment_holds_and_its_password_is_not_shown() -> None:
    with receiving(200, 502) as proxy:
        env = {"http_proxy": proxy.url.replace("http://", "http://me:pa55word@")}
        hook = post("http://receiver.test/x")
        assert sent(hook, env) is None
        assert proxy.heard[0].path == "http://receiver.test/x"
        assert sent(hook, env) == "HTTP 502"
    assert "pa55word" not in str(sent(hook, env))


@pytest.mark.parametrize("variable", ["", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_certificates_given_hold(tmp_path: Path, variable: str) -> None:
    bundle = tmp_path / "no.pem"
    env = {variable: str(bundle)} if variable else {}
    found = sent(post("https://127.0.0.1:9/"), env, ca_bundle=None if variable else bundle)
    assert found == f"{variable or 'the CA bundle'} {bundle} cannot be used: No such file or directory"


def test_only_a_trusted_certificate_will_do(certificate: Path) -> None:
    with receiving(certificate=certificate) as receiver:
        hook = post(receiver.url.replace("http:", "https:"))
        assert sent(hook, ca_bundle=certificate) is None
        assert sent(hook, {"SSL_CERT_FILE": str(certificate)}) is None
        refused = sent(hook)
        assert refused is not None
        assert refused.startswith("the TLS certificate of the receiver does not verify: ")


def test_a_program_has_the_signal_and_no_credentials(tmp_path: Path) -> None:
    env = {**HERE, "HUAWEICLOUD_SDK_SK": "sksksksk", "PAGER_TOKEN": "pagepage"}
    script = f'cat > {tmp_path}/in; echo "$RUNNER_EVENT $RUNNER_RUN_ID $PAGER_TOKEN.$TOKEN.$HUAWEICLOUD_SDK_SK" > {tmp_path}/env'
    assert sent(run(script, "PAGER_TOKEN"), env) is None
    assert json.loads((tmp_path / "in").read_bytes()) == SIGNAL
    assert (tmp_path / "env").read_text() == "end r-1 pagepage..\n"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("exit 0", None),  # it need not read what it is given
        ("echo no good >&2; exit 7", "exit 7: no good"),
        ("echo $PAGER_TOKEN; exit 1", "exit 1: ***"),
        ("kill -9 $$", "exit -9"),
    ],
)
def test_how_a_program_may_end(script: str, says: str | None) -> None:
    assert sent(run(script, "PAGER_TOKEN"), {**HERE, "PAGER_TOKEN": "pagepage"}) == says


@pytest.mark.process
@pytest.mark.parametrize("script", ["exec sleep 600", "trap '' TERM; sleep 600; sleep 600"])
def test_a_program_that_hangs_is_ended(script: str) -> None:
    assert sent(run(script, timeout_s=0.3)) == "not over within 0.3 s"


def test_a_program_that_is_not_there() -> None:
    gone = PlannedHook(("end",), command=("./gone.sh",), folder="/no/such")
    assert sent(gone) == "there is no `./gone.sh` in /no/such"


def test_a_signal_larger_than_a_pipe_is_whole(tmp_path: Path) -> None:
    signal = {**SIGNAL, "text": "x" * 300_000}
    sender = LocalSender(redactor([]), None, env=HERE)
    assert asyncio.run(sender.send(run(f"exec cat > {tmp_path}/in"), signal)) is None
    assert json.loads((tmp_path / "in").read_bytes()) == signal
