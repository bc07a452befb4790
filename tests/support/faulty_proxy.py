"""A proxy before a tracking server that for a while gives other answers, slow ones, or none."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

LOGIN = b"<html><body><form>Please sign in</form></body></html>"
DROP_S = 30  # between the bytes of a slow answer's head; a client gives up before


class FaultyProxy(ThreadingHTTPServer):
    """Passes requests on, but for some of those from `begin` on.

    Args:
        server_uri: of the tracking server.
        kind: of the fault: an HTTP status, or `slow`.
        rng: draws which requests meet it: one of two.

    Attributes:
        met: how many requests met it.
    """

    daemon_threads = True

    def __init__(self, server_uri: str, kind: str, rng: random.Random) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.server_uri, self.kind, self.rng = server_uri, kind, rng
        self.uri = f"http://127.0.0.1:{self.server_port}"
        self.sound = 0  # requests that are answered before the fault begins
        self.faulty = False
        self.met = 0

    def fails(self) -> bool:
        """Whether the next request is answered otherwise."""
        self.sound -= 1
        return self.faulty and self.sound < 0 and self.rng.random() < 0.5

    @contextmanager
    def serving(self) -> Iterator[FaultyProxy]:
        thread = threading.Thread(target=self.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()

    def handle_error(self, *_: Any) -> None:
        """Nothing: a client that was killed closes its connection."""


class _Handler(BaseHTTPRequestHandler):
    server: FaultyProxy

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/login":
            self.reply(200, LOGIN)
        elif self.server.fails():
            self.server.met += 1
            self.fail()
        else:
            headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
            found = requests.request(self.command, self.server.server_uri + self.path, data=body,
                                     headers=headers, timeout=60)  # fmt: skip
            self.reply(found.status_code, found.content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def fail(self) -> None:
        if self.server.kind == "slow":  # a byte, and nothing more for longer than anyone waits
            self.wfile.write(b"H")
            self.wfile.flush()
            time.sleep(DROP_S)
            self.close_connection = True
        else:
            self.reply(int(self.server.kind), LOGIN)

    def reply(self, status: int, content: bytes) -> None:
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/login")
        if status == 429:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing."""
