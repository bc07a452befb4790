"""A sweep on Slurm: what is missing is submitted once, waited for, and its ends are told truly.

The jobs need nothing of the process that submitted them: it may go away, and the same command
finds them again by what it noted in the sweep's folder.
"""

import logging
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sightline.config import TrackingConfig
from sightline.errors import UserError
from sightline.run_folder import read_results
from sightline.slurm import (
    FORGOTTEN,
    JobState,
    SlurmError,
    accounted_state,
    cancel,
    max_array_size,
    states,
    submit,
)
from sightline.sweeps.launched import Sweep, freeze_sweep
from sightline.sweeps.process import output_of, said_error
from sightline.sweeps.run import noting_signals, raise_failures, tracked
from sightline.sweeps.submission import (
    SlurmOptions,
    Submission,
    array_options,
    make_arrays,
    new_submission,
    read_submissions,
    write_script,
    write_submissions,
)
from sightline.sweeps.summary import SweepTracker
from sightline.tracking.connection import Connection
from sightline.tracking.ending import mark_ended
from sightline.tracking.outbox import status_of
from sightline.tracking.secrets import credentials_for_children

log = logging.getLogger(__name__)

POLL_S = (1.0, 10.0)  # at first, and when nothing happened for a while
VISIBLE_S = 60.0  # until a file that a node wrote is seen everywhere


class SlurmSweep:
    """Submits and watches the jobs of a sweep.

    Args:
        sweep: planned, and frozen.
        options: of the launcher.
        tracker: hears of its jobs.
    """

    def __init__(self, sweep: Sweep, options: SlurmOptions, tracker: SweepTracker) -> None:
        self.sweep = sweep
        self.tracker = tracker
        self.options = options
        self.submissions = read_submissions(sweep.folder)
        self.waiting = {
            number for number, (_, job) in enumerate(sweep.jobs)
            if read_results(job.output_dir) is None
        }  # fmt: skip
        self._states: dict[int, JobState] = {}
        self._ended_s: dict[int, float] = {}

    def start(self) -> None:
        """Submit the jobs that are neither finished nor known to Slurm.

        Raises:
            UserError: Slurm refuses; none of them is submitted.
        """
        try:
            alive = {number for number, state in self._ask().items() if not state.ended}
        except SlurmError as error:
            raise UserError(f"Slurm does not answer: {error}") from error
        alive &= self.waiting
        missing = sorted(self.waiting - alive)
        limit = max_array_size()
        log.info("sweep:   %s, %d jobs: %d finished before, %d in Slurm, %d to submit",
                 self.sweep.name, len(self.sweep.jobs), len(self.sweep.jobs) - len(self.waiting),
                 len(alive), len(missing))  # fmt: skip
        before = list(self.submissions)
        try:
            for numbers in make_arrays(self.sweep, missing, self.options.gpus, limit):
                self._submit(new_submission(numbers, limit))
        except SlurmError as error:
            ours = [each.id for each in self.submissions[len(before) :] if each.id]
            if ours:
                cancel(ours)
            write_submissions(self.sweep.folder, before)
            if self.sweep.new:
                _forget(self.sweep)
            raise UserError(f"Slurm refuses the jobs: {error}") from error

    def _submit(self, submission: Submission) -> None:
        """Note the name first: what was submitted is found by it whenever this process ends."""
        for number in submission.jobs:
            (self.sweep.jobs[number][1].output_dir / "error.txt").unlink(missing_ok=True)
        script = write_script(self.sweep, submission, self.options.setup)
        self.submissions.append(submission)
        write_submissions(self.sweep.folder, self.submissions)
        own = credentials_for_children(self.sweep.tracking.uri)
        job = submit(array_options(self.sweep, submission, self.options), script, own)
        self.submissions[-1] = replace(submission, id=job)
        write_submissions(self.sweep.folder, self.submissions)
        log.info("slurm:   %s: jobs %s", job, ", ".join(map(str, submission.jobs)))

    def poll(self) -> bool:
        """Look once; whether something changed.

        Raises:
            SlurmError: Slurm does not answer.
        """
        found = self._ask()
        changed = False
        for number in sorted(self.waiting):
            state = found[number]
            if self._states.get(number) != state:
                self._states[number] = state
                log.info("job %d:   %s", number, _words(state))
                changed = True
            if not state.ended:
                self._ended_s.pop(number, None)
            elif self._conclude(number, state):
                self.waiting.discard(number)
                changed = True
        return changed

    def cancel(self) -> list[int]:
        """Cancel the jobs that did not begin; their numbers."""
        numbers = [n for n in sorted(self.waiting) if self._states[n].state == "PENDING"]
        if numbers:
            cancel([self._states[number].id for number in numbers])
            self.waiting -= set(numbers)
        return numbers

    @property
    def at_work(self) -> set[int]:
        """The numbers of the jobs that run."""
        return {n for n in self.waiting if self._states[n].state in ("RUNNING", "COMPLETING")}

    def _conclude(self, number: int, state: JobState) -> bool:
        """Judge a job that ended, by its folder; False where its folder may not be up to date."""
        config, job = self.sweep.jobs[number]
        if read_results(job.output_dir) is not None:
            return True
        since = self._ended_s.setdefault(number, time.monotonic())
        patience_s = VISIBLE_S if state.state == "COMPLETED" else 2 * POLL_S[0]
        if time.monotonic() - since < patience_s:
            return False
        ended_as = state.state
        if ended_as == FORGOTTEN:
            ended_as = accounted_state(state.id) or "unknown (Slurm has forgotten it)"
        why = f"Slurm job {state.id} ended: {ended_as}"
        status = "KILLED" if ended_as == "CANCELLED" else "FAILED"
        if not _tell_end(config.tracking, job.output_dir, status, why):
            return False
        printed = f"{why}; {output_of(job.output_dir)} holds what it printed"
        self.tracker.states[number] = status
        self.tracker.errors[number] = said_error(job.output_dir) or printed
        log.error("job %d failed: %s", number, self.tracker.errors[number])
        return True

    def _ask(self) -> dict[int, JobState]:
        """How the jobs stand that were ever submitted, by their numbers."""
        if not self.submissions:
            return {}
        known = states([each.name for each in self.submissions])
        found = {}
        for each in self.submissions:  # of a job that was submitted again, the last one counts
            for number in each.jobs:
                index = number - each.first
                forgotten = JobState(f"{each.id}_{index}", FORGOTTEN)
                found[number] = known.get((each.name, index), forgotten)
        return found


def run_on_slurm(sweep: Sweep, options: SlurmOptions) -> None:
    """Submit the jobs that are missing and wait for all.

    Raises:
        UserError: Slurm refuses, or jobs failed; the summary says which and why.
        Interrupted: a signal ended the waiting; the jobs go on.
    """
    with noting_signals() as came, tracked(sweep, SweepTracker) as tracker:
        freeze_sweep(sweep)
        jobs = SlurmSweep(sweep, options, tracker)
        jobs.start()
        tracker.begin()
        _wait(jobs, tracker, came)
        if came:
            tracker.stopped_by, tracker.goes_on = came[0], True
            tracker.states |= dict.fromkeys(jobs.at_work, "RUNNING")
            log.warning("The jobs go on in Slurm; the same command waits for them again.")
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


def _tell_end(tracking: TrackingConfig, folder: Path, status: str, why: str) -> bool:
    """End a run that still says RUNNING; False where it may still be at work."""
    if status_of(folder) != "RUNNING":
        return True
    try:
        mark_ended(folder, status, why)
    except UserError as error:
        log.info("its end is not told yet: %s", error)
        return False
    # Nothing is measured on this machine.
    tracking = tracking.model_copy(update={"system_metrics_interval_s": None})
    Connection(tracking, folder, patient=True).close()
    return True


def _forget(sweep: Sweep) -> None:
    """Remove what was written of a sweep that Slurm refused."""
    for _, job in sweep.jobs:
        (job.output_dir / "run.json").unlink()
        with suppress(OSError):  # there was something else
            job.output_dir.rmdir()
    shutil.rmtree(sweep.folder / "slurm")
    for name in ("slurm.json", "sweep.json"):
        (sweep.folder / name).unlink()


def _sleep(seconds: float, came: list[int]) -> None:
    """Sleep, but not through a signal."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not came:
        time.sleep(0.1)


def _words(state: JobState) -> str:
    told = "" if state.reason in ("None", "") else f" ({state.reason})"
    return f"{state.id} {state.state}{told}"
