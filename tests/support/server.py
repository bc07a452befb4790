"""A real MLflow tracking server on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import requests

from support.ports import unused_port

# MLflow's evaluation jobs, which nothing here uses, would take seven more processes.
NO_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


class TrackingServer:
    """A real `mlflow server` on loopback, that can be stopped and started again.

    Args:
        folder: for its artifacts, and its SQLite store unless `backend` names another.
        backend: a database URI.
        arguments: further ones of the server.
    """

    def __init__(self, folder: Path, backend: str | None = None, *arguments: str) -> None:
        self.port = unused_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1",
            "--port", str(self.port), "--workers", "1", *arguments,
            "--backend-store-uri", backend or f"sqlite:///{folder}/server.db",
            "--artifacts-destination", f"{folder}/served",
        ]  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        log = (self.folder / "server.log").open("ab")
        self.process = subprocess.Popen(
            self.command, cwd=self.folder, env=os.environ | NO_JOBS | environment, stdout=log,
            stderr=log, start_new_session=True,
        )  # fmt: skip
        log.close()
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if requests.get(f"{self.uri}/health", timeout=1).ok:
                    return
            except requests.RequestException:
                time.sleep(0.2)
        raise AssertionError((self.folder / "server.log").read_text())

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
