"""The MLflow store of runs: opened, made ready, and probed for an answer."""

import math
import re
import time
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request, verify_rest_response

from sightline.config.schema import TrackingConfig
from sightline.errors import UserError
from sightline.io.secrets import hide_password
from sightline.io.sqlite import SQLITE, is_locked, locked_message
from sightline.paths import default_store, project_root
from sightline.tracking.mlflow.databases import open_database, open_sqlite
from sightline.tracking.mlflow.errors import (
    UPLOAD_ERRORS,
    UnreachableError,
    http_status,
    short_message,
)
from sightline.tracking.mlflow.http_artifacts import register_repositories
from sightline.tracking.mlflow.tags import EXPERIMENT_KIND
from sightline.tracking.mlflow.views import replace_former_views

KIND = "custom_model_development"  # MLflow's word: its UI opens the runs, not traces
PROBE = "/api/2.0/mlflow/experiments/get-by-name"


@dataclass(frozen=True)
class Store:
    """An MLflow store that is ready, and the experiment in it."""

    client: MlflowClient
    uri: str
    experiment_id: str


def open_store(config: TrackingConfig) -> Store:
    """Open the store that the config names, or the project's own.

    Raises:
        UserError: the store cannot be written, the server does not answer within
            `start_timeout_s` or refuses the credentials, or the experiment was deleted.
    """
    uri = config.uri or default_store()
    register_repositories()
    try:
        return _open(uri, config)
    except UPLOAD_ERRORS as error:
        if isinstance(error, UserError):
            raise
        if is_locked(error) and uri.startswith(SQLITE):
            raise UserError(locked_message(Path(uri.removeprefix(SQLITE)))) from error
        raise UserError(
            f"Cannot use the MLflow store {hide_password(uri)}: {short_message(error)}."
        ) from error


def _open(uri: str, config: TrackingConfig) -> Store:
    name = config.experiment
    folder = re.sub(r"[^\w.-]+", "_", name)
    if uri.startswith("sqlite:///"):
        database = Path(uri.removeprefix("sqlite:///")).absolute()
        _check_path(database)
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
            "database URI; MLflow no longer stores runs in plain folders."
        )
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    if experiment.lifecycle_stage != "active":
        raise UserError(
            f"tracking.experiment={name}: this experiment was deleted. Restore it "
            f"(mlflow experiments restore -x {experiment.experiment_id}) or choose another name."
        )
    replace_former_views(client, experiment)
    if experiment.tags.get(EXPERIMENT_KIND) != KIND:
        client.set_experiment_tag(experiment.experiment_id, EXPERIMENT_KIND, KIND)
    return Store(client, uri, experiment.experiment_id)


def _check_path(database: Path) -> None:
    """Refuse a path that SQLAlchemy and MLflow would read as another one."""
    found = re.search(r"\?|%[0-9A-Fa-f]{2}", str(database))
    if found:
        raise UserError(
            f"tracking.uri: MLflow cannot open a SQLite store under {database.parent}, because of "
            f"the characters {found[0]!r} in this path. Rename the folder, or give the store "
            "another place: tracking.uri=sqlite:///FILE."
        )


def _ensure_experiment(client: MlflowClient, name: str, artifacts: str | None) -> None:
    if client.get_experiment_by_name(name) is not None:
        return
    try:
        client.create_experiment(name, artifact_location=artifacts)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another job was faster
            raise


def _reach_server(uri: str, config: TrackingConfig) -> MlflowClient:
    """A client of a server that answered as MLflow does within `start_timeout_s`."""
    deadline = time.monotonic() + config.start_timeout_s
    shown = hide_password(uri)
    while True:
        try:
            _probe(uri, config)
        except MlflowException as error:
            status, problem = http_status(error), short_message(error)
        except ValueError:
            status, problem = 404, "its answer is not MLflow's"
        else:
            return MlflowClient(uri)
        if status in (401, 403):
            raise UserError(
                f"The tracking server {shown} refuses access (HTTP status {status}). Set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
            )
        if status is not None and 400 <= status < 500 and status not in (408, 429):
            raise UserError(f"{shown} is no tracking server of MLflow: {problem}.")
        if time.monotonic() > deadline:
            raise UnreachableError(
                f"The tracking server {shown} did not answer within {config.start_timeout_s:g} s "
                f"({problem}). Start it, correct tracking.uri (or MLFLOW_TRACKING_URI), continue "
                "without it with tracking.offline=auto, or log locally with tracking.uri=null.",
                problem,
            )
        time.sleep(min(0.5, max(0.05, deadline - time.monotonic())))


def _probe(uri: str, config: TrackingConfig) -> None:
    """Request the experiment once, with a timeout of its own; it need not exist yet.

    Raises:
        MlflowException: the server does not answer, or refuses.
        ValueError: its answer is not one of MLflow's.
    """
    response = http_request(
        get_default_host_creds(uri), PROBE, "GET", max_retries=0,
        timeout=max(1, math.floor(config.start_timeout_s)),
        params={"experiment_name": config.experiment},
    )  # fmt: skip
    try:
        verify_rest_response(response, PROBE)
        if "experiment" not in response.json():
            raise ValueError("there is no experiment in the answer")
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
