"""What must not be read by others: passwords in addresses."""

import re
from urllib.parse import unquote, urlsplit

HIDDEN = "***@"  # in place of USER:PASSWORD@


def hide_password(text: str) -> str:
    """`text` with `***` for the user and password of every URI in it."""
    return re.sub(r"://[^/@\s]+@", f"://{HIDDEN}", text)


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
