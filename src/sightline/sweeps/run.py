"""Running a sweep: slots, one process a job, until no job is missing or too many failed."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from sightline.config.schema import Job, TrainConfig
from sightline.errors import Interrupted, UserError
from sightline.io.console import log_to
from sightline.io.secrets import hide_password
from sightline.runs.folder import RunFolder
from sightline.sweeps.process import Running, error_of, start, working_process
from sightline.sweeps.slots import Slot, check_n_jobs, make_slots
from sightline.sweeps.summary import SweepTracker
from sightline.sweeps.sweep import Sweep, freeze_sweep
from sightline.tracking.sender.client import upload_pending
from sightline.training.job import remove_if_refused

log = logging.getLogger(__name__)

POLL_S = 0.2
LAST_WORDS_S = 15  # what jobs may take to end after a second signal


class Jobs(Protocol):
    """Where a sweep's jobs come from, and who hears of them."""

    def take(self) -> tuple[int, TrainConfig, Job] | None:
        """The number, config and place of the next job to start; None where there is none now."""

    def gives_up(self, number: int) -> bool:
        """Whether a job that runs is to be stopped now; it is asked for again and again."""

    def ended(self, number: int, error: str | None) -> str | None:
        """Hear that a job ended, with its error; the error that counts is returned."""


class Listed:
    """Jobs that are all known beforehand: those that did not finish, in their order."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.waiting = [
            (number, config, job)
            for number, (config, job) in enumerate(sweep.jobs)
            if RunFolder(job.output_dir).results() is None
        ]

    def announce(self) -> None:
        """Say how many there are, and how many of them are finished."""
        done = len(self.sweep.jobs) - len(self.waiting)
        log.info("sweep:   %s, %d jobs%s", self.sweep.name, len(self.sweep.jobs),
                 f", {done} of them finished before" if done else "")  # fmt: skip

    def take(self) -> tuple[int, TrainConfig, Job] | None:
        """The next that waits."""
        return self.waiting.pop(0) if self.waiting else None

    def gives_up(self, number: int) -> bool:
        """Nothing depends on how it goes."""
        return False

    def ended(self, number: int, error: str | None) -> str | None:
        """Nothing depends on how it ended."""
        return error


def run_sweep(sweep: Sweep, n_jobs: int) -> None:
    """Run the jobs that did not finish, each in a process of its own.

    Args:
        sweep: planned.
        n_jobs: how many at a time.

    Raises:
        UserError: jobs failed; the summary says which and why.
        Interrupted: a signal stopped the sweep; the jobs that ran saved their state.
    """
    check_n_jobs(n_jobs)
    slots = make_slots(n_jobs, [config for config, _ in sweep.jobs])
    with tracked(sweep) as tracker:
        freeze_sweep(sweep)
        jobs = Listed(sweep)
        tracker.start()
        jobs.announce()
        run_jobs(jobs, slots, tracker, sweep)
    raise_failures(tracker)


@contextmanager
def tracked(
    sweep: Sweep, make: Callable[[Sweep], SweepTracker] = SweepTracker
) -> Iterator[SweepTracker]:
    """Hold the sweep's folder and its run in MLflow; of a sweep that cannot start nothing stays."""
    with (
        remove_if_refused(sweep.folder),
        RunFolder(sweep.folder).lock(),
        log_to(sweep.folder / "sweep.log"),
    ):
        for note in sweep.notes:
            log.warning("%s", note)
        tracker = make(sweep)
        try:
            tracker.connect()
            yield tracker
            if tracker.stopped_by is None:
                _send_rest_of_jobs(sweep)
        finally:
            tracker.close()


def _send_rest_of_jobs(sweep: Sweep) -> None:
    """Bring what jobs could not, as where one was killed at its end; until that fails."""
    for config, job in sweep.jobs:
        if config.tracking.offline is not True and RunFolder(job.output_dir).upload.count_pending():
            upload_pending(config.tracking, RunFolder(job.output_dir))
            if RunFolder(job.output_dir).upload.count_pending():
                return


def raise_failures(tracker: SweepTracker) -> None:
    """Say what became of the sweep where not all of it went well."""
    if tracker.stopped_by is not None:
        raise Interrupted(tracker.stopped_by)
    errors = tracker.errors
    if errors:
        said = "".join(
            f"\n  job {number}: {error.splitlines()[0]}" for number, error in sorted(errors.items())
        )
        raise UserError(
            f"{len(errors)} job{'s' * (len(errors) > 1)} of the sweep failed:{said}\n"
            f"{tracker.sweep.folder / 'summary.csv'} and errors/ beside it say more. The same "
            "command runs what is missing."
        )


def run_jobs(jobs: Jobs, free: list[Slot], tracker: SweepTracker, sweep: Sweep) -> None:
    """Run all that `jobs` gives, as many at a time as there are slots."""
    running: list[Running] = []
    limit = sweep.max_failures
    with record_signals() as came:
        heeded = 0
        while True:
            too_many = limit is not None and len(tracker.errors) >= limit
            while free and not came and not too_many and (taken := jobs.take()) is not None:
                running.append(_start(*taken, free.pop(0)))
                tracker.update_table({each.number for each in running})
            if not running:
                break
            time.sleep(POLL_S)
            heeded = _pass_on(came, heeded, running)
            for each in list(running):
                gone = each.ended()
                each.repeat_output()
                if jobs.gives_up(each.number):
                    each.send(signal.SIGINT)
                if gone:
                    running.remove(each)
                    _after(each, running, jobs, tracker, free, bool(came))
        if came:
            tracker.stopped_by = came[0]
        elif too_many:
            log.warning("sweep.max_failures=%s is reached: no further job is started.", limit)


def _start(number: int, config: TrainConfig, job: Job, slot: Slot) -> Running:
    running = start(number, config, job, slot)
    at_work = "" if running.process else f" (at work already, process {running.pid})"
    announce_job(number, job, at_work)
    return running


def announce_job(number: int, job: Job, note: str) -> None:
    """Say which job starts, or was found at work."""
    log.info("job %d:   %s%s", number, hide_password(" ".join(job.overrides)), note)


def record_end(jobs: Jobs, tracker: SweepTracker, number: int, error: str | None) -> bool:
    """Take in that a job ended, with its error; whether it counts as failed."""
    error = jobs.ended(number, error)
    if error is None:
        return False
    tracker.errors[number] = error
    log.error("job %d failed: %s", number, error)
    return True


def _after(
    each: Running, running: list[Running], jobs: Jobs, tracker: SweepTracker, free: list[Slot],
    stopping: bool,
) -> None:  # fmt: skip
    """Take in a job that ended; go on with one that an earlier command started and lost."""
    error = error_of(each)
    folder = RunFolder(each.job.output_dir)
    left_off = each.process is None or working_process(folder.path) is not None
    if error is not None and left_off and not stopping and folder.pruned is None:
        running.append(_start(each.number, each.config, each.job, each.slot))
        return
    free.append(each.slot)
    each.send(signal.SIGKILL)  # ranks that its first process left behind
    if not stopping:
        record_end(jobs, tracker, each.number, error)
    tracker.update({each.number for each in running})


def _pass_on(came: list[int], heeded: int, running: list[Running]) -> int:
    """Pass new signals on to the jobs; those that a second one does not end are killed."""
    for signum in came[heeded:]:
        for each in running:
            each.send(signum)
        if len(came) > 1:
            deadline = time.monotonic() + LAST_WORDS_S
            while time.monotonic() < deadline and not all(each.ended() for each in running):
                time.sleep(POLL_S)
            for each in running:
                if not each.ended():
                    each.send(signal.SIGKILL)
    return len(came)


@contextmanager
def record_signals() -> Iterator[list[int]]:
    """Note Ctrl-C and SIGTERM inside."""
    came: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        came.append(signum)

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {signum: signal.signal(signum, note) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
