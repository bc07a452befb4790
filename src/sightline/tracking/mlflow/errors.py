"""Errors of uploads to MLflow: retryable, to be fixed by the user, or refusals."""

import re
from pathlib import Path

import requests
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from sightline.errors import UserError, first_line
from sightline.io.redaction import redact
from sightline.io.sqlite import SQLITE, is_locked, locked_message

# Errors of the store, the network or the file system; after each, an upload can be retried.
UPLOAD_ERRORS = (MlflowException, SQLAlchemyError, OSError, requests.RequestException, UserError)
STORE_ERRORS = (MlflowException, SQLAlchemyError)  # of a store that is read
# HTTP statuses below 500 after which the same request may succeed later.
RETRYABLE_STATUSES = (401, 403, 408, 429)


class UnreachableError(UserError):
    """A store that does not answer.

    Attributes:
        problem: the reason, in a few words.
    """

    def __init__(self, message: str, problem: str) -> None:
        super().__init__(message)
        self.problem = problem


class UploadError(Exception):
    """A record that no store can take, such as one whose file is gone."""


def http_status(error: BaseException) -> int | None:
    """The HTTP status of an answer, or that of the error in it; None without an answer."""
    if isinstance(error, MlflowException):
        status = re.search(r"failed with error code (\d{3}) ", str(error))
        if status is not None:
            return int(status[1])
        return None if _cause(error) else int(error.get_http_status_code())
    response = getattr(error, "response", None)
    return None if response is None else int(response.status_code)


def is_refusal(error: BaseException) -> bool:
    """Whether the same request would be refused again, provided that the run still exists."""
    if isinstance(error, UploadError):
        return True
    status = http_status(error)
    return (
        status is not None
        and (400 <= status < 500 or status == 501)
        and status not in RETRYABLE_STATUSES
    )


def short_message(error: BaseException) -> str:
    """The error in a line, without passwords."""
    cause = _cause(error)
    if cause is not None:
        status = re.search(r"too many (\d{3}) error responses", str(cause))
        return f"HTTP status {status[1]}" if status is not None else type(cause).__name__
    line = first_line(error)
    return redact(line)[:500]


def unanswered(uri: str, error: BaseException) -> UserError:
    """The message for a store that does not answer, or that another process has locked."""
    if is_locked(error) and uri.startswith(SQLITE):
        return UserError(locked_message(Path(uri.removeprefix(SQLITE))))
    return UserError(redact(f"{uri} does not answer: {first_line(error)}"))


def describe(error: BaseException) -> str:
    """The error as a sentence without its full stop."""
    if isinstance(error, UnreachableError):
        return f"MLflow cannot be reached ({error.problem})"
    if http_status(error) is None and not isinstance(error, UserError):
        return f"MLflow cannot be reached ({short_message(error)})"
    return f"MLflow does not accept the run's records ({short_message(error).rstrip('.')})"


def _cause(error: BaseException) -> BaseException | None:
    """The failed connection behind an exception of MLflow's."""
    cause = error.__cause__ or error.__context__
    network = isinstance(cause, requests.RequestException)
    return cause if isinstance(error, MlflowException) and network else None
