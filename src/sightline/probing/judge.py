"""The measure by which the settings of a probe are chosen on val."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sightline.errors import UserError, did_you_mean
from sightline.label_modes.base import LabelMode
from sightline.metrics.decided import DecidedTable
from sightline.metrics.metric import Metric
from sightline.metrics.metric_sets import headline_names
from sightline.metrics.registry import registry_of
from sightline.metrics.tuning import Tuning
from sightline.metrics.values import values_of
from sightline.predictions import Predictions

LOSS = "log_loss"
Score = tuple[float, float]  # what is compared, larger is better: the metric, then minus the loss


@dataclass(frozen=True)
class Judge:
    """Measures probabilities of val.

    Attributes:
        mode: of the targets.
        targets: encoded, of val.
        metric: by which settings are chosen; of equal ones the lower log loss decides.
        loss: the log loss.
    """

    mode: LabelMode
    targets: np.ndarray
    metric: Metric
    loss: Metric

    def score(self, probs: np.ndarray) -> Score:
        """The value of probabilities (N, C), larger is better; minus infinity where undefined."""
        ids = np.arange(len(probs)).astype(str)
        names = self.mode.class_names
        table = Predictions(ids, self.targets, probs, names, self.mode.name)
        found = values_of([self.metric, self.loss], DecidedTable(self.mode, table))
        sign = 1 if self.metric.higher_is_better else -1
        value = sign * found[self.metric.name]
        return (-np.inf if np.isnan(value) else value), -found[LOSS]

    def value(self, probs: np.ndarray) -> float:
        """The metric of probabilities (N, C)."""
        sign = 1 if self.metric.higher_is_better else -1
        return sign * self.score(probs)[0]

    def row(self, score: Score) -> dict[str, object]:
        """A score as the cells of a table."""
        sign = 1 if self.metric.higher_is_better else -1
        return {self.metric.name: sign * score[0], LOSS: -score[1]}


def make_judge(mode: LabelMode, targets: np.ndarray, monitor: str, plugins: Sequence[str]) -> Judge:
    """The measure for a config's monitor; for val/loss the label mode's first metric.

    Args:
        mode: of the targets.
        targets: encoded, of val.
        monitor: of the config, such as val/f1_macro.
        plugins: packages with metrics of their own.

    Raises:
        UserError: the label mode has no such metric.
    """
    registry = registry_of(plugins)
    name = monitor.removeprefix("val/")
    name = mode.epoch_line[0] if name == "loss" else name
    metric, loss = registry.find(name, mode), registry.find(LOSS, mode)
    if metric is None or metric.basis == "fitted":
        known = headline_names(mode, Tuning(), plugins)
        raise UserError(
            f"monitor={monitor}: label_mode={mode.name} has no such metric."
            f"{did_you_mean(name, known)} It has: {', '.join(known)}."
        )
    assert loss is not None
    return Judge(mode, targets, metric, loss)
