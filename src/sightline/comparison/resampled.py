"""One metric of a stored table: what each sample adds to it, and its value in many resamples."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from sightline.label_modes.counts import Counts
from sightline.predictions import Predictions

log = logging.getLogger(__name__)

Resample = Callable[[np.ndarray], np.ndarray]  # weights (N, R) of the samples -> values (R,)
SMALLEST = np.finfo(np.float64).eps  # what a probability of 0 counts as, as in scikit-learn
# A criterion's loss may be weighted or smoothed; what a table holds is measured by the plain one.
STORED_NAMES = {"loss": "log_loss"}


def is_correct(table: Predictions, metric: str) -> np.ndarray | None:
    """Whether each sample is, as bool, where the metric is the share of those; else None."""
    share = SAMPLE_MEANS.get(metric)
    if share is None or share is _log_loss:
        return None
    sums, counts = share(table)
    whole = bool((counts <= 1).all())  # else a sample has several answers
    rows: np.ndarray = sums[counts > 0] == 1
    return rows if whole else None


def resample(table: Predictions, metric: str) -> Resample | None:
    """The metric as a function of how often each sample is drawn; None where there is none.

    Args:
        table: N samples.
        metric: its name without a split.
    """
    name = STORED_NAMES.get(metric, metric)
    if name in SAMPLE_MEANS:
        sums, counts = (part.astype(np.float32) for part in SAMPLE_MEANS[name](table))
        return lambda weights: (sums @ weights) / (counts @ weights)
    if name in _counted(table, np.ones((len(table), 1), np.float32)):
        return lambda weights: _counted(table, weights)[name]
    return _measured(table, name)


def _decided(table: Predictions) -> np.ndarray:
    if table.targets.ndim == 1:
        return table.probs.argmax(axis=1)
    return (table.probs > 0.5).astype(table.targets.dtype)


def _counted(table: Predictions, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Averages over classes, and agreement beyond chance, from counts of each class."""
    if table.targets.ndim == 2:
        counts = Counts.of_labels(_decided(table), table.targets, weights)
        return counts.averages() | counts.label_agreement()
    counts = Counts.of_one_class(_decided(table), table.targets, len(table.class_names), weights)
    return counts.averages() | counts.agreement()


def _answers(table: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Of each sample and label (one, where a sample has one class): rightly decided, and known."""
    shape = (len(table), -1)
    known = (table.targets >= 0).reshape(shape)
    return (_decided(table) == table.targets).reshape(shape) & known, known


def _accuracy(table: Predictions) -> tuple[np.ndarray, np.ndarray]:
    right, known = _answers(table)
    return right.sum(axis=1), known.sum(axis=1)


def _whole_samples(table: Predictions) -> tuple[np.ndarray, np.ndarray]:
    right, known = _answers(table)
    some = known.any(axis=1)
    return np.asarray((right | ~known).all(axis=1) & some), np.asarray(some)


def _log_loss(table: Predictions) -> tuple[np.ndarray, np.ndarray]:
    probs = table.probs.astype(np.float64)
    _, known = _answers(table)
    if table.targets.ndim == 1:
        of_target = probs[np.arange(len(table)), table.targets][:, None]
    else:
        of_target = np.where(table.targets == 1, probs, 1 - probs)
    losses = -np.log(np.clip(of_target, SMALLEST, 1 - SMALLEST))
    return np.where(known, losses, 0).sum(axis=1), known.sum(axis=1)


# Metrics that are a mean over samples, as each sample's sum and number of answers.
SAMPLE_MEANS: dict[str, Callable[[Predictions], tuple[np.ndarray, np.ndarray]]] = {
    "accuracy": _accuracy,
    "accuracy_subset": _whole_samples,
    "log_loss": _log_loss,
}


def _measured(table: Predictions, name: str) -> Resample | None:
    """By the label mode, for metrics whose form depends on it.

    Imported only here: it brings torch, which takes seconds that a leaderboard can be read in.
    """
    from sightline.label_modes.stored import label_mode_of
    from sightline.metrics.intervals import resampled_losses
    from sightline.metrics.values import compute_all_metrics

    mode = label_mode_of(table)
    once = np.ones((len(table), 1), np.float32)
    for make in (
        mode.resampled_decisions,
        mode.resampled_ranking,
        lambda table: resampled_losses(mode, table),
    ):
        measure = make(table)
        if name in measure(once)[0]:
            return _Part(measure, name)
    if name not in compute_all_metrics(mode, table):
        return None
    log.warning("%s is computed for one resample at a time, which is slow.", name)
    return _OneByOne(table, lambda drawn: compute_all_metrics(mode, drawn).get(name, np.nan))


class _Part:
    """One of the metrics that are computed together."""

    def __init__(self, measure: Callable[[np.ndarray], Any], name: str) -> None:
        self.measure = measure
        self.name = name

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        values: np.ndarray = self.measure(weights)[0][self.name]
        return values


class _OneByOne:
    """A metric that is known for whole tables alone, of tables with their rows repeated."""

    def __init__(self, table: Predictions, metric: Callable[[Predictions], float]) -> None:
        self.table = replace(table, metadata={})
        self.metric = metric

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        return np.array([self._value(column) for column in weights.T.astype(np.int64)])

    def _value(self, counts: np.ndarray) -> float:
        rows = np.repeat(np.arange(len(counts)), counts)
        table = self.table
        return self.metric(
            replace(
                table, ids=table.ids[rows], targets=table.targets[rows], probs=table.probs[rows]
            )
        )
