"""A client of an MLflow store for commands that read runs."""

from mlflow import MlflowClient

from sightline.io.secrets import split_credentials
from sightline.runs.known_names import store_address
from sightline.tracking.mlflow.environment import set_request_environment
from sightline.tracking.mlflow.errors import STORE_ERRORS, unanswered
from sightline.tracking.mlflow.http_artifacts import register_repositories


def open_client(uri: str | None) -> MlflowClient:
    """A client for reading: of this store, of MLFLOW_TRACKING_URI, or of the project's own.

    Raises:
        UserError: there is no such store, or it does not answer.
    """
    address, credentials = split_credentials(store_address(uri))
    set_request_environment(credentials)
    register_repositories()
    try:
        return MlflowClient(address)
    except STORE_ERRORS as error:
        raise unanswered(address, error) from error
