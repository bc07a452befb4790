"""Names of runs that a local store or this disk cannot have: refused before MLflow is imported."""

import contextlib
import os
import re
import sqlite3
from pathlib import Path

from sightline.errors import UserError, did_you_mean
from sightline.io.secrets import hide_password, with_credentials
from sightline.io.sqlite import SQLITE, check_store
from sightline.metrics.monitor import direction_of
from sightline.paths import default_store

SHORTEST_ID = 4  # characters of an id that name a run
FORMS = (
    f"an id or its first {SHORTEST_ID} characters, runs:/ID, a folder, a run's name, latest, "
    "best:METRIC such as best:val/accuracy, or models:/NAME@ALIAS"
)
LATEST, BEST, MODEL = "latest", "best:", "models:/"
GROUP = "group:"  # before the name of a group of runs, where a command takes several


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
            f"There is no MLflow store {address}: nothing was uploaded to it yet. Give another "
            "with tracking.uri=URI or MLFLOW_TRACKING_URI, or name a run by its folder."
        )
    check_store(database)
    return address


def check_run_name(wanted: str, uri: str | None) -> None:
    """Refuse what names no run: neither a path, nor a run of a store in a file on this machine.

    Stores on a server and groups are left to the command itself, and so is which run of several
    `latest` and `best:METRIC` name.

    Raises:
        UserError: with the names that are near.
    """
    if Path(wanted).expanduser().exists():
        return
    if wanted.endswith(".ckpt") and not wanted.startswith("runs:/"):
        raise UserError(f"There is no checkpoint {Path(wanted).expanduser()}.")
    address = store_address(uri)
    if not address.startswith(SQLITE) or wanted.startswith(GROUP):
        return
    database = Path(address.removeprefix(SQLITE))
    if wanted == LATEST:
        known = _rows(database, "SELECT 1 FROM runs WHERE status = 'FINISHED' LIMIT 1")
        if known == []:
            raise no_training(wanted, address)
    elif wanted.startswith(BEST):
        logged = logged_metric(wanted.removeprefix(BEST))
        known = _rows(database, "SELECT 1 FROM latest_metrics WHERE key = ? LIMIT 1", logged)
        if known == []:
            raise no_training(wanted, address, f" with the metric {logged}")
    elif wanted.startswith(MODEL):
        model = model_named(wanted)[0]
        names = _rows(database, "SELECT name FROM registered_models")
        if names is not None and model not in names:
            raise unknown_model(wanted, address, names)
    else:
        found = _look_up(database, wanted)
        if found is not None:
            raise unknown_run(wanted, address, found)


def logged_metric(key: str) -> str:
    """The key under which a run logs the value at its best checkpoint of `best:KEY`.

    Raises:
        UserError: it is no split and metric of Sightline's.
    """
    split, _, metric = key.partition("/")
    if not metric or direction_of(key, ()) is None:
        raise UserError(
            f"run={BEST}{key}: expected a split and one of Sightline's metrics, such as "
            f"{BEST}val/accuracy."
        )
    return f"val_best/{metric}" if split == "val" else key


def model_named(name: str) -> tuple[str, str | None, str | None]:
    """Name, alias and version of `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    Raises:
        UserError: it is of another form.
    """
    matched = re.fullmatch(r"models:/([^/@]+)(?:@([^/@]+)|/(\d+))", name)
    if matched is None:
        raise UserError(f"run={name}: expected models:/NAME@ALIAS or models:/NAME/VERSION.")
    return matched[1], matched[2], matched[3]


def no_training(wanted: str, address: str, what: str = "") -> UserError:
    """The error where a store has no finished training yet, or none with `what`."""
    return UserError(f"run={wanted}: {hide_password(address)} has no finished training{what} yet.")


def unknown_model(wanted: str, address: str, names: list[str]) -> UserError:
    """The error for a registered model that a store does not have; `names` are those it has."""
    store, model = hide_password(address), model_named(wanted)[0]
    return UserError(
        f"run={wanted}: {store} has no such registered model.{did_you_mean(model, names)}"
    )


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
    query = "SELECT 1 FROM runs WHERE name = ? OR run_uuid LIKE ? LIMIT 1"
    if _rows(database, query, name, start) != []:
        return None
    return _rows(database, "SELECT name FROM runs WHERE name <> ''")


def _rows(database: Path, query: str, *values: str) -> list[str] | None:
    """The first column of a query's rows; None where the store cannot be read."""
    try:
        with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as store:
            return [str(row[0]) for row in store.execute(query, values)]
    except sqlite3.Error:  # damaged, locked, or of another version: MLflow says what is wrong
        return None
