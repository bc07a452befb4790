"""A sweep on Slurm: what is missing is submitted once, waited for, and its ends are told truly.

The jobs need nothing of the process that submitted them: it may go away, and the same command
finds them again by what it noted in the sweep's folder.
"""

import logging
import time

from sightline.slurm import SlurmError
from sightline.sweeps.launched import Sweep, freeze_sweep
from sightline.sweeps.run import noting_signals, raise_failures, tracked
from sightline.sweeps.slurm_jobs import SlurmSweep
from sightline.sweeps.submission import SlurmOptions, processes
from sightline.sweeps.summary import SweepTracker

log = logging.getLogger(__name__)

POLL_S = (1.0, 10.0)  # at first, and when nothing happened for a while


def run_on_slurm(sweep: Sweep, options: SlurmOptions) -> None:
    """Submit the jobs that are missing and wait for all.

    Raises:
        UserError: Slurm refuses, or jobs failed; the summary says which and why.
        Interrupted: a signal ended the waiting; the jobs go on.
    """
    with noting_signals() as came, tracked(sweep, SweepTracker) as tracker:
        for config, _ in sweep.jobs:
            processes(config, options.gpus)  # refuses what cannot be, before anything is written
        freeze_sweep(sweep)
        jobs = SlurmSweep(sweep, options, tracker)
        jobs.start()
        tracker.begin()
        _wait(jobs, tracker, came)
        if came:
            tracker.stopped_by, tracker.goes_on = came[0], True
            tracker.states |= dict.fromkeys(jobs.at_work, "RUNNING")
            log.warning("The jobs go on in Slurm; the same command waits for them again. To end "
                        "them: scancel %s", " ".join(sorted(jobs.ids)))  # fmt: skip
    raise_failures(tracker)


def _wait(jobs: SlurmSweep, tracker: SweepTracker, came: list[int]) -> None:
    limit = jobs.sweep.max_failures
    pause_s, answers = POLL_S[0], True
    while jobs.waiting and not came:
        try:
            changed = jobs.poll()
            answers = True
            if limit is not None and len(tracker.errors) >= limit and (left := jobs.cancel()):
                log.warning("sweep.max_failures=%s: %d jobs are cancelled.", limit, len(left))
        except SlurmError as error:
            changed = False
            if answers:
                log.warning("Slurm does not answer (%s); it is asked again.", error)
            answers = False
        if changed:
            tracker.update(jobs.at_work)
        pause_s = POLL_S[0] if changed else min(pause_s * 1.2, POLL_S[1])
        _sleep(pause_s, came)


def _sleep(seconds: float, came: list[int]) -> None:
    """Sleep, but not through a signal."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not came:
        time.sleep(0.1)
