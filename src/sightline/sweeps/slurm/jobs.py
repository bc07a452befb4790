"""A sweep's jobs in Slurm: submitted once, found again, and judged when they end."""

import logging
import shutil
import time
from dataclasses import replace

from sightline.cluster.slurm import accounted_state
from sightline.config.schema import TrackingConfig
from sightline.errors import UserError
from sightline.io.secrets import credentials_for_children
from sightline.runs.folder import RunFolder
from sightline.sweeps.run import Jobs, announce_job, record_end
from sightline.sweeps.slurm.sbatch import (
    FORGOTTEN,
    JobState,
    cancel,
    max_array_size,
    states,
    submit,
)
from sightline.sweeps.slurm.submission import (
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
from sightline.sweeps.sweep import Sweep
from sightline.tracking.sender.client import upload_pending

log = logging.getLogger(__name__)

SETTLED_S = 2.0  # that an end must last: a job that is queued again may show one for a moment
WORKING = ("RUNNING", "COMPLETING")
VISIBLE_S = 60.0  # until a file that a node wrote is seen everywhere


class SlurmJobs:
    """Submits jobs of a sweep, watches them, and says how they ended.

    Args:
        sweep: planned, and launched.
        options: of the launcher.
        jobs: hears how they end, and says which are to be given up.
        tracker: of the sweep.

    Attributes:
        waiting: numbers of the jobs in Slurm that did not end.
    """

    def __init__(
        self, sweep: Sweep, options: SlurmOptions, jobs: Jobs, tracker: SweepTracker
    ) -> None:
        self.sweep = sweep
        self.options = options
        self.jobs = jobs
        self.tracker = tracker
        self.submissions = read_submissions(sweep.folder)
        self.waiting: set[int] = set()
        self._before = list(self.submissions)
        self._states: dict[int, JobState] = {}
        self._ended_s: dict[int, float] = {}
        self._given_up: dict[int, bool] = {}  # and whether they were told

    def launch(self, numbers: list[int]) -> None:
        """Wait for these jobs too; those that Slurm does not have are submitted.

        Raises:
            SlurmError: Slurm does not answer, or refuses.
        """
        if not numbers:
            return
        alive = {number for number, state in self._ask(set(numbers)).items() if not state.ended}
        for number in numbers:
            note = " (in Slurm already)" if number in alive else ""
            announce_job(number, self.sweep.jobs[number][1], note)
        missing = [number for number in numbers if number not in alive]
        limit = max_array_size()
        for array in make_arrays(self.sweep, missing, self.options.gpus, limit):
            self._submit(new_submission(array, limit))
        self.waiting |= set(numbers)

    def _submit(self, submission: Submission) -> None:
        """Note the name first: what was submitted is found by it whenever this process ends."""
        for number in submission.jobs:
            RunFolder(self.sweep.jobs[number][1].output_dir).error = ""
        script = write_script(self.sweep, submission, self.options.setup)
        self.submissions.append(submission)
        write_submissions(self.sweep.folder, self.submissions)
        own = credentials_for_children(self.sweep.tracking.uri)
        job = submit(array_options(self.sweep, submission, self.options), script, own)
        self.submissions[-1] = replace(submission, id=job)
        write_submissions(self.sweep.folder, self.submissions)
        log.info("slurm:   %s: jobs %s", job, ", ".join(map(str, submission.jobs)))

    def take_back(self) -> None:
        """Cancel what was submitted; of a sweep that is new nothing stays.

        Raises:
            SlurmError: Slurm does not answer.
        """
        # By their names: Slurm may have taken jobs whose numbers it could not say.
        for each in self.submissions[len(self._before) :]:
            cancel([f"--name={each.name}"])
        write_submissions(self.sweep.folder, self._before)
        if self.sweep.new:
            _forget(self.sweep)

    def poll(self) -> bool:
        """Look once; whether something changed.

        Raises:
            SlurmError: Slurm does not answer.
        """
        found = self._ask(self.waiting)
        changed = False
        for number in sorted(self.waiting):
            state = found[number]
            if self._states.get(number) != state:
                self._states[number] = state
                log.info("job %d:   %s", number, _words(state))
                changed = True
            if not state.ended:
                self._ended_s.pop(number, None)
                if self.jobs.gives_up(number):
                    self._given_up.setdefault(number, False)
                if number in self._given_up:
                    self._stop(number, state)
            elif self._conclude(number, state):
                self.waiting.discard(number)
                changed = True
        return changed

    def _stop(self, number: int, state: JobState) -> None:
        """End a job that is given up: one that runs ends by itself, with what it told."""
        if state.state == "PENDING":  # it was taken off its machine meanwhile
            cancel([state.id])
        elif not self._given_up[number]:
            cancel(["--signal=INT", state.id])  # SIGTERM means something else under Slurm
            self._given_up[number] = True

    def cancel(self) -> list[int]:
        """Cancel the jobs that never began; their numbers."""
        numbers = [
            number for number in sorted(self.waiting)
            if self._states[number].state == "PENDING"
            and RunFolder(self.sweep.jobs[number][1].output_dir).status is None
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
        working = {n for n, state in self._states.items() if state.state in WORKING}
        return working & self.waiting

    def _conclude(self, number: int, state: JobState) -> bool:
        """Judge a job that ended, by its folder; False where its folder may not be up to date."""
        config, job = self.sweep.jobs[number]
        if RunFolder(job.output_dir).results() is not None:
            record_end(self.jobs, self.tracker, number, None)
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
        if not _tell_end(config.tracking, RunFolder(job.output_dir), status, why):
            return False
        printed = f"{why}; {RunFolder(job.output_dir).output} holds what it printed"
        error = RunFolder(job.output_dir).error or printed
        if record_end(self.jobs, self.tracker, number, error):
            self.tracker.states[number] = status
        return True

    def _ask(self, numbers: set[int]) -> dict[int, JobState]:
        """How those of these jobs stand that were ever submitted, by their numbers."""
        submissions = [each for each in self.submissions if numbers & set(each.jobs)]
        if not submissions:
            return {}
        known = states([each.name for each in submissions])
        found = {}
        for each in submissions:  # of a job that was submitted again, the last one counts
            for number in numbers & set(each.jobs):
                index = number - each.first
                forgotten = JobState(f"{each.id}_{index}", FORGOTTEN)
                found[number] = known.get((each.name, index), forgotten)
        return found


def _tell_end(tracking: TrackingConfig, folder: RunFolder, status: str, why: str) -> bool:
    """End a run that still says RUNNING; False where it may still be at work."""
    if folder.status != "RUNNING":
        return True
    try:
        folder.mark_ended(status, why)
    except UserError as error:
        log.info("its end is not told yet: %s", error)
        return False
    upload_pending(tracking, folder)
    return True


def _forget(sweep: Sweep) -> None:
    """Remove what was written of a sweep or a search that Slurm refused."""
    for _, job in sweep.jobs:
        RunFolder(job.output_dir).unfreeze()
    for name in ("slurm", "conf"):
        shutil.rmtree(sweep.folder / name, ignore_errors=True)
    for name in ("slurm.json", "sweep.json", "optuna.db"):
        (sweep.folder / name).unlink(missing_ok=True)


def _words(state: JobState) -> str:
    told = "" if state.reason in ("None", "") else f" ({state.reason})"
    return f"{state.id} {state.state}{told}"
