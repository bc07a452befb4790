"""The order of a sweep's jobs, as launchers ask for it, and the record of how each ended."""

import logging
from typing import Protocol

from sightline.errors import counted
from sightline.sweeps.summary import SweepTracker
from sightline.sweeps.sweep import Sweep, SweepJob

log = logging.getLogger(__name__)


class Jobs(Protocol):
    """A source of jobs that is informed of their ends: a fixed list, or the trials of a search."""

    def next_job(self) -> int | None:
        """The number of the next job to start; None where there is none now."""

    def should_prune(self, number: int) -> bool:
        """Whether a running job is to be stopped now; called at each poll."""

    def job_ended(self, number: int, error: str | None) -> str | None:
        """Record the end of a job.

        Args:
            number: the job's.
            error: None where it finished.

        Returns:
            the error that counts, such as one of a result that cannot be used.
        """


class ListedJobs:
    """The jobs of a sweep that are not finished, in their order.

    Args:
        sweep: with all of its jobs.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.waiting = [
            number for number, each in enumerate(sweep.jobs) if each.folder.results() is None
        ]

    def announce(self) -> None:
        """Log how many there are, and how many of them are finished."""
        done = len(self.sweep.jobs) - len(self.waiting)
        log.info("sweep:   %s, %s%s", self.sweep.name, counted(len(self.sweep.jobs), "job"),
                 f", {done} of them finished before" if done else "")  # fmt: skip

    def next_job(self) -> int | None:
        """The next that waits."""
        return self.waiting.pop(0) if self.waiting else None

    def should_prune(self, number: int) -> bool:
        """Never."""
        return False

    def job_ended(self, number: int, error: str | None) -> str | None:
        """The error as it is: no other job depends on it."""
        return error


def announce_job(number: int, each: SweepJob, note: str) -> None:
    """Log that a job starts, or was found running."""
    log.info("job %d:   %s%s", number, " ".join(each.job.apart or each.job.overrides), note)


def record_end(jobs: Jobs, tracker: SweepTracker, number: int, error: str | None) -> bool:
    """Record the end of a job; whether it counts as failed."""
    error = jobs.job_ended(number, error)
    if error is None:
        return False
    tracker.errors[number] = error
    log.error("job %d failed: %s", number, error)
    return True
