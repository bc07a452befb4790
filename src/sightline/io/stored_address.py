"""Stored addresses of MLflow stores: who named them decides whether credentials go there.

A run's folder holds the address of its store, and a stranger may have written it. MLflow sends the
user's name, password or token to whatever address it is given. So an address of a file is used
only where the user names it too, or where there is nothing secret to send.
"""

import os
import posixpath
import re
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from sightline.errors import UserError
from sightline.io.secrets import hide_password, with_credentials

NAMED = "MLFLOW_TRACKING_URI"
OVER_HTTP = (
    "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_TRACKING_CLIENT_CERT_PATH",
)  # fmt: skip
TO_DATABASES = ("PGPASSWORD", "PGPASSFILE", "PGSERVICEFILE", "MYSQL_PWD")
PORTS = {"http": 80, "https": 443}


def stored_address(uri: str | None, origin: object, given: str | None = None) -> str | None:
    """An address that a file holds, complete with the password of the environment.

    Args:
        uri: as it is stored; None: the project's own store.
        origin: where it is stored, for the message.
        given: the address that the command names, or None.

    Raises:
        UserError: credentials would go to an address that the user does not name, or the
            environment does not have the password of a database.
    """
    check_address(uri, origin, given)
    return with_credentials(uri)


def check_address(uri: str | None, origin: object, given: str | None = None) -> None:
    """Refuse an address of a file that would get credentials which are not meant for it.

    Raises:
        UserError: names this address and the user's own.
    """
    secrets = _sent_to(uri)
    named = [each for each in (given, os.environ.get(NAMED)) if each]
    if uri is None or not secrets or any(_is_under(uri, each) for each in named):
        return
    own = hide_password(named[0]) if named else f"none ({NAMED} is not set)"
    raise UserError(
        f"{origin} names the store {hide_password(uri)}, which would get {' and '.join(secrets)} "
        f"of this environment; the address that you name is {own}. If you trust that store, name "
        f"it: tracking.uri={hide_password(uri)}, or {NAMED}. Else give another tracking.uri, or "
        "unset these credentials."
    )


def _sent_to(uri: str | None) -> list[str]:
    """What MLflow would send to an address that has no password of its own in it."""
    scheme = urlsplit(uri).scheme.partition("+")[0] if uri else ""
    if scheme in PORTS:
        file = Path.home() / ".mlflow/credentials"
        return _set(OVER_HTTP) or ([str(file)] if file.is_file() else [])
    if scheme in ("postgresql", "mysql", "mssql"):
        file = Path.home() / ".pgpass"
        return _set(TO_DATABASES) or ([str(file)] if file.is_file() else [])
    return []


def _set(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if os.environ.get(name)]


def _is_under(uri: str, named: str) -> bool:
    """Whether an address is the named one, or a path below it."""
    one, other = urlsplit(uri), urlsplit(named)
    if one.scheme not in PORTS:
        return hide_password(uri) == hide_password(named)
    if re.search(r"[\\\s\x00-\x1f]", uri):  # libraries do not agree on the host of such an address
        return False
    path, above = _path(one), _path(other)
    return _host(one) == _host(other) and f"{path}/".startswith(f"{above.rstrip('/')}/")


def _host(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)


def _path(parts: SplitResult) -> str:
    return posixpath.normpath("/" + unquote(parts.path).lstrip("/"))
