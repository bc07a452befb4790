"""Queries for many runs of a store: of an experiment, and of given names."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import yaml
from mlflow import MlflowClient

from sightline.errors import UserError, did_you_mean
from sightline.io.secrets import hide_password
from sightline.paths import conf_dir
from sightline.tracking.mlflow import tags
from sightline.tracking.mlflow.client import open_client
from sightline.tracking.mlflow.errors import STORE_ERRORS, unanswered
from sightline.tracking.mlflow.run_pages import search_stored
from sightline.tracking.mlflow.stored_run import StoredRun, find_stored_run

TEST_DIGEST = "data.digest.test"


@cache
def default_experiment() -> str:
    """The experiment that trainings are logged to by default."""
    path = conf_dir() / "tracking" / "mlflow.yaml"
    return str(yaml.safe_load(path.read_text(encoding="utf-8"))["experiment"])


def runs_of_experiment(name: str, uri: str | None) -> list[StoredRun]:
    """Every run that is not deleted, also the sweeps' own runs.

    Raises:
        UserError: there is no such experiment, or the store does not answer.
    """
    client = open_client(uri)
    with _answering(client):
        found = client.get_experiment_by_name(name)
        if found is None or found.lifecycle_stage != "active":
            names = [each.name for each in client.search_experiments()]
            gone = "was deleted" if found is not None else "does not exist"
            raise UserError(
                f"tracking.experiment={name}: this experiment {gone} in "
                f"{hide_password(client.tracking_uri)}.{did_you_mean(name, names)} It has: "
                f"{', '.join(names[:20])}{', ...' if len(names) > 20 else ''}."
            )
        return list(search_stored(client, [found.experiment_id]))


def runs_named(names: Iterable[str], uri: str | None) -> list[StoredRun]:
    """Runs by folder, id or another name; a sweep's own run is followed by its jobs.

    Raises:
        UserError: one of them does not exist.
    """
    found: dict[str, StoredRun] = {}
    for name in names:
        run = find_stored_run(name, uri)
        for each in [run, *(jobs_of(run) if is_sweep(run) else [])]:
            found[each.run_id or str(each.folder)] = each
    return list(found.values())


def is_sweep(run: StoredRun) -> bool:
    """Whether it is a sweep's own run."""
    return run.tags.get(tags.KIND) == tags.KIND_SWEEP


def is_training(run: StoredRun) -> bool:
    """Whether it is the run of a training, not a sweep's own, an evaluation's or an import."""
    return tags.KIND not in run.tags


def is_model(run: StoredRun) -> bool:
    """Whether it is of one model: a training, a probe, or predictions that were imported; neither a
    sweep's own run nor an evaluation's."""
    return run.tags.get(tags.KIND) in (None, tags.KIND_IMPORT, tags.KIND_PROBE)


def jobs_of(sweep: StoredRun) -> list[StoredRun]:
    """The runs of a sweep's jobs."""
    client = open_client(sweep.uri)
    with _answering(client):
        return [
            run for run in search_stored(client, [str(sweep.experiment_id)]) if in_sweep(run, sweep)
        ]


def in_sweep(run: StoredRun, sweep: StoredRun) -> bool:
    """Whether a run is a job of a sweep.

    By the sweep's name; the folder tells it of older sweeps alone, as another sweep may have had
    the same one before, or on another machine.
    """
    name = sweep.tags.get(tags.SWEEP_NAME)
    if name is not None:
        return run.tags.get(tags.SWEEP) == name
    own, parent = run.tags.get(tags.RUN_FOLDER), sweep.tags.get(tags.RUN_FOLDER)
    return bool(own and parent) and Path(str(own)).parent == Path(str(parent))


def key_of(run: StoredRun) -> str:
    """The key of a run: its id, or the folder of one that is not in MLflow."""
    return run.run_id or str(run.folder)


def count_looks(digest: str, known: Sequence[StoredRun], uri: str | None) -> tuple[int, int]:
    """How often a test set was evaluated, and by how many runs of the store.

    Args:
        digest: of the test set.
        known: runs that were read already: all those of some experiments.
        uri: of the store.
    """
    client = open_client(uri)
    read = {run.experiment_id for run in known}
    runs = {key_of(run): run for run in known}
    with _answering(client):
        others = [each.experiment_id for each in client.search_experiments()]
        others = [each for each in others if each not in read]
        if others:
            wanted = f"params.`{TEST_DIGEST}` = '{digest}'"
            runs |= {key_of(run): run for run in search_stored(client, others, wanted)}
    looks = [_looks(run) for run in runs.values() if run.params.get(TEST_DIGEST) == digest]
    return sum(looks), sum(1 for each in looks if each)


def _looks(run: StoredRun) -> int:
    count = run.tags.get(tags.LOOKS, "")
    if count.isdigit():
        return int(count)
    return int(any(key.startswith("test/") for key in run.metrics))


def add_artifacts(run: StoredRun, folder: Path, path: str) -> None:
    """Log all files of a folder under a path of the run's artifacts.

    Raises:
        UserError: the store does not accept them.
    """
    client = open_client(run.uri)
    with _answering(client):
        client.log_artifacts(str(run.run_id), str(folder), path)


@contextlib.contextmanager
def _answering(client: MlflowClient) -> Iterator[None]:
    """Turn errors of the store into a message."""
    try:
        yield
    except STORE_ERRORS as error:
        raise unanswered(client.tracking_uri, error) from error
