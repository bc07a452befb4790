"""What must not be read by others: passwords in addresses."""

import os
import re
from urllib.parse import unquote, urlsplit

from sightline.errors import UserError

HIDDEN = "***@"  # in place of USER:PASSWORD@
# Up to the last @ of the address's first part; and USER:PASSWORD@ of a password that should have
# been percent-encoded, in which what looks like the end of that part may occur.
_CREDENTIALS = re.compile(r"""://(?:[^/?\#\s"'<>]*@|[^/?\#\s"'<>:@\[]*:(?!\d+/)[^\s"'<>@]*@)""")
_PARAMETERS = re.compile(r"""([?&](?:\w*password|\w*token|\w*secret)=)[^&\s"'<>]+""", re.IGNORECASE)


def hide_password(text: str) -> str:
    """`text` with `***` for the user and password of every URI in it."""
    return _PARAMETERS.sub(r"\1***", _CREDENTIALS.sub(f"://{HIDDEN}", text))


def credentials_for_children(uri: str | None) -> dict[str, str]:
    """The variables by which a process that reads a frozen config gets at the passwords again."""
    if uri is None or hide_password(uri) == uri:
        return {}
    return split_credentials(uri)[1] or {"MLFLOW_TRACKING_URI": uri}


def with_credentials(uri: str | None) -> str | None:
    """A frozen address with what was hidden in it, from the environment.

    Raises:
        UserError: it is not there.
    """
    if uri is None or "***" not in uri:
        return uri
    if (
        uri.startswith("http") and HIDDEN in uri
    ):  # MLflow itself reads MLFLOW_TRACKING_USERNAME and _PASSWORD
        return uri.replace(HIDDEN, "")
    whole = os.environ.get("MLFLOW_TRACKING_URI")
    if whole is None or hide_password(whole) != uri:
        raise UserError(f"{uri}: the password is not kept; give MLFLOW_TRACKING_URI.")
    return whole


def split_credentials(uri: str) -> tuple[str, dict[str, str]]:
    """An http(s) address without user and password, and the variables that tell MLflow both."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or parts.username is None:
        return uri, {}
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return bare, {
        "MLFLOW_TRACKING_USERNAME": unquote(parts.username),
        "MLFLOW_TRACKING_PASSWORD": unquote(parts.password or ""),
    }
