"""A model served on loopback, by a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import requests

from support.commands import ONE_THREAD, SIGHTLINE
from support.ports import unused_port


class Served:
    """A served model, on a port of its own in the place of the command's.

    Args:
        command: the words of the command, among them `port=PORT`.
        log: the file of its output.
    """

    def __init__(self, command: list[str], log: Path) -> None:
        [documented] = [word for word in command if word.startswith("port=")]
        port = unused_port()
        self.documented = f"http://127.0.0.1:{documented.removeprefix('port=')}"
        self.uri = f"http://127.0.0.1:{port}"
        words = [f"port={port}" if word == documented else word for word in command]
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [SIGHTLINE, *words], env=os.environ | ONE_THREAD, stdout=stream, stderr=stream,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if requests.get(f"{self.uri}/ping", timeout=2).ok:
                    return
            except requests.RequestException:
                time.sleep(0.2)
        self.stop()
        raise AssertionError(log.read_text())

    def curl(self, body: Path) -> list[dict[str, object]]:
        """The predictions for the request in a file."""
        done = subprocess.run(
            ["curl", "-s", "-H", "Content-Type: application/json", "--data-binary", f"@{body}",
             f"{self.uri}/invocations"],
            capture_output=True, check=True,
        )  # fmt: skip
        answer: list[dict[str, object]] = json.loads(done.stdout)["predictions"]
        return answer

    def stop(self) -> None:
        """End the process, and those that it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
