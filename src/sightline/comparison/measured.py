"""One metric of a stored table: which samples it counts, and its value in many resamples."""

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sightline.evaluation.intervals import resampled_losses
from sightline.evaluation.metrics import compute_all_metrics
from sightline.label_modes.base import LabelMode
from sightline.label_modes.measures import to_tensors
from sightline.predictions import Predictions

log = logging.getLogger(__name__)

Resample = Callable[[np.ndarray], np.ndarray]  # weights (N, R) of the samples -> values (R,)
# A criterion's loss may be weighted or smoothed; what a table holds is measured by the plain one.
STORED_NAMES = {"loss": "log_loss"}
# The share of samples that are decided rightly in all they ask, by the dimensions of the targets.
WHOLE = {1: "accuracy", 2: "accuracy_subset"}


def decided_rightly(label_mode: LabelMode, table: Predictions, metric: str) -> np.ndarray | None:
    """Whether each sample is, as bool, where the metric is the share of those; else None."""
    if metric != WHOLE[table.targets.ndim]:
        return None
    probs, targets = to_tensors(table)
    known = (targets >= 0).reshape(len(table), -1)
    right = (label_mode.decide(probs) == targets).reshape(len(table), -1)
    rows: np.ndarray = (right | ~known).all(dim=1)[known.any(dim=1)].numpy()
    return rows


def resample(label_mode: LabelMode, table: Predictions, metric: str) -> Resample | None:
    """The metric as a function of how often each sample is drawn; None where there is none.

    Args:
        label_mode: the table's.
        table: N samples.
        metric: its name without a split.
    """
    name = STORED_NAMES.get(metric, metric)
    once = np.ones((len(table), 1), np.float32)
    for make in (
        label_mode.resampled_decisions,
        label_mode.resampled_ranking,
        lambda table: resampled_losses(label_mode, table),
    ):
        measure = make(table)
        if name in measure(once)[0]:
            return _Part(measure, name)
    if name not in compute_all_metrics(label_mode, table):
        return None
    log.warning("%s is computed for one resample at a time, which is slow.", name)
    return _OneByOne(label_mode, table, name)


class _Part:
    """One of the metrics that are computed together."""

    def __init__(self, measure: Callable[[np.ndarray], tuple], name: str) -> None:
        self.measure = measure
        self.name = name

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        values: np.ndarray = self.measure(weights)[0][self.name]
        return values


class _OneByOne:
    """A metric that is known for whole tables alone, of tables with their rows repeated."""

    def __init__(self, label_mode: LabelMode, table: Predictions, name: str) -> None:
        self.label_mode = label_mode
        self.table = replace(table, metadata={})
        self.name = name

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        return np.array([self._value(column) for column in weights.T.astype(np.int64)])

    def _value(self, counts: np.ndarray) -> float:
        rows = np.repeat(np.arange(len(counts)), counts)
        table = self.table
        drawn = replace(
            table, ids=table.ids[rows], targets=table.targets[rows], probs=table.probs[rows]
        )
        return compute_all_metrics(self.label_mode, drawn).get(self.name, np.nan)
