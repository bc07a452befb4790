"""Telling the end of a run whose process is gone and could not tell it."""

import time
from pathlib import Path

from sightline.alive import working_in
from sightline.tracking.outbox import journal_of
from sightline.tracking.spool import Spool


def mark_ended(folder: Path, status: str, evidence: str) -> None:
    """Write into a run's spool how it ended.

    Args:
        folder: the run's own.
        status: FAILED or KILLED.
        evidence: how it is known.

    Raises:
        UserError: a process works there, or may; one on another machine is known to be gone only
            when it was silent for a while.
    """
    with working_in(folder):
        spool, now = Spool(journal_of(folder)), int(time.time() * 1000)
        tags = {"error": evidence, "reaped": evidence}
        spool.append({"op": "tags", "tags": tags, "time_ms": now})
        spool.append({"op": "status", "status": status, "time_ms": now}, sync=True)
        spool.close()
