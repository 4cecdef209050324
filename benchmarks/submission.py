"""20,000 creates beside a bare loop, wrk and the official SDK, against nginx; client and server on a core each."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.tools import RUNS, SERVER_CORE, header, median, pinned, row, runner, timed

REQUESTS = 20_000
AT_ONCE = 64
PORT, SLOW_PORT = 18180, 18181
SLOW_REQUESTS = 6_000
SDK_REQUESTS = 2_000
ANSWER = (
    '{"id":"$request_id","type":"ASCEND_SOFTWARE_UPGRADE","status":"ACTIVE","abnormal_count":0,"tasks":[],'
    '"items":[],"template_id":"t","user_name":"u","create_at":1755005748201,"update_at":1755005748201}'
)
NGINX = """\
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 10000000; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{answer}'; }} }}
}}
"""
JOBSPEC = """\
api_version: runner/v1
name: bench
inventory: fleet.ndjson
lane: {{endpoint: "http://127.0.0.1:{port}", project_id: p}}
groups: [{{name: all, select: "true"}}]
steps:
  - name: upgrade
    type: HDK_UPGRADE
    job_name: "hdk-{{{{ group.name }}}}"
    servers_per_job: 1
    items: [{{type: HDK_UPGRADE, spec: {{version: "24.1"}}}}]
submit: {{rate: unlimited, concurrency: 64}}
"""
BARE = """\
import asyncio, sys, time, aiohttp, orjson, uvloop
async def main(count, url):
    numbers = iter(range(count))
    async with aiohttp.ClientSession() as session:
        async def work():
            for number in numbers:
                body = orjson.dumps({"name": f"hdk-all-{number:012}", "server_ids": ["66d210bc-023c-490a-8664-afd321a163ad"],
                    "type": "HDK_UPGRADE", "items": [{"type": "HDK_UPGRADE", "spec": {"version": "24.1"}}]})
                async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
                    orjson.loads(await answer.read())
        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(64)))
        print(count / (time.perf_counter() - began))
uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
"""
SDK = """\
import sys, time
from concurrent.futures import ThreadPoolExecutor
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkmodelarts.v1 import (CreateDevServerJobRequest, DevServerJobCreateRequest, DevServerJobItem,
    ModelArtsClient)
client = ModelArtsClient.new_builder().with_credentials(BasicCredentials("a", "b", "p")).with_endpoint(sys.argv[2]).build()
def create(number):
    item = DevServerJobItem(type="HDK_UPGRADE", spec={"version": "24.1"})
    body = DevServerJobCreateRequest(name=f"n{number}", server_ids=["x"], type="HDK_UPGRADE", items=[item])
    client.create_dev_server_job(CreateDevServerJobRequest(body=body))
began = time.perf_counter()
with ThreadPoolExecutor(64) as pool:
    list(pool.map(create, range(int(sys.argv[1]))))
print(int(sys.argv[1]) / (time.perf_counter() - began))
"""


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """A server that is not the bottleneck, on its own core."""
    path = shutil.which("nginx") or "/usr/sbin/nginx"
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=PORT, answer=ANSWER))
    process = subprocess.Popen(pinned(SERVER_CORE, path, "-c", str(config)))
    time.sleep(1.0)
    try:
        yield f"http://127.0.0.1:{PORT}"
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def slow_server() -> Iterator[str]:
    """A server that takes 50 ms for every answer."""
    process = subprocess.Popen(pinned(SERVER_CORE, sys.executable, "-m", "benchmarks.submission", "serve"))
    time.sleep(1.5)
    try:
        yield f"http://127.0.0.1:{SLOW_PORT}"
    finally:
        process.terminate()
        process.wait(10)


class _Slow(asyncio.Protocol):
    """Answers each request 50 ms after its last byte."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, rest = self._data.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        if end and len(rest) >= int(length[1] if length else 0):
            self._data = b""
            asyncio.get_running_loop().call_later(0.05, self._answer)

    def _answer(self) -> None:
        body = ANSWER.replace("$request_id", uuid.uuid4().hex).encode()
        assert isinstance(self._transport, asyncio.Transport)  # noqa: S101  TCP always is one
        if not self._transport.is_closing():
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Slow, "127.0.0.1", SLOW_PORT)
    async with server:
        await asyncio.sleep(300)


def _wrk(url: str) -> float:
    script = Path(tempfile.gettempdir()) / "post.lua"
    script.write_text('wrk.method = "POST"\nwrk.body = "{}"\n')
    out = timed(["wrk", "-t1", f"-c{AT_ONCE}", "-d4s", "-s", str(script), f"{url}/v1/p/dev-servers/jobs"])[1]
    found = re.search(r"Requests/sec:\s+([\d.]+)", out)
    return float(found[1]) if found else 0.0


def _runner(folder: Path, url: str, requests: int) -> tuple[float, float]:
    """Creates per second from first to last, and over the whole command."""
    state = Path.cwd() / ".benchmark-state"
    shutil.rmtree(state, ignore_errors=True)
    with (folder / "fleet.ndjson").open("w") as file:
        file.writelines(f'{{"id":"{uuid.uuid4()}","name":"s{number}"}}\n' for number in range(requests))
    (folder / "job.yaml").write_text(JOBSPEC.format(port=url.rpartition(":")[2]))
    command = runner("run", folder / "job.yaml", "--no-wait", "--state-dir", state, "-q")
    took, _ = timed(command, HUAWEICLOUD_SDK_AK="a", HUAWEICLOUD_SDK_SK="b")
    report = json.loads(next((state / "reports").iterdir()).read_text())
    shutil.rmtree(state)
    return report["submission"]["creates_per_s"], requests / took


def _sdk(url: str) -> float:
    """The official SDK, in an environment of its own that is made on first use."""
    folder = Path(__file__).parent / ".venv"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = ["-m", "pip", "install", "-q", "huaweicloudsdkmodelarts==3.1.219"]
        subprocess.run([str(python), *install], check=True)
    return float(timed([str(python), "-c", SDK, str(SDK_REQUESTS), url])[1])


def _bare(url: str, requests: int) -> float:
    return float(timed([sys.executable, "-c", BARE, str(requests), f"{url}/v1/p/dev-servers/jobs"])[1])


def main() -> None:
    """Print creates per second and ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with nginx(folder) as url:
            bare, submitting, whole = _side_by_side(folder, url, REQUESTS)
            sdk, wrk = _sdk(url), _wrk(url)
        header("no latency", f"creates/s, median of {RUNS}", "of the bare loop")
        row("wrk", wrk, wrk / bare)
        row("bare aiohttp + orjson loop, uvloop", bare, 1.0)
        row("runner, first to last create", submitting, submitting / bare)
        row("runner, whole command", whole, whole / bare)
        row("official SDK, 64 threads", sdk, sdk / bare)
        row("runner / official SDK", "", submitting / sdk)
        with slow_server() as url:
            wrk = _wrk(url)
            slow = median([_runner(folder, url, SLOW_REQUESTS)[0] for _ in range(3)])
        print()
        header("50 ms latency", "creates/s", "of wrk")
        row("wrk", wrk, 1.0)
        row("runner, first to last create", slow, slow / wrk)


def _side_by_side(folder: Path, url: str, requests: int) -> tuple[float, float, float]:
    bare: list[float] = []
    submitting: list[float] = []
    whole: list[float] = []
    for _ in range(RUNS):
        bare.append(_bare(url, requests))
        first_to_last, command = _runner(folder, url, requests)
        submitting.append(first_to_last)
        whole.append(command)
    return median(bare), median(submitting), median(whole)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).parent.parent))
    entry: Callable[[], None] = main
    if sys.argv[1:] == ["serve"]:
        asyncio.run(_serve())
    else:
        entry()
