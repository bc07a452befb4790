"""A client of an MLflow store for commands that read runs."""

import os
from pathlib import Path

from mlflow import MlflowClient

from sightline.errors import UserError
from sightline.io.secrets import split_credentials, with_credentials
from sightline.paths import default_store
from sightline.tracking.mlflow.environment import set_request_environment
from sightline.tracking.mlflow.errors import STORE_ERRORS, unanswered
from sightline.tracking.mlflow.http_artifacts import register_repositories


def open_client(uri: str | None) -> MlflowClient:
    """A client for reading: of this store, of MLFLOW_TRACKING_URI, or of the project's own.

    Raises:
        UserError: there is no such store, or it does not answer.
    """
    address = with_credentials(uri or os.environ.get("MLFLOW_TRACKING_URI") or default_store())
    assert address is not None
    if address.startswith("sqlite:///") and not Path(address.removeprefix("sqlite:///")).is_file():
        raise UserError(
            f"There is no MLflow store {address}: nothing was trained here yet. Give another with "
            "tracking.uri=URI or MLFLOW_TRACKING_URI."
        )
    address, credentials = split_credentials(address)
    set_request_environment(credentials)
    register_repositories()
    try:
        return MlflowClient(address)
    except STORE_ERRORS as error:
        raise unanswered(address, error) from error
