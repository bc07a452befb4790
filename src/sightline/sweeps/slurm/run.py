"""The run of a sweep on Slurm: missing jobs are submitted once, polled, and their ends recorded.

The jobs do not depend on the process that submitted them: it may end, and the same command finds
them again by the submissions that are recorded in the sweep's folder.
"""

import logging
import time
from contextlib import suppress

from sightline.cluster.slurm import SlurmError
from sightline.errors import UserError, counted
from sightline.sweeps.jobs import Jobs, ListedJobs
from sightline.sweeps.run import raise_failures, tracked
from sightline.sweeps.signals import record_signals
from sightline.sweeps.slurm.jobs import SlurmJobs
from sightline.sweeps.slurm.submission import SlurmOptions, processes
from sightline.sweeps.sweep import Sweep, freeze_sweep

log = logging.getLogger(__name__)

POLL_S = (1.0, 10.0)  # at first, and when nothing changed for a while


def run_on_slurm(sweep: Sweep, options: SlurmOptions) -> None:
    """Submit the jobs that are missing and wait for all.

    Raises:
        UserError: Slurm refuses a job, or jobs failed; the message names each.
        Interrupted: a signal ended the waiting; the jobs run on.
    """
    with record_signals() as received, tracked(sweep) as tracker:
        for each in sweep.jobs:
            processes(each.config, options.gpus)  # raises before anything is written
        freeze_sweep(sweep)
        listed = ListedJobs(sweep)
        listed.announce()
        # All at once: Slurm itself starts no more than n_jobs, also when this process has ended.
        submit_and_wait(SlurmJobs(sweep, options, listed, tracker), None, received)
    raise_failures(tracker)


def submit_and_wait(slurm: SlurmJobs, at_once: int | None, received: list[int]) -> None:
    """Submit the jobs and wait for them.

    Args:
        slurm: the jobs.
        at_once: how many are in Slurm at a time; None: all.
        received: signals; one ends the waiting.

    Raises:
        UserError: Slurm refuses the first of them; none is submitted.
    """
    _submit_first(slurm, at_once)
    tracker = slurm.tracker
    tracker.start()
    pause_s, answers = POLL_S[0], True
    held: list[int] = []  # taken, but not submitted yet
    while (slurm.waiting or held) and not received:
        changed = False
        try:
            changed = slurm.poll()
            if _too_many_failed(slurm):
                held = []
            else:
                free = None if at_once is None else at_once - len(slurm.waiting)
                held = held or _next_jobs(slurm.jobs, free)
                slurm.launch(held)
                held = []
            answers = True
        except SlurmError as error:
            if answers:
                log.warning("Slurm does not answer (%s); it is asked again.", error)
            answers = False
        if changed:
            tracker.update(slurm.running)
        pause_s = POLL_S[0] if changed else min(pause_s * 1.2, POLL_S[1])
        _sleep(pause_s, received)
    if received:
        tracker.stopped_by, tracker.continues = received[0], True
        tracker.states |= dict.fromkeys(slurm.running, "RUNNING")
        log.warning("The jobs run on in Slurm; the same command waits for them again. To end "
                    "them: scancel %s", " ".join(sorted(slurm.ids)))  # fmt: skip


def _submit_first(slurm: SlurmJobs, at_once: int | None) -> None:
    try:
        slurm.launch(_next_jobs(slurm.jobs, at_once))
    except SlurmError as error:
        with suppress(SlurmError):  # jobs that cannot be cancelled stay recorded, and are found
            slurm.cancel_submission()
        raise UserError(f"Slurm does not accept the jobs: {error}") from error


def _too_many_failed(slurm: SlurmJobs) -> bool:
    """Whether `sweep.max_failures` is reached; jobs that did not start are then cancelled."""
    limit = slurm.sweep.max_failures
    if limit is None or len(slurm.tracker.errors) < limit:
        return False
    if cancelled := slurm.cancel():
        log.warning("sweep.max_failures=%s: %s cancelled.", limit, counted(len(cancelled), "job"))
    return True


def _next_jobs(jobs: Jobs, count: int | None) -> list[int]:
    """The numbers of the next jobs; of all where no count is given."""
    numbers: list[int] = []
    while (count is None or len(numbers) < count) and (number := jobs.next_job()) is not None:
        numbers.append(number)
    return numbers


def _sleep(seconds: float, received: list[int]) -> None:
    """Sleep until a signal is received."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not received:
        time.sleep(0.1)
