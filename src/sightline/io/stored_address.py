"""Stored addresses of MLflow stores: who named them decides whether credentials go there.

A run's folder holds the address of its store, and a stranger may have written it. MLflow sends the
user's name, password or token to whatever address it is given, and migrates a database that it
opens. So an address of a file is used only where the user names it too, or where there is nothing
secret to send and no database outside the run's project to change.
"""

import os
import posixpath
import re
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from sightline.errors import UserError
from sightline.io.secrets import hide_password, with_credentials
from sightline.io.sqlite import has_run
from sightline.paths import STORE, project_root, root_above

NAMED = "MLFLOW_TRACKING_URI"
OVER_HTTP = (
    "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_TRACKING_CLIENT_CERT_PATH",
)  # fmt: skip
TO_DATABASES = ("PGPASSWORD", "PGPASSFILE", "PGSERVICEFILE", "MYSQL_PWD")
PORTS = {"http": 80, "https": 443}


def stored_address(
    uri: str | None, origin: object, given: str | None = None, run_id: str | None = None
) -> str | None:
    """An address that a file holds, complete with the password of the environment.

    Args:
        uri: as it is stored; None: the project's own store.
        origin: where it is stored, for the message.
        given: the address that the command names, or None.
        run_id: of the run in that store, or None.

    Raises:
        UserError: credentials would go to an address that the user does not name, it is another's
            database, or the environment does not have the password of a database.
    """
    check_address(uri, origin, given, run_id)
    return with_credentials(uri)


def check_address(
    uri: str | None, origin: object, given: str | None = None, run_id: str | None = None
) -> None:
    """Refuse an address of a file that is another's to use.

    Raises:
        UserError: credentials would go there that are not meant for it, or it is a database outside
            the project that does not have the run; names this address and the user's own.
    """
    named = [each for each in (given, os.environ.get(NAMED)) if each]
    if uri is None or any(_is_under(uri, each) for each in named):
        return
    secrets = _sent_to(uri)
    if secrets:
        what = f"would get {' and '.join(secrets)} of this environment"
    elif _scheme(uri) == "sqlite" and not _is_known(uri, origin, run_id):
        what = "is a database outside this project and the run's, and would be changed"
    else:
        return
    own = hide_password(named[0]) if named else f"none ({NAMED} is not set)"
    unset = ", or unset these credentials" if secrets else ""
    raise UserError(
        f"{origin} names the store {hide_password(uri)}, which {what}; the address that you name "
        f"is {own}. If you trust that store, name it: tracking.uri={hide_password(uri)}, or "
        f"{NAMED}. Else give another tracking.uri{unset}."
    )


def _scheme(uri: str) -> str:
    return urlsplit(uri).scheme.partition("+")[0]


def _is_known(uri: str, origin: object, run_id: str | None) -> bool:
    """Whether a SQLite file has the run, or lies in the project of this folder or of the run.

    A home folder that is a repository is no project: all of the user's databases lie in it.
    """
    place = uri.partition(":///")[2]
    if re.search(r"[?%#\x00]", place) or place.startswith("file:"):  # SQLAlchemy reads another path
        return False
    database = Path(place).resolve()
    if run_id is not None and has_run(database, run_id):
        return True
    roots = [project_root()]
    folder = Path(str(origin))
    if folder.is_absolute() and folder.is_dir():
        roots.append(root_above(folder))
    if any(database == (root / STORE).resolve() for root in roots):
        return True
    home = Path.home().resolve()
    own = [root.resolve() for root in roots if not home.is_relative_to(root.resolve())]
    return any(database.is_relative_to(root) for root in own)


def _sent_to(uri: str | None) -> list[str]:
    """What MLflow would send to an address that has no password of its own in it."""
    scheme = _scheme(uri) if uri else ""
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
