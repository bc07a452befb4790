"""Passwords in addresses: hidden in texts, passed on in environment variables."""

import os
import re
from urllib.parse import unquote, urlsplit

from sightline.errors import UserError

HIDDEN = "***@"  # in place of USER:PASSWORD@
# Up to the last @ before the path; and USER:PASSWORD@ of a password that should have been
# percent-encoded and holds characters that otherwise begin a path or a query.
_CREDENTIALS = re.compile(r"""://(?:[^/?\#\s"'<>]*@|[^/?\#\s"'<>:@\[]*:(?!\d+/)[^\s"'<>@]*@)""")
_PARAMETERS = re.compile(
    r"""([?&](?:[\w-]*(?:password|token|secret|signature|credential|api_?key)|sig)=)[^&\s"'<>]+""",
    re.IGNORECASE,
)


def hide_password(text: str) -> str:
    """`text` with `***` for the user and password of every URI in it."""
    return _PARAMETERS.sub(r"\1***", _CREDENTIALS.sub(f"://{HIDDEN}", text))


def credentials_for_children(uri: str | None) -> dict[str, str]:
    """Variables with an address and its passwords, for a process that reads a frozen config.

    It may send credentials there, or change that database, because its own environment names it.
    """
    if uri is None:
        return {}
    bare, credentials = split_credentials(uri)
    return {"MLFLOW_TRACKING_URI": bare} | credentials


def with_credentials(uri: str | None) -> str | None:
    """A frozen address with its hidden password, from the environment.

    Raises:
        UserError: the environment does not have it.
    """
    if uri is None or "***" not in uri:
        return uri
    if uri.startswith("http") and HIDDEN in uri:
        return uri.replace(HIDDEN, "")  # MLflow reads MLFLOW_TRACKING_USERNAME and _PASSWORD
    complete = os.environ.get("MLFLOW_TRACKING_URI")
    if complete is None or hide_password(complete) != uri:
        raise UserError(f"{uri}: the password is not stored; set MLFLOW_TRACKING_URI.")
    return complete


def split_credentials(uri: str) -> tuple[str, dict[str, str]]:
    """An http(s) address without user and password, and the variables that hold both for MLflow."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or parts.username is None:
        return uri, {}
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return bare, {
        "MLFLOW_TRACKING_USERNAME": unquote(parts.username),
        "MLFLOW_TRACKING_PASSWORD": unquote(parts.password or ""),
    }
