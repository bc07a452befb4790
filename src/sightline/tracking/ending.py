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


def tell_end(tracking: TrackingConfig, folder: Path, status: str, why: str) -> None:
    """End a run that still says RUNNING, in its folder and in MLflow.

    Args:
        tracking: where the run is logged.
        folder: the run's own.
        status: FAILED or KILLED.
        why: how it is known.
    """
    if status_of(folder) != "RUNNING":
        return
    try:
        with working_in(folder):
            spool, now = Spool(journal_of(folder)), int(time.time() * 1000)
            spool.append({"op": "tags", "tags": {"error": why}, "time_ms": now})
            spool.append({"op": "status", "status": status, "time_ms": now}, sync=True)
    except UserError as error:
        log.warning("%s: its end is not told: %s", folder, error)
        return
    # Nothing is measured on this machine any more.
    tracking = tracking.model_copy(update={"system_metrics_interval_s": None})
    Connection(tracking, folder, patient=True).close()
