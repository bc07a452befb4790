"""The run of a search in MLflow: a sweep's table and figures, importances and history."""

import math

import optuna
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, TrialState

from sightline.reports.figures.search import draw_history, draw_importances, draw_tradeoff
from sightline.sweeps.summary import SweepTracker
from sightline.sweeps.tasks import SweepTask


class SearchTracker(SweepTracker):
    """Logs a search to its own run: a sweep's table and figures, importances and history."""

    study: optuna.Study | None = None

    def figures(self, task: SweepTask) -> dict[str, Figure]:
        """The figures of the trials, by name."""
        drawn = super().figures(task)
        assert self.study is not None
        trials = self.study.get_trials(deepcopy=False)
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        if not complete:
            return drawn
        names = [name for name, _ in self.sweep.objectives]
        unsuccessful = {
            state: [t.number for t in trials if t.state == key]
            for key, state in ((TrialState.PRUNED, "pruned"), (TrialState.FAIL, "failed"))
        }
        history = [(trial.number, trial.values) for trial in complete]
        drawn["history"] = draw_history(history, self.sweep.objectives, unsuccessful)
        importances = {
            name: found
            for index, name in enumerate(names)
            if (found := self._importances(complete, index))
        }
        if importances:
            drawn["importances"] = draw_importances(importances)
        if len(names) > 1:
            best = {trial.number for trial in self.study.best_trials}
            drawn["tradeoff"] = draw_tradeoff(history, names, best)
        return drawn

    def _importances(self, complete: list[FrozenTrial], index: int) -> dict[str, float]:
        """Importance of each searched key for an objective (fANOVA); empty with too few values."""
        assert self.study is not None
        values = {trial.values[index] for trial in complete}
        if len(complete) < 4 or len(values) < 2:
            return {}
        found = optuna.importance.get_param_importances(
            self.study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0),
            target=lambda trial: float(trial.values[index]),
        )  # fmt: skip
        return {name: value for name, value in found.items() if math.isfinite(value)}
