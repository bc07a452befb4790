"""Values of a prediction table's metrics; undefined ones are NaN, or named."""

import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch

from sightline.label_modes.base import LabelMode
from sightline.label_modes.measures import Thresholds
from sightline.metrics.decided import DecidedTable
from sightline.metrics.metric import Metric
from sightline.metrics.registry import registry_of
from sightline.predictions import Predictions


def compute_metrics(
    label_mode: LabelMode, predictions: Predictions, plugins: Sequence[str] = ()
) -> dict[str, float]:
    """The metrics of an epoch that are defined on this table.

    Computed over the whole table at once, so batch size and order cannot change a value.
    """
    metrics = registry_of(plugins).of(label_mode, "epoch")
    return defined(values_of(metrics, DecidedTable(label_mode, predictions)))


def compute_all_metrics(
    label_mode: LabelMode, predictions: Predictions, plugins: Sequence[str] = ()
) -> dict[str, float]:
    """All metrics of a label mode; NaN where undefined."""
    return values_of(registry_of(plugins).of(label_mode), DecidedTable(label_mode, predictions))


def values_of(metrics: Iterable[Metric], table: DecidedTable) -> dict[str, float]:
    """The value of each metric by its name; NaN where undefined."""
    with _absent_classes_expected():
        return {metric.name: metric.value(table) for metric in metrics}


def defined(metrics: dict[str, float]) -> dict[str, float]:
    """Without the metrics that have no value."""
    return {name: value for name, value in metrics.items() if not math.isnan(value)}


def undefined_metrics(
    label_mode: LabelMode, predictions: Predictions, plugins: Sequence[str] = ()
) -> list[str]:
    """Names of the metrics of an epoch without a value here, because a class is absent."""
    metrics = registry_of(plugins).of(label_mode, "epoch")
    values = values_of(metrics, DecidedTable(label_mode, predictions))
    return [name for name, value in values.items() if math.isnan(value)]


def metric_names(label_mode: LabelMode, plugins: Sequence[str] = ()) -> list[str]:
    """All metrics of an epoch, defined on a given table or not."""
    return [metric.name for metric in registry_of(plugins).of(label_mode, "epoch")]


def per_class_rows(
    label_mode: LabelMode, predictions: Predictions, thresholds: Thresholds = None
) -> list[dict[str, object]]:
    """The per-class table as rows: class, support, precision, recall, f1, auroc, ...

    The values of a class without a sample are NaN.
    """
    return rows_of_classes(DecidedTable(label_mode, predictions, thresholds))


def rows_of_classes(table: DecidedTable) -> list[dict[str, object]]:
    """The same of a decided table."""
    with _absent_classes_expected():
        rates = {name: table.rate(name, "none") for name in ("precision", "recall", "f1")}
    values = rates | {name: torch.from_numpy(each[0]) for name, each in table.areas.items()}
    absent = table.support == 0
    columns = {"support": table.support}
    columns |= {name: each.masked_fill(absent, torch.nan) for name, each in values.items()}
    return [
        {"class": name, **{key: column[i].item() for key, column in columns.items()}}
        for i, name in enumerate(table.predictions.class_names)
    ]


@contextmanager
def _absent_classes_expected() -> Iterator[None]:
    """torchmetrics warns of absent classes; the metrics leave them out or are NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
