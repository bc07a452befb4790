"""Environment of the processes that call MLflow: one try for a request, and short timeouts.

It is set once, when such a process starts; MLflow reads it at each request.
"""

import os
from collections.abc import Mapping

# The sender retries by itself; what MLflow retries unseen may arrive twice.
ONE_TRY = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
# Defaults: values of the user's own environment take precedence.
DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "PGCONNECT_TIMEOUT": "10",
}


def request_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment with the settings of requests to MLflow."""
    return DEFAULTS | dict(environment) | ONE_TRY


def set_request_environment(credentials: Mapping[str, str] | None = None) -> None:
    """Give this process the settings, and the credentials of the store that it uses."""
    os.environ.update(request_environment(os.environ) | dict(credentials or {}))
