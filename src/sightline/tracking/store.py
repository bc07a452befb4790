"""The MLflow store that runs go to: found, made ready, and seen to answer."""

import contextlib
import re
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

import requests
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from sightline.config import TrackingConfig
from sightline.errors import UserError
from sightline.project import default_store
from sightline.tracking.secrets import hide_password
from sightline.tracking.views import save_views


@dataclass(frozen=True)
class Store:
    """An MLflow store that is ready, and the experiment in it."""

    client: MlflowClient
    uri: str
    experiment_id: str


def open_store(config: TrackingConfig) -> Store:
    """The store that the config names, or the project's own.

    Raises:
        UserError: the store cannot be written, the server does not answer within
            `start_timeout_s`, or the experiment was deleted.
    """
    uri = config.uri or default_store()
    if uri.startswith("sqlite:///"):
        database = Path(uri.removeprefix("sqlite:///")).absolute()
        client = _open_sqlite(database, config.experiment)
        uri = f"sqlite:///{database}"
    elif uri.startswith(("http://", "https://")):
        _wait_for_server(uri, config.start_timeout_s)
        client = MlflowClient(uri)
        _ensure_experiment(client, config.experiment, None)
    elif re.match(r"(postgresql|mysql|mssql)(\+\w+)?://", uri):
        client = MlflowClient(uri)
        _ensure_experiment(client, config.experiment, None)
    else:
        raise UserError(
            f"tracking.uri={hide_password(uri)}: expected http(s)://SERVER, sqlite:///FILE or a "
            "database URI; MLflow no longer keeps runs in plain folders."
        )
    experiment = client.get_experiment_by_name(config.experiment)
    assert experiment is not None
    if experiment.lifecycle_stage != "active":
        raise UserError(
            f"tracking.experiment={config.experiment}: this experiment was deleted. Restore it "
            f"(mlflow experiments restore -x {experiment.experiment_id}) or choose another name."
        )
    save_views(client, experiment)
    return Store(client, uri, experiment.experiment_id)


def _open_sqlite(database: Path, experiment: str) -> MlflowClient:
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        # MLflow's own first use of a store is a race that breaks it when several runs start.
        with FileLock(f"{database}.lock"):
            fresh = not database.exists()
            if fresh:
                with contextlib.closing(sqlite3.connect(database)) as connection:
                    connection.execute("PRAGMA journal_mode=WAL")  # readers never block a writer
            client = MlflowClient(f"sqlite:///{database}")
            client.search_experiments(ViewType.ACTIVE_ONLY, max_results=1)  # migrates if need be
            folder = re.sub(r"[^\w.-]+", "_", experiment)
            _ensure_experiment(client, experiment, str(database.parent / "mlartifacts" / folder))
    except (OSError, sqlite3.Error, SQLAlchemyError, MlflowException) as error:
        line = str(error).strip().splitlines()[0]
        raise UserError(f"Cannot use the MLflow store {database}: {line}.") from error
    return client


def _ensure_experiment(client: MlflowClient, name: str, artifacts: str | None) -> None:
    if client.get_experiment_by_name(name) is not None:
        return
    try:
        client.create_experiment(name, artifact_location=artifacts)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another job was faster
            raise


def _wait_for_server(uri: str, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    problem = "no answer"
    while (left := deadline - time.monotonic()) > 0:
        try:
            response = requests.get(f"{uri.rstrip('/')}/health", timeout=min(5.0, left))
        except requests.RequestException as error:
            problem = type(error).__name__
        else:
            if response.status_code < 500:
                return
            problem = f"HTTP status {response.status_code}"
        time.sleep(min(0.5, max(0.0, deadline - time.monotonic())))
    raise UserError(
        f"The tracking server {hide_password(uri)} did not answer within {timeout_s:g} s "
        f"({problem}); nothing was trained. Start it, correct tracking.uri (or "
        "MLFLOW_TRACKING_URI), or log locally with tracking.uri=null."
    )
