"""What goes wrong on the way to MLflow: what passes, what a person can mend, what is refused."""

import re

import requests
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from sightline.errors import UserError
from sightline.io.secrets import hide_password

# Whatever the store, the network or the file system may raise; each passes, or can be mended.
UPLOAD_ERRORS = (MlflowException, SQLAlchemyError, OSError, requests.RequestException, UserError)
RETRYABLE_STATUSES = (
    401,
    403,
    408,
    429,
)  # HTTP statuses below 500 after which the same may be taken later


class UnreachableError(UserError):
    """A store that does not answer.

    Attributes:
        problem: how it failed to, in a few words.
    """

    def __init__(self, message: str, problem: str) -> None:
        super().__init__(message)
        self.problem = problem


class UploadError(Exception):
    """A record that cannot be sent whatever the store does, such as one whose file is gone."""


def http_status(error: BaseException) -> int | None:
    """The status that a server answered with, or would have; None where it did not answer."""
    if isinstance(error, MlflowException):
        said = re.search(r"failed with error code (\d{3}) ", str(error))
        if said is not None:
            return int(said[1])
        return None if _cause(error) else int(error.get_http_status_code())
    response = getattr(error, "response", None)
    return None if response is None else int(response.status_code)


def is_refusal(error: BaseException) -> bool:
    """Whether the same would be refused again; only where the store and the run are sound."""
    if isinstance(error, UploadError):
        return True
    status = http_status(error)
    return (
        status is not None
        and (400 <= status < 500 or status == 501)
        and status not in RETRYABLE_STATUSES
    )


def short_message(error: BaseException) -> str:
    """What went wrong, in a line, without passwords."""
    cause = _cause(error)
    if cause is not None:
        status = re.search(r"too many (\d{3}) error responses", str(cause))
        return f"HTTP status {status[1]}" if status is not None else type(cause).__name__
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return hide_password(line[:500])


def describe(error: BaseException) -> str:
    """What went wrong, as a sentence without its full stop."""
    if isinstance(error, UnreachableError):
        return f"MLflow cannot be reached ({error.problem})"
    if http_status(error) is None and not isinstance(error, UserError):
        return f"MLflow cannot be reached ({short_message(error)})"
    return f"MLflow does not take what the run tells ({short_message(error).rstrip('.')})"


def _cause(error: BaseException) -> BaseException | None:
    """The failure of the connection that MLflow puts into an exception of its own."""
    cause = error.__cause__ or error.__context__
    network = isinstance(cause, requests.RequestException)
    return cause if isinstance(error, MlflowException) and network else None
