"""A sweep on Slurm: what is missing is submitted once, waited for, and its ends are told truly.

The jobs need nothing of the process that submitted them: it may go away, and the same command
finds them again by what it noted in the sweep's folder.
"""

import logging
import time
from dataclasses import replace

from sightline.alive import working_in
from sightline.errors import Interrupted, UserError
from sightline.progress import log_to
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
from sightline.sweeps.plan import Sweep
from sightline.sweeps.run import noting_signals, report_failures
from sightline.sweeps.submission import (
    SlurmOptions,
    Submission,
    array_options,
    make_arrays,
    new_submission,
    output_of,
    read_submissions,
    write_script,
    write_submissions,
)
from sightline.sweeps.summary import SweepTracker, said_error
from sightline.tracking.ending import tell_end

log = logging.getLogger(__name__)

POLL_S = (1.0, 10.0)  # at first, and when nothing happened for a while
VISIBLE_S = 60.0  # until a file that a node wrote is seen everywhere


class SlurmSweep:
    """Submits and watches the jobs of a sweep.

    Args:
        sweep: planned.
        options: of the launcher.
    """

    def __init__(self, sweep: Sweep, options: SlurmOptions) -> None:
        self.sweep = sweep
        self.options = options
        self.submissions = read_submissions(sweep.folder)
        self.waiting = {
            number for number, (_, job) in enumerate(sweep.jobs)
            if read_results(job.output_dir) is None
        }  # fmt: skip
        self.errors: dict[int, str] = {}
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
            raise UserError(f"Slurm refuses the jobs: {error}") from error

    def _submit(self, submission: Submission) -> None:
        """Note the name first: what was submitted is found by it whenever this process ends."""
        script = write_script(self.sweep, submission, self.options.setup)
        self.submissions.append(submission)
        write_submissions(self.sweep.folder, self.submissions)
        job = submit(array_options(self.sweep, submission, self.options), script)
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

    def cancel_waiting(self) -> list[int]:
        """Cancel the jobs that did not begin; their numbers."""
        numbers = [n for n in sorted(self.waiting) if self._states[n].state == "PENDING"]
        if numbers:
            cancel([self._states[number].id for number in numbers])
            self.waiting -= set(numbers)
        return numbers

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
        tell_end(config.tracking, job.output_dir, status, why)
        printed = output_of(self.sweep, state.id)
        self.errors[number] = said_error(job.output_dir) or f"{why}; what it printed: {printed}"
        log.error("job %d failed: %s", number, self.errors[number])
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
    with working_in(sweep.folder), log_to(sweep.folder / "sweep.log"), noting_signals() as came:
        jobs = SlurmSweep(sweep, options)
        jobs.start()
        tracker = SweepTracker(sweep)
        try:
            _wait(jobs, tracker, came)
        finally:
            tracker.close(going_on=bool(jobs.waiting))
        if came:
            log.warning("The jobs go on in Slurm; the same command waits for them again.")
            raise Interrupted(came[0])
    report_failures(sweep, jobs.errors)


def _wait(jobs: SlurmSweep, tracker: SweepTracker, came: list[int]) -> None:
    limit = jobs.sweep.jobs[0][0].sweep.max_failures
    pause_s, silent_since_s = POLL_S[0], None
    while jobs.waiting and not came:
        try:
            changed = jobs.poll()
            silent_since_s = None
            if limit is not None and len(jobs.errors) >= limit and (left := jobs.cancel_waiting()):
                log.warning("sweep.max_failures=%s: %d jobs are cancelled.", limit, len(left))
        except SlurmError as error:
            changed = False
            if silent_since_s is None:
                silent_since_s = time.monotonic()
                log.warning("Slurm does not answer (%s); it is asked again.", error)
        if changed:
            tracker.update(jobs.errors)
        pause_s = POLL_S[0] if changed else min(pause_s * 1.2, POLL_S[1])
        _sleep(pause_s, came)


def _sleep(seconds: float, came: list[int]) -> None:
    """Sleep, but not through a signal."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not came:
        time.sleep(0.1)


def _words(state: JobState) -> str:
    told = "" if state.reason in ("None", "") else f" ({state.reason})"
    return f"{state.id} {state.state}{told}"
