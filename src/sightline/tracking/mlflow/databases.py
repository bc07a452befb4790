"""Stores in a database without a tracking server: a SQLite file, or a database server.

Each is created under a lock: MLflow's own first use of an empty database is a race that breaks it
when several runs start at once.
"""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import sqlalchemy
from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.entities import ViewType

# Not of MLflow's public interface; `MlflowClient` calls it for an empty database.
from mlflow.store.db.utils import _initialize_tables
from sqlalchemy.exc import SQLAlchemyError

from sightline.errors import UserError
from sightline.io.secrets import hide_password
from sightline.io.sqlite import check_store
from sightline.tracking.mlflow.errors import UnreachableError, short_message

log = logging.getLogger(__name__)

LOCK_TIMEOUT_S = 300  # for other processes that create the store
POSTGRES_LOCK = 5_316_904  # the key of Sightline's advisory lock
NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse", "glusterfs", "gpfs", "lustre", "ncpfs",
    "nfs", "nfs4", "orangefs", "panfs", "pvfs2", "smb2", "smb3", "smbfs", "virtiofs", "wekafs",
}  # fmt: skip
LOCAL_FUSE = {"fuse.fuse-overlayfs"}


@contextlib.contextmanager
def open_sqlite(database: Path) -> Iterator[MlflowClient]:
    """A client of the store in a file, created if need be; other processes wait inside.

    Raises:
        OSError, SQLAlchemyError, MlflowException: it cannot be used.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    network = network_file_system(database)
    if network is not None:
        log.warning(
            "The MLflow store %s lies on a network file system (%s), where SQLite's locks are slow "
            "and may fail: log to a tracking server, or give a local path (tracking.uri="
            "sqlite:////PATH).", database, network,
        )  # fmt: skip
    lock = FileLock(f"{database}.lock", timeout=LOCK_TIMEOUT_S)
    try:
        with lock:
            if not database.exists():
                _create(database)
            check_store(database)
            if network is None:
                _use_wal(database)
            client = MlflowClient(f"sqlite:///{database}")
            client.search_experiments(ViewType.ACTIVE_ONLY, max_results=1)  # migrates if need be
            yield client
    except (Timeout, NotImplementedError) as error:
        raise OSError(f"{lock.lock_file} cannot be locked: {error}") from error


@contextlib.contextmanager
def open_database(uri: str, timeout_s: float) -> Iterator[MlflowClient]:
    """A client of the store on a database server; other processes wait inside (PostgreSQL).

    Raises:
        UserError: it does not answer in time, or its driver is missing.
    """
    shown = hide_password(uri)
    try:
        engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool)
    except ModuleNotFoundError as error:
        raise UserError(
            f"tracking.uri={shown} needs {error.name}, which is not installed: "
            "pip install 'sightline[server]'."
        ) from error
    with _connect(engine, shown, timeout_s) as connection:
        if engine.dialect.name == "postgresql":  # until the connection is closed
            connection.execute(sqlalchemy.text(f"SELECT pg_advisory_lock({POSTGRES_LOCK})"))
        client = MlflowClient(uri)
        client.search_experiments(ViewType.ACTIVE_ONLY, max_results=1)
        yield client


def load_store() -> None:
    """Import what MLflow imports when it first opens such a store."""
    from mlflow.store.tracking import sqlalchemy_store  # noqa: F401


def network_file_system(path: Path) -> str | None:
    """The network file system of a path, which need not exist; None for a local one."""
    place = path.resolve()
    mounts = [part for part in psutil.disk_partitions(all=True)
              if place.is_relative_to(part.mountpoint)]  # fmt: skip
    if not mounts:
        return None
    kind = max(enumerate(mounts), key=lambda each: (len(each[1].mountpoint), each[0]))[1].fstype
    network = kind in NETWORK or (kind.startswith("fuse.") and kind not in LOCAL_FUSE)
    return kind if network else None


def _create(database: Path) -> None:
    """Create an empty store atomically: beside its place, then renamed."""
    partial = database.with_name(f".{database.name}.new")
    partial.unlink(missing_ok=True)
    engine = sqlalchemy.create_engine(f"sqlite:///{partial}")
    _initialize_tables(engine)
    engine.dispose()
    partial.replace(database)


def _use_wal(database: Path) -> None:
    """Let readers and a writer work at the same time."""
    with contextlib.closing(sqlite3.connect(database, timeout=5)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.DatabaseError as error:
            if "locked" not in str(error):
                raise OSError(str(error)) from error
            log.debug("%s is in use and keeps its journal mode", database)


def _connect(
    engine: sqlalchemy.Engine, shown: str, timeout_s: float
) -> contextlib.AbstractContextManager[sqlalchemy.Connection]:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return engine.connect()
        except SQLAlchemyError as error:
            if time.monotonic() > deadline:
                raise UnreachableError(
                    f"The database {shown} did not answer within {timeout_s:g} s: "
                    f"{short_message(error)}. Start it, correct tracking.uri, or continue "
                    "without it with tracking.offline=auto.",
                    short_message(error),
                ) from error
        time.sleep(min(0.5, max(0.05, deadline - time.monotonic())))
