"""SQLite databases: whether one is damaged, and by which process it is locked."""

import contextlib
import sqlite3
from pathlib import Path
from urllib.parse import quote

import psutil

from sightline.errors import DamagedError, UserError

SQLITE = "sqlite:///"  # of a file's URI
LOCKS = Path("/proc/locks")
STORE_TABLE = "experiments"  # every store of MLflow has it
PATIENCE_S = 5  # for another process that writes


def check_sqlite(database: Path, patience_s: float = PATIENCE_S) -> None:
    """Refuse a database that is damaged, or locked by another process.

    Args:
        database: the file; it need not be there yet.
        patience_s: how long another process may hold it.

    Raises:
        DamagedError: its pages do not fit together.
        UserError: it is locked; names the process where that is known.
    """
    if not database.is_file():
        return
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=patience_s)) as connection:
            [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if is_locked(error):
            raise UserError(locked_message(database)) from error
        raise DamagedError(database, str(error)) from error
    if found != "ok":
        raise DamagedError(database, " ".join(found.split()))


def check_store(database: Path) -> None:
    """Refuse a database of another program, to which MLflow would add its tables.

    Args:
        database: the file; one without tables is nobody's.

    Raises:
        UserError: it has other tables, or is locked.
        DamagedError: it is no database.
    """
    if not database.is_file():
        return
    uri = f"file:{quote(str(database.absolute()))}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(uri, timeout=PATIENCE_S, uri=True)) as connection:
            found = connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            tables = {name for (name,) in found}
    except sqlite3.DatabaseError as error:
        if is_locked(error):
            raise UserError(locked_message(database)) from error
        raise DamagedError(database, str(error)) from error
    if tables and STORE_TABLE not in tables:
        raise UserError(
            f"{database} is no MLflow store but another program's database (its first table is "
            f"{min(tables)!r}), and was not changed. Give another file."
        )


def has_run(database: Path, run_id: str) -> bool:
    """Whether a database is a store of MLflow's that has this run; it is only read."""
    uri = f"file:{quote(str(database.absolute()))}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(uri, timeout=PATIENCE_S, uri=True)) as store:
            found = store.execute("SELECT 1 FROM runs WHERE run_uuid = ?", (run_id,))
            return found.fetchone() is not None
    except sqlite3.Error:
        return False


def is_locked(error: BaseException) -> bool:
    """Whether an error, of SQLite or of a library above it, says that the database is locked."""
    return "database is locked" in str(error) or "database table is locked" in str(error)


def locked_message(database: Path) -> str:
    """A sentence that says that a database is locked, and by which processes."""
    holders = [_name_of(pid) for pid in _holders(database)]
    by = f"by {', '.join(holders)}" if holders else "by another process"
    return f"{database} is locked {by}: wait until that ends, or stop it, and try again."


def _holders(database: Path) -> list[int]:
    """Processes of this machine that hold a lock on the database or on a file beside it."""
    files = [database, *(database.with_name(database.name + end) for end in ("-shm", "-wal"))]
    inodes = {str(path.stat().st_ino) for path in files if path.exists()}
    try:
        lines = [line.split() for line in LOCKS.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return []
    # NUMBER: POSIX ADVISORY WRITE PID MAJOR:MINOR:INODE START END; "->" marks one that waits
    found = [line for line in lines if "->" not in line and line[5].rpartition(":")[2] in inodes]
    return sorted({int(line[4]) for line in found if line[4].isdigit()})


def _name_of(pid: int) -> str:
    try:
        command = " ".join(psutil.Process(pid).cmdline())[:80]
    except psutil.Error:
        command = ""
    return f"process {pid} ({command})" if command else f"process {pid}"
