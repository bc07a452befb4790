"""Metrics of a prediction table, with what is undefined named instead of charted."""

import math
import warnings

import numpy as np
import torch

from sightline.label_modes.base import LabelMode
from sightline.label_modes.measures import Thresholds
from sightline.metrics.calibration import calibration_metrics
from sightline.predictions import Predictions


def compute_metrics(label_mode: LabelMode, predictions: Predictions) -> dict[str, float]:
    """The headline metrics that are defined on this table.

    Computed over the whole table at once, so batch size and order cannot change a value.
    """
    return defined(_headlines(label_mode, predictions))


def compute_decisions(
    label_mode: LabelMode, predictions: Predictions, thresholds: Thresholds
) -> dict[str, float]:
    """The headline metrics of decisions by thresholds, over calibrated probabilities."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return label_mode.decision_metrics(predictions, thresholds)


def compute_all_metrics(label_mode: LabelMode, predictions: Predictions) -> dict[str, float]:
    """Headline metrics, all others, and those of calibration; NaN where undefined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        further = label_mode.further_metrics(predictions)
    calibration = calibration_metrics(label_mode, predictions)
    return _headlines(label_mode, predictions) | further | calibration


def defined(metrics: dict[str, float]) -> dict[str, float]:
    """Without the metrics that have no value."""
    return {name: value for name, value in metrics.items() if not math.isnan(value)}


def undefined_metrics(label_mode: LabelMode, predictions: Predictions) -> list[str]:
    """Names of headline metrics without a value here, because a class is absent."""
    values = _headlines(label_mode, predictions)
    return [name for name, value in values.items() if math.isnan(value)]


def metric_names(label_mode: LabelMode) -> list[str]:
    """All headline metrics of a label mode, defined on a given table or not."""
    probs = label_mode.probs(torch.zeros(2, label_mode.num_outputs))
    table = Predictions(
        ids=np.array(["a", "b"]),
        targets=label_mode.decide(probs).numpy(),
        probs=probs.numpy(),
        class_names=label_mode.class_names,
        label_mode=label_mode.name,
    )
    return list(_headlines(label_mode, table))


def per_class_rows(
    label_mode: LabelMode, predictions: Predictions, thresholds: Thresholds = None
) -> list[dict[str, object]]:
    """The per-class table as rows: class, support, precision, recall, f1, AUROC, ..."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # absent classes: their support says it
        columns = label_mode.per_class(predictions, thresholds)
    return [
        {"class": name, **{key: column[i].item() for key, column in columns.items()}}
        for i, name in enumerate(predictions.class_names)
    ]


def _headlines(label_mode: LabelMode, predictions: Predictions) -> dict[str, float]:
    with warnings.catch_warnings():
        # torchmetrics warns of absent classes; the label modes leave them out, or say NaN.
        warnings.simplefilter("ignore", UserWarning)
        return label_mode.metrics(predictions)
