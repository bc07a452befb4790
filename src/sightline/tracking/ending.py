"""Telling the end of a run whose process is gone and could not tell it."""

import logging
import time
from pathlib import Path

from sightline.alive import working_in
from sightline.config import TrackingConfig
from sightline.errors import UserError
from sightline.tracking.connection import Connection
from sightline.tracking.outbox import journal_of, status_of
from sightline.tracking.spool import Spool

log = logging.getLogger(__name__)


def tell_end(tracking: TrackingConfig, folder: Path, status: str, why: str) -> bool:
    """End a run that still says RUNNING, in its folder and in MLflow.

    False where a process may still be at work there; one on another machine is known to be gone
    only when it was silent for a while.

    Args:
        tracking: where the run is logged.
        folder: the run's own.
        status: FAILED or KILLED.
        why: how it is known.
    """
    if status_of(folder) != "RUNNING":
        return True
    try:
        with working_in(folder):
            spool, now = Spool(journal_of(folder)), int(time.time() * 1000)
            spool.append({"op": "tags", "tags": {"error": why}, "time_ms": now})
            spool.append({"op": "status", "status": status, "time_ms": now}, sync=True)
    except UserError as error:
        log.info("its end is not told yet: %s", error)
        return False
    # Nothing is measured on this machine any more.
    tracking = tracking.model_copy(update={"system_metrics_interval_s": None})
    Connection(tracking, folder, patient=True).close()
    return True
