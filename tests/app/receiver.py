"""Somebody who is told of runs by HTTP, on loopback: well, slowly, wrongly, or not at all."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

Manner = int | str | bytes
"""How one call is answered: by a status; a body with 200; or `hang`, `reset`, `redirect`, `endless`."""


class Heard(NamedTuple):
    """What came."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver(ThreadingHTTPServer):
    """Answers call after call in these manners, and in the last for all that follow."""

    daemon_threads = True

    def __init__(self, *manners: Manner) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.manners: list[Manner] = list(manners) or [200]
        self.heard: list[Heard] = []
        self.is_over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever called may be gone."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        receiver = self.server
        receiver.heard.append(Heard(self.path, dict(self.headers), body))
        manner = receiver.manners.pop(0) if len(receiver.manners) > 1 else receiver.manners[0]
        if manner == "hang":
            receiver.is_over.wait()
        elif manner == "endless":
            self._endless()
        elif manner == "redirect":
            self._answer(307, b"", {"Location": f"{receiver.url}/elsewhere"})
        elif manner == "reset":
            self.connection.close()
        elif isinstance(manner, int):
            self._answer(manner, f"you called {self.path} with {body.decode()}".encode())
        else:
            self._answer(200, manner if isinstance(manner, bytes) else manner.encode())

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.server.is_over.is_set():
            self.wfile.write(b"x" * 65_536)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def receiving(*manners: Manner, certificate: Path | None = None) -> Iterator[Receiver]:
    """One that listens until the block ends, by TLS if it has a certificate."""
    with Receiver(*manners) as receiver:
        if certificate is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
            receiver.socket = tls.wrap_socket(receiver.socket, server_side=True)
        thread = threading.Thread(target=receiver.serve_forever, args=[0.02])
        thread.start()
        try:
            yield receiver
        finally:
            receiver.is_over.set()
            receiver.shutdown()
            thread.join()
