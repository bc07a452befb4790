"""A search at work: trials drawn, reported, pruned and told, over restarts."""

import logging
import math
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from sightline.config.schema import Job, TrainConfig
from sightline.errors import UserError, did_you_mean
from sightline.runs.folder import RunFolder
from sightline.sweeps.search.plan import Search
from sightline.sweeps.search.samplers import make_sampler
from sightline.sweeps.search.spaces import draw
from sightline.sweeps.summary import SweepTracker
from sightline.sweeps.sweep import job_digest
from sightline.sweeps.table import reached

log = logging.getLogger(__name__)

TOLD = {TrialState.COMPLETE: "FINISHED", TrialState.PRUNED: "PRUNED", TrialState.FAIL: "FAILED"}


class Trials:
    """The jobs of a search, drawn one by one.

    Args:
        search: planned.
        study: of Optuna; what it holds of earlier commands goes on.
        tracker: hears of failed and pruned trials.
    """

    def __init__(self, search: Search, study: optuna.Study, tracker: SweepTracker) -> None:
        self.search = search
        self.sweep = search.sweep
        self.study = study
        self.tracker = tracker
        self.monitor = f"val/{self.sweep.objectives[0][0].removeprefix('val_best/')}"
        self.all = study.get_trials(deepcopy=False)
        self.interrupted = [t.number for t in self.all if t.state not in TOLD]
        self.count = len(self.all)
        self.hopeless = False  # what a trial reaches is not what the search is for
        self._live: dict[int, optuna.Trial] = {}
        self._folders: dict[int, RunFolder] = {}
        self._same: dict[str, int] = {}  # trials that reached something, by their digests
        for trial in self.all:
            self._recall(trial)

    def _recall(self, trial: FrozenTrial) -> None:
        """A trial of an earlier command: its job, as it is frozen in its folder."""
        twin = int(trial.user_attrs.get("same_as", trial.number))
        frozen = RunFolder(self.sweep.folder / str(twin)).frozen
        if trial.number in self.interrupted:
            # Its values are stored, or drawn now where the process died before it could.
            live = optuna.Trial(self.study, trial._trial_id)
            self._live[trial.number] = live
            self.study.sampler = self._sampler(trial.number)
            words = draw(live, self.search.spaces, self.search.fixed)
            config, job = self.search.compose(words, trial.number)
        elif frozen is not None:
            config, job = frozen.config, frozen.job
        else:
            raise UserError(f"{self.sweep.folder / str(twin)} lost its run.json.")
        self.sweep.jobs.append((config, job))
        if trial.state == TrialState.FAIL:
            self.tracker.errors[trial.number] = trial.user_attrs.get("error", "failed")
        elif trial.state in TOLD:
            self.tracker.states[trial.number] = TOLD[trial.state]
        if trial.state == TrialState.COMPLETE:
            self._same.setdefault(job_digest(config), trial.number)

    def take(self) -> tuple[int, TrainConfig, Job] | None:
        """The next trial to run: one that was interrupted, or a new one while any is left."""
        while not self.hopeless:
            if self.interrupted:
                number = self.interrupted.pop(0)
                config, job = self.sweep.jobs[number]
                if RunFolder(job.output_dir).results() or RunFolder(job.output_dir).pruned:
                    self.ended(number, None)  # it ended while nobody listened
                    continue
            elif self.count < self.search.options.n_trials:
                number = self._ask()
                config, job = self.sweep.jobs[number]
                twin = self._same.get(job_digest(config))
                if twin is not None:
                    self._tell_same(number, twin)
                    continue
            else:
                return None
            RunFolder(job.output_dir).freeze(config, job)
            return number, config, job
        return None

    def gives_up(self, number: int) -> bool:
        """Report the epochs that a trial told since; whether the pruner gives it up."""
        if self.search.options.pruner == "none" or number in self.tracker.states:
            return False
        config, job = self.sweep.jobs[number]
        trial = self._live[number]
        folder = self._folders.setdefault(number, RunFolder(job.output_dir))
        known = trial.storage.get_trial(trial._trial_id).intermediate_values
        for step, value in folder.state.points.get(self.monitor, []):
            if step in known:
                continue
            trial.report(value, step)
            last = config.trainer.get("max_epochs") or math.inf
            if trial.should_prune() and step + 1 != last:
                why = f"by {self.search.options.pruner} after epoch {step + 1}: {value:.5g}"
                folder.prune(why)
                self.tracker.states[number] = "PRUNED"
                log.info("trial %d:  pruned %s", number, why)
                return True
        return False

    def ended(self, number: int, error: str | None) -> str | None:
        """Tell the study how a trial ended."""
        config, job = self.sweep.jobs[number]
        results = RunFolder(job.output_dir).results()
        pruned = RunFolder(job.output_dir).pruned
        if results is None and pruned:
            self.tracker.states[number] = "PRUNED"
            self._finish(number, TrialState.PRUNED)
            return None
        self.tracker.states.pop(number, None)
        if results is not None:
            values, error = self._values(reached(job.output_dir, results))
            if error is None:
                self._same.setdefault(job_digest(config), number)
                self._finish(number, TrialState.COMPLETE, values)
                return None
        self._live[number].set_user_attr("error", error)
        self._finish(number, TrialState.FAIL)
        return error

    def _ask(self) -> int:
        self.study.sampler = self._sampler(self.count)
        trial = self.study.ask()
        words = draw(trial, self.search.spaces, self.search.fixed)
        self._live[trial.number] = trial
        self.count = trial.number + 1
        self.sweep.jobs.append(self.search.compose(words, trial.number))
        return trial.number

    def _sampler(self, number: int) -> Any:
        options = self.search.options
        return make_sampler(options.sampler, options.sampler_options, options.seed, number)

    def _tell_same(self, number: int, twin: int) -> None:
        """A config that was tried before reaches what it reached."""
        log.info("trial %d:  the same config as trial %d; it is not run again", number, twin)
        self.sweep.jobs[number] = self.sweep.jobs[twin]
        self._live[number].set_user_attr("same_as", twin)
        self._finish(number, TrialState.COMPLETE, self.study.trials[twin].values)

    def _values(self, found: dict[str, float]) -> tuple[list[float], str | None]:
        names = [name for name, _ in self.sweep.objectives]
        for name in names:
            if name not in found:
                self.hopeless = True
                hint = did_you_mean(name, found)
                return [], f"hydra.sweeper.objective={name}: a run reaches no such value.{hint}"
            if not math.isfinite(found[name]):
                return [], f"{name} is {found[name]}"
        return [found[name] for name in names], None

    def _finish(self, number: int, state: TrialState, values: list[float] | None = None) -> None:
        self.study.sampler = self._sampler(number)
        try:
            self.study.tell(number, values, state=state, skip_if_finished=True)
        except RuntimeError as error:  # bruteforce says so when every combination was tried
            if "stop" not in str(error):
                raise
            if not self.hopeless:
                log.info("Every combination was tried.")
            self.hopeless = True
