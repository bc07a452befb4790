"""The trials of a search: sampled, reported, pruned and ended, also over restarts."""

import logging
import math
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from sightline.config.stored import check_plugins
from sightline.errors import UserError, did_you_mean
from sightline.runs.folder import RunFolder
from sightline.sweeps.search.plan import Search
from sightline.sweeps.search.recalled import check_recalled, read_trials
from sightline.sweeps.search.samplers import make_sampler
from sightline.sweeps.search.spaces import sample_overrides
from sightline.sweeps.search.tasks import OneTask
from sightline.sweeps.summary import SweepTracker
from sightline.sweeps.sweep import SweepJob, job_digest
from sightline.sweeps.table import final_metrics

log = logging.getLogger(__name__)

STATUSES = {TrialState.COMPLETE: "FINISHED", TrialState.PRUNED: "PRUNED", TrialState.FAIL: "FAILED"}


class Trials:
    """The jobs of a search, sampled one by one.

    Args:
        search: planned.
        study: of Optuna; trials of earlier commands are resumed.
        tracker: records failed and pruned trials.
    """

    def __init__(self, search: Search, study: optuna.Study, tracker: SweepTracker) -> None:
        self.search = search
        self.sweep = search.sweep
        self.study = study
        self.tracker = tracker
        self.monitor = f"val/{self.sweep.objectives[0][0].removeprefix('val_best/')}"
        self.all = read_trials(study, search)
        self.interrupted = [t.number for t in self.all if t.state not in STATUSES]
        self.count = len(self.all)
        self.exhausted = False  # no further trial can be of use
        self._live: dict[int, optuna.Trial] = {}
        self._task = OneTask([name for name, _ in self.sweep.objectives])
        self._same: dict[str, int] = {}  # completed trials, by the digests of their configs
        for trial in self.all:
            self._recall(trial)

    def _recall(self, trial: FrozenTrial) -> None:
        """Add the job of a trial of an earlier command, as it is frozen in its folder."""
        twin = int(trial.user_attrs.get("same_as", trial.number))
        folder = RunFolder(self.sweep.folder.path / str(twin))
        frozen = folder.frozen
        if trial.number in self.interrupted:
            # Its values are stored, or sampled now where the process died before it could.
            live = optuna.Trial(self.study, trial._trial_id)
            self._live[trial.number] = live
            self.study.sampler = self._sampler(trial.number)
            words = sample_overrides(live, self.search.spaces, self.search.fixed)
            job = self.search.compose(words, trial.number)
        elif frozen is not None:
            check_plugins(frozen.config.plugins, self.search.sample.plugins, folder)
            job = SweepJob(self.search.allowed(frozen.config), frozen.job, folder)
            if twin == trial.number:
                check_recalled(trial, job, self.search)
        else:
            raise UserError(f"{folder} lost its run.json.")
        self.sweep.jobs.append(job)
        if trial.state == TrialState.FAIL:
            self.tracker.errors[trial.number] = trial.user_attrs.get("error", "failed")
        elif trial.state in STATUSES:
            self.tracker.states[trial.number] = STATUSES[trial.state]
        if trial.state == TrialState.COMPLETE:
            self._task.completed(job)
            self._same.setdefault(job_digest(job.config), trial.number)

    def next_job(self) -> int | None:
        """The next trial to run: one that was interrupted, or a new one while any is left."""
        while not self.exhausted:
            if self.interrupted:
                number = self.interrupted.pop(0)
                folder = self.sweep.jobs[number].folder
                if folder.results() or folder.pruned:
                    self.job_ended(number, None)  # it ended while no command watched
                    continue
            elif self.count < self.search.options.n_trials:
                number = self._ask()
                twin = self._same.get(job_digest(self.sweep.jobs[number].config))
                if twin is not None:
                    self._copy_result(number, twin)
                    continue
            else:
                return None
            job = self.sweep.jobs[number]
            job.folder.freeze(job.config, job.job)
            return number
        return None

    def should_prune(self, number: int) -> bool:
        """Report a trial's new epochs to Optuna; whether the pruner, or its task, stops it."""
        if number in self.tracker.states:
            return False
        job = self.sweep.jobs[number]
        problem = self._problem(job)
        if problem is not None:
            job.folder.prune(problem)
            self.tracker.states[number] = "FAILED"
            return True
        if self.search.options.pruner == "none":
            return False
        trial = self._live[number]
        known = trial.storage.get_trial(trial._trial_id).intermediate_values
        for step, value in job.folder.state.points.get(self.monitor, []):
            if step in known:
                continue
            trial.report(value, step)
            last = job.config.trainer.get("max_epochs") or math.inf
            if trial.should_prune() and step + 1 != last:
                reason = f"by {self.search.options.pruner} after epoch {step + 1}: {value:.5g}"
                job.folder.prune(reason)
                self.tracker.states[number] = "PRUNED"
                log.info("trial %d:  pruned %s", number, reason)
                return True
        return False

    def job_ended(self, number: int, error: str | None) -> str | None:
        """Record in the study how a trial ended; the error that counts."""
        job = self.sweep.jobs[number]
        results = job.folder.results()
        if results is None and job.folder.pruned and self._problem(job) is None:
            self.tracker.states[number] = "PRUNED"
            self._finish(number, TrialState.PRUNED)
            return None
        self.tracker.states.pop(number, None)
        if results is not None:
            values, error = self._values(final_metrics(job.folder, results))
            error = error or self._problem(job)
            if error is None:
                self._task.completed(job)
                self._same.setdefault(job_digest(job.config), number)
                self._finish(number, TrialState.COMPLETE, values)
                return None
        error = self._problem(job) or error
        self._live[number].set_user_attr("error", error)
        self._finish(number, TrialState.FAIL)
        return error

    def _ask(self) -> int:
        """Sample a new trial; its number."""
        self.study.sampler = self._sampler(self.count)
        trial = self.study.ask()
        words = sample_overrides(trial, self.search.spaces, self.search.fixed)
        self._live[trial.number] = trial
        self.count = trial.number + 1
        self.sweep.jobs.append(self.search.compose(words, trial.number))
        return trial.number

    def _sampler(self, number: int) -> Any:
        options = self.search.options
        return make_sampler(options.sampler, options.sampler_options, options.seed, number)

    def _copy_result(self, number: int, twin: int) -> None:
        """End a trial whose config was trained before with the values of that trial."""
        log.info("trial %d:  the same config as trial %d; it is not run again", number, twin)
        self.sweep.jobs[number] = self.sweep.jobs[twin]
        self._live[number].set_user_attr("same_as", twin)
        self._finish(number, TrialState.COMPLETE, self.study.trials[twin].values)

    def _values(self, found: dict[str, float]) -> tuple[list[float], str | None]:
        """The objectives' values among a run's metrics, or why they cannot be used."""
        names = [name for name, _ in self.sweep.objectives]
        for name in names:
            if name not in found:
                self.exhausted = True
                hint = did_you_mean(name, found)
                return [], f"hydra.sweeper.objective={name}: a run has no such value.{hint}"
            if not math.isfinite(found[name]):
                return [], f"{name} is {found[name]}"
        return [found[name] for name in names], None

    def _problem(self, job: SweepJob) -> str | None:
        """Why a trial's values do not compare with the others'; no further one is started then."""
        problem = self._task.problem(job)
        self.exhausted = self.exhausted or problem is not None
        return problem

    def _finish(self, number: int, state: TrialState, values: list[float] | None = None) -> None:
        self.study.sampler = self._sampler(number)
        try:
            self.study.tell(number, values, state=state, skip_if_finished=True)
        except RuntimeError as error:  # of bruteforce, when every combination was tried
            if "stop" not in str(error):
                raise
            if not self.exhausted:
                log.info("Every combination was tried.")
            self.exhausted = True
