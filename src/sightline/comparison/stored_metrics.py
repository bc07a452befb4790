"""Metrics that are computed from a run's stored predictions and its tuning."""

from collections.abc import Sequence

import numpy as np

from sightline.errors import UserError
from sightline.label_modes.stored import label_mode_of
from sightline.metrics.decided import DecidedTable
from sightline.metrics.metric import CALIBRATED, TUNED, Metric
from sightline.metrics.metric_sets import metric_sets
from sightline.metrics.registry import registry_of
from sightline.metrics.tuning import Tuning
from sightline.predictions import Predictions


def is_tuned(name: str) -> bool:
    """Whether a metric is of calibrated probabilities or tuned decisions."""
    return name.endswith((TUNED, CALIBRATED))


def stored_metric(
    table: Predictions, name: str, tuning: Tuning | None = None, plugins: Sequence[str] = (),
    parts: np.ndarray | None = None,
) -> tuple[Metric, DecidedTable]:  # fmt: skip
    """The metric that is computed from a stored table, and the table with its decisions.

    Args:
        table: of a run.
        name: without a split; the loss is replaced by the log loss.
        tuning: of the run, as fitted on val and held fixed here; None: untuned.
        plugins: packages with metrics of their own.
        parts: of the samples, shape (N,), where the tuning was fitted on this table; else None.

    Raises:
        UserError: the table's label mode has no such metric, or the run no such tuning.
    """
    registry, label_mode = registry_of(plugins), label_mode_of(table)
    known = registry.find(name)
    stored = name if known is None or known.stored_as is None else known.stored_as
    for each in metric_sets(label_mode, table, tuning or Tuning(), plugins, parts):
        for metric in each.metrics:
            if metric.name + each.suffix == stored:
                return metric, each.table
    if is_tuned(name) and registry.find(name, label_mode) is not None:
        raise UserError(f"{name} cannot be computed: the run's tuning.json holds no such tuning")
    raise UserError(f"{name} cannot be computed from stored predictions")
