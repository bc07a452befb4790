"""Telling the end of a run whose process is gone and could not tell it."""

import time
from pathlib import Path

from sightline.runs.journal.file import JournalWriter
from sightline.runs.journal.outbox import journal_path
from sightline.runs.lock import run_lock


def mark_ended(folder: Path, status: str, evidence: str) -> None:
    """Write into a run's journal how it ended.

    Args:
        folder: the run's own.
        status: FAILED or KILLED.
        evidence: how it is known.

    Raises:
        UserError: a process works there, or may; one on another machine is known to be gone only
            when it was silent for a while.
    """
    with run_lock(folder):
        journal, now = JournalWriter(journal_path(folder)), int(time.time() * 1000)
        tags = {"error": evidence, "reaped": evidence}
        journal.append({"op": "tags", "tags": tags, "time_ms": now})
        journal.append({"op": "status", "status": status, "time_ms": now}, sync=True)
        journal.close()
