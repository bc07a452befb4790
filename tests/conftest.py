"""Fixtures: the real command, run in this process on small data in an empty folder."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cheap_job
import numpy as np
import pytest
import requests
import torch
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image

from sightline.cli import main
from sightline.config import DataConfig
from sightline.project import conf_dir, project_root
from sightline.sweeps import process

torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded pictures and digests go to a folder of the session's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGHTLINE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def data_config(**changed: Any) -> DataConfig:
    """The common part of `data` as conf/ has it, with changes."""
    values = yaml.safe_load((conf_dir() / "data_common.yaml").read_text())
    return DataConfig.model_validate(values | changed)


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


def client_of(folder: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{folder}/mlflow.db")


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


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One MLflow store for the session: making a new one takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture
def sightline(
    tmp_path: Path,
    store: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> Iterator[Sightline]:
    """Run `sightline ARGUMENTS` in an empty folder; `tracked=False` leaves tracking.uri alone."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root_logger = logging.getLogger()
    handlers, level = list(root_logger.handlers), root_logger.level
    experiment = request.node.name[:200]

    def run(*arguments: str, tracked: bool = True) -> Done:
        project_root.cache_clear()
        own = [f"tracking.uri={store}", f"tracking.experiment='{experiment}'"] if tracked else []
        if arguments[:1] == ("train",) and not any(word.startswith("report") for word in arguments):
            own.append("report=none")  # it takes seconds, and has tests of its own
        monkeypatch.setattr(sys, "argv", ["sightline", *arguments, *own])
        try:
            status = main()
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        captured = capsys.readouterr()
        client = MlflowClient(store)
        found = client.get_experiment_by_name(experiment)
        logged = list(client.search_runs([found.experiment_id])) if found else []
        sweeps = [run for run in logged if run.data.tags.get("kind") == "sweep"]
        runs = [run for run in logged if run not in sweeps]
        return Done(status, captured.out, captured.err, store, runs, sweeps)

    yield run
    for handler in set(root_logger.handlers) - set(handlers):
        handler.close()
    root_logger.handlers, root_logger.level = handlers, level
    project_root.cache_clear()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A small folder data set of colour pictures: two classes that differ in hue, no splits."""
    return make_folder(tmp_path / "photos", {"cat": 24, "dog": 24})


def make_folder(root: Path, counts: dict[str, int], size: tuple[int, int] = (40, 30)) -> Path:
    """ROOT/CLASS/*.png, each class a colour of its own with noise."""
    rng = np.random.default_rng(0)
    for index, (name, count) in enumerate(counts.items()):
        folder = root / name
        folder.mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 100, (size[1], size[0], 3), dtype=np.uint8)
            pixels[..., index % 3] += 120
            Image.fromarray(pixels).save(folder / f"{number:03d}.png")
    return root


class TrackingServer:
    """A real `mlflow server` on loopback, that can be stopped and started again.

    Args:
        folder: for its artifacts, and its SQLite store unless `backend` names another.
        backend: a database URI.
        arguments: further ones of the server.
    """

    def __init__(self, folder: Path, backend: str | None = None, *arguments: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
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
            self.command, cwd=self.folder, env=os.environ | environment, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        log.close()
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
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


@pytest.fixture
def tracking_server(tmp_path: Path) -> Iterator[TrackingServer]:
    folder = tmp_path / "server"
    folder.mkdir()
    server = TrackingServer(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def cheap(
    sightline: Sightline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Done]:
    """`sightline train -m` whose jobs are cheap; `seeds` says what each does."""
    monkeypatch.setattr(process, "JOB_COMMAND", cheap_job.COMMAND)

    def run(*arguments: str, seeds: dict[int, str] | None = None) -> Done:
        monkeypatch.setenv("CHEAP", json.dumps(seeds or {}))
        own = [f"hydra.sweep.dir={tmp_path}/sweep", *cheap_job.AWAY]
        return sightline("train", "-m", *arguments, *own, tracked=False)

    return run


@dataclass(frozen=True)
class Trained:
    """A finished run over pictures in files, for tests that only use it.

    Attributes:
        folder: the run's own.
        root: of the pictures; ids of its tables are relative to it.
        store: the MLflow store that it is in.
        run_id: its id there.
    """

    folder: Path
    root: Path
    store: str
    run_id: str

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoints" / "best.ckpt"


MODES = ("binary", "multiclass", "multilabel")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trained]:
    """Each label mode's run, trained when it is first asked for; 100 pictures are in test."""

    @cache
    def train(mode: str) -> Trained:
        work = tmp_path_factory.mktemp(f"trained_{mode}")
        root = work / "pictures"
        make_split_pictures(root, {"train": 40, "val": 25, "test": 50 if mode == "binary" else 34})
        store = f"sqlite:///{work}/mlflow.db"
        data = ["data=folder", f"data.root={root}"]
        if mode == "binary":
            shutil.rmtree(root / "train" / "bird")
            shutil.rmtree(root / "val" / "bird")
            shutil.rmtree(root / "test" / "bird")
        if mode == "multilabel":
            label_rows(root)
            data = ["data=manifest", f"data.path={root}/labels.csv", "data.split_column=split"]
        arguments = [
            "train", *data, f"label_mode={mode}", *QUICK, "data.num_workers=0",
            "trainer.max_epochs=2", f"tracking.uri={store}", "tracking.start_timeout_s=120",
        ]  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(work)
            patch.setattr(sys, "argv", ["sightline", *arguments])
            project_root.cache_clear()
            assert main() == 0
        project_root.cache_clear()
        [run] = MlflowClient(store).search_runs(["1"])
        return Trained(Path(run.data.tags["run_folder"]), root, store, run.info.run_id)

    return train


def make_split_pictures(root: Path, counts: dict[str, int]) -> None:
    """ROOT/{train,val,test}/{bird,cat,dog}/*: photographs of several sizes and kinds of file."""
    rng = np.random.default_rng(0)
    for split, count in counts.items():
        for index, name in enumerate(("bird", "cat", "dog")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                size = (int(rng.integers(24, 48)), int(rng.integers(24, 48)), 3)
                pixels = rng.integers(0, 150, size, dtype=np.uint8)
                pixels[..., index] += rng.integers(0, 90, dtype=np.uint8)
                ending = "jpg" if number % 2 else "png"
                Image.fromarray(pixels).save(folder / f"{number:03d}.{ending}")


SITES = ("north", "north", "south", "south", "")


def label_rows(root: Path) -> None:
    """ROOT/labels.csv: two labels, of which a picture has one, both or none; and where from."""
    lines = ["image,bird,odd,split,site"]
    for path in sorted(root.rglob("*.*")):
        name = path.relative_to(root).as_posix()
        split, animal, file = name.split("/")
        lines.append(
            f"{name},{int(animal == 'bird')},{int(file[:3]) % 2},{split},{SITES[int(file[:3]) % 5]}"
        )
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
