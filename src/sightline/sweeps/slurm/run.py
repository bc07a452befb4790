"""A sweep on Slurm: what is missing is submitted once, waited for, and its ends are told truly.

The jobs need nothing of the process that submitted them: it may go away, and the same command
finds them again by what it noted in the sweep's folder.
"""

import logging
import time
from contextlib import suppress

from sightline.cluster.slurm import SlurmError
from sightline.errors import UserError
from sightline.sweeps.run import Jobs, Listed, raise_failures, record_signals, tracked
from sightline.sweeps.slurm.jobs import SlurmJobs
from sightline.sweeps.slurm.submission import SlurmOptions, processes
from sightline.sweeps.sweep import Sweep, freeze_sweep

log = logging.getLogger(__name__)

POLL_S = (1.0, 10.0)  # at first, and when nothing happened for a while


def run_on_slurm(sweep: Sweep, options: SlurmOptions) -> None:
    """Submit the jobs that are missing and wait for all.

    Raises:
        UserError: Slurm refuses, or jobs failed; the summary says which and why.
        Interrupted: a signal ended the waiting; the jobs go on.
    """
    with record_signals() as came, tracked(sweep) as tracker:
        for config, _ in sweep.jobs:
            processes(config, options.gpus)  # refuses what cannot be, before anything is written
        freeze_sweep(sweep)
        listed = Listed(sweep)
        listed.announce()
        # All at once: Slurm itself starts no more than n_jobs, also while this process is away.
        work_on_slurm(SlurmJobs(sweep, options, listed, tracker), None, came)
    raise_failures(tracker)


def work_on_slurm(slurm: SlurmJobs, at_once: int | None, came: list[int]) -> None:
    """Submit the jobs and wait for them.

    Args:
        slurm: the jobs.
        at_once: how many are in Slurm at a time; None: all.
        came: signals that came; one ends the waiting.

    Raises:
        UserError: Slurm refuses the first of them; none is submitted.
    """
    tracker, limit = slurm.tracker, slurm.sweep.max_failures
    held = _take(slurm.jobs, at_once)
    try:
        slurm.launch(held)
    except SlurmError as error:
        with suppress(SlurmError):  # what cannot be cancelled stays noted, and is found again
            slurm.take_back()
        raise UserError(f"Slurm does not take the jobs: {error}") from error
    held = []
    tracker.start()
    pause_s, answers = POLL_S[0], True
    while (slurm.waiting or held) and not came:
        changed = False
        try:
            changed = slurm.poll()
            if limit is not None and len(tracker.errors) >= limit:
                held = []
                if left := slurm.cancel():
                    log.warning("sweep.max_failures=%s: %d jobs are cancelled.", limit, len(left))
            else:
                free = None if at_once is None else at_once - len(slurm.waiting)
                held = held or _take(slurm.jobs, free)
                slurm.launch(held)
                held = []
            answers = True
        except SlurmError as error:
            if answers:
                log.warning("Slurm does not answer (%s); it is asked again.", error)
            answers = False
        if changed:
            tracker.update(slurm.at_work)
        pause_s = POLL_S[0] if changed else min(pause_s * 1.2, POLL_S[1])
        _sleep(pause_s, came)
    if came:
        tracker.stopped_by, tracker.goes_on = came[0], True
        tracker.states |= dict.fromkeys(slurm.at_work, "RUNNING")
        log.warning("The jobs go on in Slurm; the same command waits for them again. To end "
                    "them: scancel %s", " ".join(sorted(slurm.ids)))  # fmt: skip


def _take(jobs: Jobs, count: int | None) -> list[int]:
    """The numbers of the next jobs; all that there are where no count is given."""
    taken: list[int] = []
    while (count is None or len(taken) < count) and (job := jobs.take()) is not None:
        taken.append(job[0])
    return taken


def _sleep(seconds: float, came: list[int]) -> None:
    """Sleep, but not through a signal."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not came:
        time.sleep(0.1)
