"""The MLflow store that runs go to: found, made ready, and seen to answer."""

import contextlib
import math
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from sightline.config.schema import TrackingConfig
from sightline.errors import UserError
from sightline.io.secrets import hide_password
from sightline.paths import default_store, project_root
from sightline.tracking.mlflow.databases import open_database, open_sqlite
from sightline.tracking.mlflow.errors import (
    UPLOAD_ERRORS,
    UnreachableError,
    http_status,
    short_message,
)
from sightline.tracking.mlflow.views import save_views
from sightline.tracking.sender.client import ONE_TRY


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
            `start_timeout_s` or does not let one in, or the experiment was deleted.
    """
    uri = config.uri or default_store()
    try:
        with _requests_within(config.start_timeout_s):
            return _open(uri, config)
    except UPLOAD_ERRORS as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"Cannot use the MLflow store {hide_password(uri)}: {short_message(error)}."
        ) from error


def _open(uri: str, config: TrackingConfig) -> Store:
    name = config.experiment
    folder = re.sub(r"[^\w.-]+", "_", name)
    if uri.startswith("sqlite:///"):
        database = Path(uri.removeprefix("sqlite:///")).absolute()
        uri = f"sqlite:///{database}"
        with open_sqlite(database) as client:
            _ensure_experiment(client, name, str(database.parent / "mlartifacts" / folder))
    elif uri.startswith(("http://", "https://")):
        client = _reach_server(uri, config)
        _ensure_experiment(client, name, None)
    elif re.match(r"(postgresql|mysql|mssql)(\+\w+)?://", uri):
        with open_database(uri, config.start_timeout_s) as client:
            _ensure_experiment(client, name, str(project_root() / "mlartifacts" / folder))
    else:
        raise UserError(
            f"tracking.uri={hide_password(uri)}: expected http(s)://SERVER, sqlite:///FILE or a "
            "database URI; MLflow no longer keeps runs in plain folders."
        )
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    if experiment.lifecycle_stage != "active":
        raise UserError(
            f"tracking.experiment={name}: this experiment was deleted. Restore it "
            f"(mlflow experiments restore -x {experiment.experiment_id}) or choose another name."
        )
    save_views(client, experiment)
    return Store(client, uri, experiment.experiment_id)


def _ensure_experiment(client: MlflowClient, name: str, artifacts: str | None) -> None:
    if client.get_experiment_by_name(name) is not None:
        return
    try:
        client.create_experiment(name, artifact_location=artifacts)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another job was faster
            raise


def _reach_server(uri: str, config: TrackingConfig) -> MlflowClient:
    """A client of a server that answered as MLflow does, within the time that it may take."""
    client = MlflowClient(uri)
    deadline = time.monotonic() + config.start_timeout_s
    shown = hide_password(uri)
    while True:
        try:
            client.get_experiment_by_name(config.experiment)
        except MlflowException as error:
            status, problem = http_status(error), short_message(error)
        except ValueError:
            status, problem = 404, "its answer is not MLflow's"
        else:
            return client
        if status in (401, 403):
            raise UserError(
                f"The tracking server {shown} does not let you in (HTTP status {status}). Give "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
            )
        if status is not None and 400 <= status < 500 and status not in (408, 429):
            raise UserError(f"{shown} is no tracking server of MLflow: {problem}.")
        if time.monotonic() > deadline:
            raise UnreachableError(
                f"The tracking server {shown} did not answer within {config.start_timeout_s:g} s "
                f"({problem}). Start it, correct tracking.uri (or MLFLOW_TRACKING_URI), go on "
                "without it with tracking.offline=auto, or log locally with tracking.uri=null.",
                problem,
            )
        time.sleep(min(0.5, max(0.05, deadline - time.monotonic())))


@contextlib.contextmanager
def _requests_within(timeout_s: float) -> Iterator[None]:
    """Inside, a request is tried once and given up after at most this time."""
    wanted = ONE_TRY | {"MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, math.floor(timeout_s)))}
    before = {key: os.environ.get(key) for key in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
