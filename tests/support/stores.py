"""MLflow stores in SQLite files: their copies."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def copy_store(database: Path, to: Path) -> None:
    """Copy a store that may be open: what its write-ahead log holds is in the copy too."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)
