"""The ends of a sweep's jobs in Slurm: status and error by the job's folder, then by Slurm."""

import logging
import shutil
import time

from sightline.cluster.slurm import accounted_state
from sightline.config.schema import TrackingConfig
from sightline.errors import UserError
from sightline.runs.folder import RunFolder
from sightline.sweeps.jobs import Jobs, record_end
from sightline.sweeps.slurm.sbatch import FORGOTTEN, JobState
from sightline.sweeps.summary import SweepTracker
from sightline.sweeps.sweep import Sweep
from sightline.tracking.sender.client import upload_pending

log = logging.getLogger(__name__)

SETTLED_S = 2.0  # that an end must last: a job that is requeued may show one for a moment
VISIBLE_S = 60.0  # until a file that a node wrote is visible on every machine


class EndedJobs:
    """Records the ends of jobs, once they are certain.

    Args:
        sweep: the jobs.
        jobs: informed of ends.
        tracker: of the sweep.
    """

    def __init__(self, sweep: Sweep, jobs: Jobs, tracker: SweepTracker) -> None:
        self.sweep = sweep
        self.jobs = jobs
        self.tracker = tracker
        self._ended_s: dict[int, float] = {}  # when an end was first seen, by the monotonic clock

    def restarted(self, number: int) -> None:
        """Forget the end of a job that was requeued."""
        self._ended_s.pop(number, None)

    def record(self, number: int, state: JobState) -> bool:
        """Record the end of a job; False where its folder may not be up to date yet."""
        each = self.sweep.jobs[number]
        folder = each.folder
        if folder.results() is not None:
            record_end(self.jobs, self.tracker, number, None)
            return True
        since = self._ended_s.setdefault(number, time.monotonic())
        wait_s = VISIBLE_S if state.state == "COMPLETED" else SETTLED_S
        if time.monotonic() - since < wait_s:
            return False
        ended_as = state.state
        if ended_as == FORGOTTEN:
            ended_as = accounted_state(state.id) or "unknown (Slurm has forgotten it)"
        reason = f"Slurm job {state.id} ended: {ended_as}"
        status = "KILLED" if ended_as == "CANCELLED" else "FAILED"
        if not _mark_ended(each.config.tracking, folder, status, reason):
            return False
        error = folder.error or f"{reason}; {folder.output} holds its output"
        if record_end(self.jobs, self.tracker, number, error):
            self.tracker.states[number] = status
        return True


def _mark_ended(tracking: TrackingConfig, folder: RunFolder, status: str, reason: str) -> bool:
    """End a run whose status is still RUNNING; False where its process may still run."""
    if folder.status != "RUNNING":
        return True
    try:
        folder.mark_ended(status, reason)
    except UserError as error:
        log.info("its end is not recorded yet: %s", error)
        return False
    upload_pending(tracking, folder)
    return True


def forget_launch(sweep: Sweep) -> None:
    """Remove the files of a sweep or a search that Slurm refused."""
    for each in sweep.jobs:
        each.folder.unfreeze()
    folder = sweep.folder.path
    for name in ("slurm", "conf"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("slurm.json", "sweep.json", "optuna.db"):
        (folder / name).unlink(missing_ok=True)
