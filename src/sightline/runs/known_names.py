"""Names of runs that a local store or this disk cannot have: refused before MLflow is imported."""

import contextlib
import os
import re
import sqlite3
from pathlib import Path

from sightline.errors import UserError, did_you_mean
from sightline.io.secrets import hide_password, with_credentials
from sightline.io.sqlite import SQLITE, check_store
from sightline.paths import default_store

SHORTEST_ID = 4  # characters of an id that name a run
FORMS = (
    f"an id or its first {SHORTEST_ID} characters, runs:/ID, a folder, a run's name, latest, "
    "best:METRIC such as best:val/accuracy, or models:/NAME@ALIAS"
)
LATEST, BEST, MODEL = "latest", "best:", "models:/"


def store_address(uri: str | None) -> str:
    """The address of this store, of MLFLOW_TRACKING_URI, or of the project's own.

    Raises:
        UserError: it is a file of SQLite that is not there, or of another program.
    """
    address = with_credentials(uri or os.environ.get("MLFLOW_TRACKING_URI") or default_store())
    assert address is not None
    if not address.startswith(SQLITE):
        return address
    database = Path(address.removeprefix(SQLITE))
    if not database.is_file():
        raise UserError(
            f"There is no MLflow store {address}: nothing was trained here yet. Give another with "
            "tracking.uri=URI or MLFLOW_TRACKING_URI."
        )
    check_store(database)
    return address


def check_run_name(wanted: str, uri: str | None) -> None:
    """Refuse what names no run: neither a path, nor a run of a store in a file on this machine.

    Names that need MLflow (`latest`, `best:METRIC`, a registered model) and stores on a server are
    left to the command itself.

    Raises:
        UserError: with the names that are near.
    """
    if Path(wanted).expanduser().exists():
        return
    if wanted.endswith(".ckpt") and not wanted.startswith("runs:/"):
        raise UserError(f"There is no checkpoint {Path(wanted).expanduser()}.")
    address = store_address(uri)
    if wanted == LATEST or wanted.startswith((BEST, MODEL)) or not address.startswith(SQLITE):
        return
    found = _look_up(Path(address.removeprefix(SQLITE)), wanted)
    if found is not None:
        raise unknown_run(wanted, address, found)


def unknown_run(wanted: str, address: str, names: list[str]) -> UserError:
    """The error for a name that no run of a store has.

    Args:
        wanted: the name.
        address: of the store.
        names: of its runs.
    """
    store = hide_password(address)
    if wanted.startswith("runs:/") or re.fullmatch(r"[0-9a-f]{32}", wanted):
        return UserError(
            f"run={wanted}: no such folder or file, and {store} has no run with this id."
        )
    return UserError(
        f"run={wanted}: no such folder or file, and {store} has no such run."
        f"{did_you_mean(wanted, names)} A run is named by {FORMS}."
    )


def _look_up(database: Path, wanted: str) -> list[str] | None:
    """The names of all runs where none is called so; None where one may be."""
    name = wanted.removeprefix("runs:/").split("/")[0] if wanted.startswith("runs:/") else wanted
    is_start = len(name) >= SHORTEST_ID and re.fullmatch("[0-9a-f]+", name)
    start = f"{name}%" if is_start else name
    try:
        with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as store:
            query = "SELECT 1 FROM runs WHERE name = ? OR run_uuid LIKE ? LIMIT 1"
            if store.execute(query, (name, start)).fetchone() is not None:
                return None
            return [str(each) for (each,) in store.execute("SELECT name FROM runs") if each]
    except sqlite3.Error:  # damaged, locked, or of another version: MLflow says what is wrong
        return None
