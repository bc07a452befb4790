"""Metric sets of an evaluation: of the table as it is, and of the table under its tuning."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sightline.label_modes.base import LabelMode
from sightline.metrics.decided import DecidedTable
from sightline.metrics.metric import CALIBRATED, TUNED, Metric
from sightline.metrics.registry import registry_of
from sightline.metrics.tuned_table import TunedTable
from sightline.metrics.tuning import Tuning
from sightline.metrics.values import values_of
from sightline.predictions import Predictions


def headline_names(label_mode: LabelMode, tuning: Tuning, plugins: Sequence[str] = ()) -> list[str]:
    """The metrics of an epoch, those of decisions under the run's decision rule."""
    return [
        metric.name + (tuning.suffix if metric.basis == "decisions" else "")
        for metric in registry_of(plugins).of(label_mode, "epoch")
    ]


@dataclass(frozen=True)
class MetricSet:
    """Metrics of a table under one decision rule.

    Attributes:
        suffix: of their names: empty, CALIBRATED or TUNED.
        table: decided.
        metrics: of the table.
    """

    suffix: str
    table: DecidedTable
    metrics: list[Metric]

    def values(self) -> dict[str, float]:
        """The value of each metric by its name with the suffix; NaN where undefined."""
        values = values_of(self.metrics, self.table)
        return {name + self.suffix: value for name, value in values.items()}


def metric_sets(
    label_mode: LabelMode, table: Predictions, tuning: Tuning, plugins: Sequence[str] = (),
    parts: np.ndarray | None = None,
) -> list[MetricSet]:  # fmt: skip
    """All metrics of the table as it is, and the probabilities and decisions that tuning changes.

    Of the tuned decisions only the metrics of an epoch. They are there also where the run decides
    by the default rule.

    Args:
        label_mode: of the table.
        table: N samples; uncalibrated.
        tuning: of the model.
        plugins: packages with metrics of their own.
        parts: of the samples, shape (N,), where the tuning was fitted on this table, which is then
            judged by cross-fitting; else None.
    """
    registry = registry_of(plugins)
    sets = [MetricSet("", DecidedTable(label_mode, table), registry.of(label_mode))]
    tuned = TunedTable(label_mode, table, tuning, parts)
    if tuning.calibrates or tuning.refused:
        metrics = registry.of(label_mode, basis="probabilities")
        sets.append(MetricSet(CALIBRATED, DecidedTable(label_mode, tuned.calibrated), metrics))
    if tuning.thresholds is not None:
        decisions = tuned.decisions("tuned")
        decided = DecidedTable(label_mode, tuned.calibrated, decisions=decisions)
        sets.append(MetricSet(TUNED, decided, registry.of(label_mode, "epoch", "decisions")))
    fitted = [
        metric
        for metric in registry.of(label_mode, basis="fitted")
        if getattr(tuning, metric.needs) is not None
    ]
    if fitted:
        sets.append(MetricSet("", tuned.fitted, fitted))
    return sets
