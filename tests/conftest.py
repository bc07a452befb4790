"""Fixtures: the real command, run in this process on small data in an empty folder."""

from __future__ import annotations

import gc
import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from itertools import count
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient
from support import cheap_job
from support.commands import QUICK, Done, Sightline
from support.figures import draw_each_form_once
from support.forked import ForkedPopen, ForkServer, end_started, forking
from support.hub import hub, weights  # noqa: F401  fixtures
from support.images import label_rows, make_folder, make_split_images
from support.inline_sender import inline_or_process
from support.ports import refusing_port  # noqa: F401  a fixture
from support.recorded import recorded_environment, recorded_server  # noqa: F401  fixtures
from support.runs import Trained
from support.server import TrackingServer
from support.stores import copy_store

from sightline.cli import main
from sightline.paths import project_root
from sightline.sweeps import process
from sightline.tracking.mlflow.databases import open_sqlite

torch.set_num_threads(1)
GROUPS = ("slurm", "trained", "recorded", "servers", "ranks", "damage", "api")  # the longest first
_NUMBERS = count()
LONG = (  # folders and files
    "test_pages.py", "training", "tracking", "sweeps", "compatibility", "golden", "models",
    "evaluation", "importing",
)  # fmt: skip


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that no process is left with it in the end.

    Tests that share the finished runs of `trained` are one process's: it trains them for all.
    """
    for item in items:
        if "trained" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("trained"))

    def place(item: pytest.Item) -> int:
        group = item.get_closest_marker("xdist_group")
        if group is not None and group.args[0] in GROUPS:
            return GROUPS.index(group.args[0])
        return len(GROUPS) + {item.path.parent.name, item.path.name}.isdisjoint(LONG)

    items.sort(key=place)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Groups are seen by xdist: without, each process would train what a group shares."""
    for item in session.items if getattr(session.config.option, "loadgroup", False) else ():
        assert item.get_closest_marker("xdist_group") is None or "@" in item.nodeid, item.nodeid
    gc.collect()
    gc.freeze()  # a tenth of the CPU time went to walking through libraries and tests again


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Workers are forked too: one server's imports serve them all, and the processes they start."""
    ends = ExitStack()
    folder = ends.enter_context(tempfile.TemporaryDirectory())
    ends.enter_context(forking(Path(folder) / "output.txt"))
    config.add_cleanup(ends.close)


@pytest.fixture(autouse=True, scope="session")
def environment_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded images, digests and temporary files go to the session's own folders; one thread.

    What downloads and killed processes leave among temporary files goes away with these folders.
    """
    temporary = str(tmp_path_factory.mktemp("tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", temporary)
        patch.setattr(tempfile, "tempdir", temporary)
        patch.setenv("SIGHTLINE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("OMP_NUM_THREADS", "1")  # threads of tests at once spin for each other's cores
        yield


@pytest.fixture(autouse=True, scope="session")
def forked_processes(
    environment_of_tests: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ForkServer]:
    """Sightline's processes are forked from one that has the imports done."""
    with forking(tmp_path_factory.mktemp("forkserver") / "output.txt") as server:
        yield server


@pytest.fixture(autouse=True)
def no_process_left(forked_processes: ForkServer) -> Iterator[None]:
    """What a failed test has started is gone before the next one: its process and the pipes to it.

    What fixtures of a module or the session started lives on: they come first.
    """
    ForkedPopen.started.clear()
    yield
    end_started()


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """A folder of a path that no test of this process had before.

    pytest gives the path of a test that passed again to one of a like name, and MLflow keeps the
    connections of a process to a database by its path: also to the one that is deleted.
    """
    folder = tmp_path / f"test_folder_{next(_NUMBERS)}"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def no_tracking_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    """`mlflow.set_tracking_uri` in a test sets the variable for all tests after it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def figures_drawn_once(forked_processes: ForkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings in this process draw figures as those of `forked_processes` do."""
    draw_each_form_once(monkeypatch, forked_processes.figures)


@pytest.fixture
def uploads_inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of this process upload by themselves: the test is not about the sender."""
    monkeypatch.setattr("sightline.tracking.sender.client.SenderProcess", inline_or_process)


@pytest.fixture
def new_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests about what a new interpreter does: nothing is forked."""
    monkeypatch.setattr(ForkedPopen, "server", None)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One MLflow store for the session."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new MLflow store, to be copied: making one takes a second of CPU."""
    database = tmp_path_factory.mktemp("store") / "mlflow.db"
    with open_sqlite(database):
        return database


@pytest.fixture
def ready_store(tmp_path: Path, empty_store: Path) -> None:
    """For trainings in `tmp_path` that are not about making their store."""
    copy_store(empty_store, tmp_path / "mlflow.db")


@pytest.fixture
def sightline(
    tmp_path: Path,
    store: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
    figures_drawn_once: None,
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
    """A small folder data set of colour images: two classes that differ in hue, no splits."""
    return make_folder(tmp_path / "photos", {"cat": 24, "dog": 24})


@pytest.fixture
def tracking_server(tmp_path: Path, empty_store: Path) -> Iterator[TrackingServer]:
    folder = tmp_path / "server"
    folder.mkdir()
    copy_store(empty_store, folder / "server.db")
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


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory, empty_store: Path, forked_processes: ForkServer
) -> Callable[[str], Trained]:
    """Each label mode's run, trained when it is first asked for; 100 images are in test."""

    @cache
    def train(mode: str) -> Trained:
        work = tmp_path_factory.mktemp(f"trained_{mode}")
        root = work / "images"
        make_split_images(root, {"train": 40, "val": 25, "test": 50 if mode == "binary" else 34})
        store = f"sqlite:///{work}/mlflow.db"
        copy_store(empty_store, work / "mlflow.db")
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
            "trainer.max_epochs=2", f"tracking.uri={store}",
            "tracking.flush_timeout_s=600", "tracking.start_timeout_s=120",
        ]  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(work)
            patch.setattr(sys, "argv", ["sightline", *arguments])
            draw_each_form_once(patch, forked_processes.figures)
            project_root.cache_clear()
            assert main() == 0
        project_root.cache_clear()
        [run] = MlflowClient(store).search_runs(["1"])
        return Trained(Path(run.data.tags["run_folder"]), root, store, run.info.run_id)

    return train
