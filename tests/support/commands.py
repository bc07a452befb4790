"""The real command, started as a process, and what it left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from mlflow import MlflowClient
from mlflow.entities import Run

SENDER = "sightline.tracking.sender.process"
SIGHTLINE = Path(sys.executable).parent / "sightline"


SMALL = ["model.widths=[4,8]", "model.hidden=16", "report=none"]


ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    inherited = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    return subprocess.Popen(
        [SIGHTLINE, *arguments],
        cwd=folder,
        env=inherited | ONE_THREAD | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], timeout_s: float = 240) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=timeout_s)
    return process.returncode, out, err


def wait_for_line(process: subprocess.Popen[str], text: str, timeout_s: float = 120) -> None:
    assert process.stdout is not None
    deadline = time.monotonic() + timeout_s
    for line in process.stdout:
        if text in line:
            return
        assert time.monotonic() < deadline
    raise AssertionError(f"{text!r} was never printed: {finish(process)}")


def senders_of(pid: int) -> list[psutil.Process]:
    """The processes that upload for a training; a forked one has a fork server as a child too."""
    return [child for child in psutil.Process(pid).children() if SENDER in _command_line(child)]


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # ended meanwhile; a zombie is one of these
        return []


def client_of(folder: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{folder}/mlflow.db")


def few_canvases(label_mode: str) -> list[str]:
    """Few samples of digits where they are composed, which is for several labels alone."""
    return ["data.canvases=[100,50,60]"] if label_mode == "multilabel" else []


# A training of a second: every part of the real thing, on a tiny network.
QUICK = [
    "trainer.max_epochs=1",
    "model.widths=[4,8]",
    "model.hidden=16",
    "tracking.system_metrics_interval_s=null",
]


@dataclass
class Done:
    """What a command left: exit status, output, the runs that it logged and sweeps' own runs."""

    status: int
    out: str
    err: str
    store: str
    runs: list[Run]
    sweeps: list[Run]

    @property
    def run(self) -> Run:
        assert len(self.runs) == 1, f"{len(self.runs)} runs\n{self.out}\n{self.err}"
        return self.runs[0]

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.store)

    @property
    def folder(self) -> Path:
        return Path(self.run.data.tags["run_folder"])

    def artifacts(self) -> set[str]:
        return self.artifacts_of(self.run)

    def artifacts_of(self, run: Run, path: str | None = None) -> set[str]:
        found: set[str] = set()
        for item in self.client.list_artifacts(run.info.run_id, path):
            found |= self.artifacts_of(run, item.path) if item.is_dir else {item.path}
        return found

    def download(self, path: str) -> Path:
        return Path(self.client.download_artifacts(self.run.info.run_id, path))


Sightline = Callable[..., Done]
