"""Metric sets of an evaluation: of the table as it is, and of the table under its tuning."""

from collections.abc import Sequence
from dataclasses import dataclass

from sightline.label_modes.base import LabelMode
from sightline.metrics.calibration import calibrated
from sightline.metrics.decided import DecidedTable
from sightline.metrics.metric import CALIBRATED, TUNED, Metric
from sightline.metrics.registry import registry_of
from sightline.metrics.tuning import Tuning
from sightline.metrics.values import values_of
from sightline.predictions import Predictions


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
    label_mode: LabelMode, table: Predictions, tuning: Tuning, plugins: Sequence[str] = ()
) -> list[MetricSet]:
    """All metrics of the table as it is, and the probabilities and decisions that tuning changes.

    Of the tuned decisions only the metrics of an epoch.
    """
    registry = registry_of(plugins)
    sets = [MetricSet("", DecidedTable(label_mode, table), registry.of(label_mode))]
    tuned = calibrated(label_mode, table, tuning.temperature)
    if tuning.temperature != 1:
        metrics = registry.of(label_mode, basis="probabilities")
        sets.append(MetricSet(CALIBRATED, DecidedTable(label_mode, tuned), metrics))
    if tuning.thresholds is not None:
        decided = DecidedTable(label_mode, tuned, tuning.thresholds)
        sets.append(MetricSet(TUNED, decided, registry.of(label_mode, "epoch", "decisions")))
    return sets
