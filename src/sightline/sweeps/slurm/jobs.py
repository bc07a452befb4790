"""The jobs of a sweep in Slurm: submitted once, found again by name, polled, cancelled."""

import logging
from dataclasses import replace

from sightline.runs.hidden import environment_for
from sightline.sweeps.jobs import Jobs, announce_job
from sightline.sweeps.slurm.ends import EndedJobs, forget_launch
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

log = logging.getLogger(__name__)

WORKING = ("RUNNING", "COMPLETING")


class SlurmJobs:
    """Submits the jobs of a sweep, polls their states, and records their ends.

    Args:
        sweep: planned, and launched.
        options: of the launcher.
        jobs: informed of ends; names the jobs to prune.
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
        self.submissions = read_submissions(sweep.folder.path)
        self.waiting: set[int] = set()
        self._before = list(self.submissions)
        self._states: dict[int, JobState] = {}
        self._ended = EndedJobs(sweep, jobs, tracker)
        self._pruned: dict[int, bool] = {}  # and whether the signal was sent

    def launch(self, numbers: list[int]) -> None:
        """Wait for these jobs too; submit those that Slurm does not have.

        Raises:
            SlurmError: Slurm does not answer, or refuses a job.
        """
        if not numbers:
            return
        alive = {number for number, state in self._ask(set(numbers)).items() if not state.ended}
        for number in numbers:
            note = " (in Slurm already)" if number in alive else ""
            announce_job(number, self.sweep.jobs[number], note)
        missing = [number for number in numbers if number not in alive]
        limit = max_array_size()
        for array in make_arrays(self.sweep, missing, self.options.gpus, limit):
            self._submit(new_submission(array, limit))
        self.waiting |= set(numbers)

    def _submit(self, submission: Submission) -> None:
        """Submit an array; its name is written first, to find its jobs if this process dies."""
        for number in submission.jobs:
            self.sweep.jobs[number].folder.error = ""
        script = write_script(self.sweep, submission, self.options.setup)
        self.submissions.append(submission)
        write_submissions(self.sweep.folder.path, self.submissions)
        own = environment_for(self.sweep.jobs[number].config for number in submission.jobs)
        job = submit(array_options(self.sweep, submission, self.options), script, own)
        self.submissions[-1] = replace(submission, id=job)
        write_submissions(self.sweep.folder.path, self.submissions)
        log.info("slurm:   %s: jobs %s", job, ", ".join(map(str, submission.jobs)))

    def cancel_submission(self) -> None:
        """Cancel what this command submitted; a sweep that is new leaves no files.

        Raises:
            SlurmError: Slurm does not answer.
        """
        # By their names: Slurm may have accepted jobs without answering with their ids.
        for each in self.submissions[len(self._before) :]:
            cancel([f"--name={each.name}"])
        write_submissions(self.sweep.folder.path, self._before)
        if self.sweep.new:
            forget_launch(self.sweep)

    def poll(self) -> bool:
        """Ask Slurm once; whether something changed.

        Raises:
            SlurmError: Slurm does not answer.
        """
        found = self._ask(self.waiting)
        changed = False
        for number in sorted(self.waiting):
            state = found[number]
            if self._states.get(number) != state:
                self._states[number] = state
                log.info("job %d:   %s", number, _shown(state))
                changed = True
            if not state.ended:
                self._ended.restarted(number)
                if self.jobs.should_prune(number):
                    self._pruned.setdefault(number, False)
                if number in self._pruned:
                    self._stop(number, state)
            elif self._ended.record(number, state):
                self.waiting.discard(number)
                changed = True
        return changed

    def _stop(self, number: int, state: JobState) -> None:
        """End a pruned job: a running one by a signal, so that it logs its end."""
        if state.state == "PENDING":  # it was preempted meanwhile
            cancel([state.id])
        elif not self._pruned[number]:
            cancel(["--signal=INT", state.id])  # SIGTERM announces a preemption
            self._pruned[number] = True

    def cancel(self) -> list[int]:
        """Cancel the jobs that never started; their numbers."""
        numbers = [
            number for number in sorted(self.waiting)
            if self._states[number].state == "PENDING"
            and self.sweep.jobs[number].folder.status is None
        ]  # fmt: skip
        if numbers:
            cancel([self._states[number].id for number in numbers])
            self.waiting -= set(numbers)
        return numbers

    @property
    def ids(self) -> set[str]:
        """Slurm's ids of the arrays whose jobs are waited for."""
        return {each.id for each in self.submissions if each.id and self.waiting & set(each.jobs)}

    @property
    def running(self) -> set[int]:
        """The numbers of the jobs that run."""
        working = {n for n, state in self._states.items() if state.state in WORKING}
        return working & self.waiting

    def _ask(self, numbers: set[int]) -> dict[int, JobState]:
        """The states of those of these jobs that were ever submitted, by their numbers."""
        submissions = [each for each in self.submissions if numbers & set(each.jobs)]
        if not submissions:
            return {}
        known = states([each.name for each in submissions])
        found = {}
        for each in submissions:  # the last submission of a job counts
            for number in numbers & set(each.jobs):
                index = number - each.first
                forgotten = JobState(f"{each.id}_{index}", FORGOTTEN)
                found[number] = known.get((each.name, index), forgotten)
        return found


def _shown(state: JobState) -> str:
    reason = "" if state.reason in ("None", "") else f" ({state.reason})"
    return f"{state.id} {state.state}{reason}"
