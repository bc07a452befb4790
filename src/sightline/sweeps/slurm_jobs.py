"""A sweep's jobs in Slurm: submitted once, found again, and judged when they end."""

import logging
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sightline.config import TrackingConfig
from sightline.errors import UserError
from sightline.run_folder import read_results
from sightline.slurm import SlurmError, accounted_state
from sightline.sweeps.launched import Sweep
from sightline.sweeps.process import output_of, said_error
from sightline.sweeps.sbatch import FORGOTTEN, JobState, cancel, max_array_size, states, submit
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
from sightline.tracking.connection import send_rest
from sightline.tracking.ending import mark_ended
from sightline.tracking.outbox import status_of
from sightline.tracking.secrets import credentials_for_children

log = logging.getLogger(__name__)

SETTLED_S = 2.0  # that an end must last: a job that is queued again may show one for a moment
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
            with suppress(SlurmError):  # what cannot be cancelled stays noted, and is found again
                self._take_back(before)
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

    def _take_back(self, before: list[Submission]) -> None:
        """Cancel by their names: Slurm may have taken jobs whose numbers it could not say."""
        for each in self.submissions[len(before) :]:
            cancel([f"--name={each.name}"])
        write_submissions(self.sweep.folder, before)
        if self.sweep.new:
            _forget(self.sweep)

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
        """Cancel the jobs that never began; their numbers."""
        numbers = [
            number for number in sorted(self.waiting)
            if self._states[number].state == "PENDING"
            and status_of(self.sweep.jobs[number][1].output_dir) is None
        ]  # fmt: skip
        if numbers:
            cancel([self._states[number].id for number in numbers])
            self.waiting -= set(numbers)
        return numbers

    @property
    def ids(self) -> set[str]:
        """What Slurm calls the arrays of the jobs that are waited for."""
        return {each.id for each in self.submissions if each.id and self.waiting & set(each.jobs)}

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
        patience_s = VISIBLE_S if state.state == "COMPLETED" else SETTLED_S
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


def _tell_end(tracking: TrackingConfig, folder: Path, status: str, why: str) -> bool:
    """End a run that still says RUNNING; False where it may still be at work."""
    if status_of(folder) != "RUNNING":
        return True
    try:
        mark_ended(folder, status, why)
    except UserError as error:
        log.info("its end is not told yet: %s", error)
        return False
    send_rest(tracking, folder)
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


def _words(state: JobState) -> str:
    told = "" if state.reason in ("None", "") else f" ({state.reason})"
    return f"{state.id} {state.state}{told}"
