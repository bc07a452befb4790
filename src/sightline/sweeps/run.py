"""A sweep on this machine, and what every sweep has around its jobs: lock, log, run in MLflow."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sightline.errors import Interrupted, UserError, counted
from sightline.io.console import log_to
from sightline.runs.unbegun import RUN, SWEEP, check_unbegun, undone_unless_begun
from sightline.sweeps.jobs import ListedJobs
from sightline.sweeps.local import run_jobs
from sightline.sweeps.slots import check_n_jobs, make_slots
from sightline.sweeps.summary import SweepTracker
from sightline.sweeps.sweep import Sweep, freeze_sweep
from sightline.tracking.sender.client import upload_pending

log = logging.getLogger(__name__)


def run_sweep(sweep: Sweep, n_jobs: int) -> None:
    """Run the jobs that are not finished, each in a process of its own.

    Args:
        sweep: planned.
        n_jobs: how many at a time.

    Raises:
        UserError: jobs failed; the message names each with its error.
        Interrupted: a signal stopped the sweep; the jobs that ran saved their state.
    """
    check_n_jobs(n_jobs)
    slots = make_slots(n_jobs, [each.config for each in sweep.jobs])
    with tracked(sweep) as tracker:
        freeze_sweep(sweep)
        jobs = ListedJobs(sweep)
        tracker.start()
        jobs.announce()
        run_jobs(jobs, slots, tracker, sweep)
    raise_failures(tracker)


@contextmanager
def tracked(
    sweep: Sweep, make: Callable[[Sweep], SweepTracker] = SweepTracker
) -> Iterator[SweepTracker]:
    """Hold the sweep's folder and its run in MLflow; a sweep that cannot start leaves no files."""
    check_unbegun(sweep.folder.path, SWEEP, "hydra.sweep.dir")
    for each in sweep.jobs:
        check_unbegun(each.folder.path, RUN, "hydra.sweep.subdir")
    with (
        sweep.folder.lock(),
        undone_unless_begun(sweep.folder.path, SWEEP),
        log_to(sweep.folder.path / "sweep.log"),
    ):
        for note in sweep.notes:
            log.warning("%s", note)
        tracker = make(sweep)
        try:
            tracker.connect()
            yield tracker
            if tracker.stopped_by is None:
                _flush_jobs(sweep)
        finally:
            tracker.close()


def _flush_jobs(sweep: Sweep) -> None:
    """Upload what jobs could not, as where one was killed at its end; until an upload fails."""
    for each in sweep.jobs:
        if each.config.tracking.offline is not True and each.folder.upload.count_pending():
            upload_pending(each.config.tracking, each.folder)
            if each.folder.upload.count_pending():
                return


def raise_failures(tracker: SweepTracker) -> None:
    """Raise where a signal stopped the sweep, or jobs failed.

    Raises:
        UserError: names each failed job with its error.
        Interrupted: by the signal.
    """
    if tracker.stopped_by is not None:
        raise Interrupted(tracker.stopped_by)
    errors = tracker.errors
    if errors:
        lines = "".join(
            f"\n  job {number}: {error.splitlines()[0]}" for number, error in sorted(errors.items())
        )
        raise UserError(
            f"{counted(len(errors), 'job')} of the sweep failed:{lines}\n"
            f"{tracker.sweep.folder.path / 'summary.csv'} and errors/ beside it have more. The "
            "same command runs what is missing."
        )
