"""Metrics of a prediction table, with what is undefined named instead of charted."""

import math
import warnings

import numpy as np
import torch

from sightline.label_modes.base import LabelMode
from sightline.predictions import Predictions


def compute_metrics(label_mode: LabelMode, predictions: Predictions) -> dict[str, float]:
    """The label mode's metrics that are defined on this table.

    Computed over the whole table at once, so batch size and order cannot change a value.
    """
    return {name: v for name, v in _compute(label_mode, predictions).items() if not math.isnan(v)}


def undefined_metrics(label_mode: LabelMode, predictions: Predictions) -> list[str]:
    """Names of metrics without a value here, because a class is absent."""
    return [name for name, v in _compute(label_mode, predictions).items() if math.isnan(v)]


def metric_names(label_mode: LabelMode) -> list[str]:
    """All metrics of a label mode, defined on a given table or not."""
    probs = label_mode.probs(torch.zeros(2, label_mode.num_outputs))
    table = Predictions(
        ids=np.array(["a", "b"]),
        targets=label_mode.decide(probs).numpy(),
        probs=probs.numpy(),
        class_names=label_mode.class_names,
        label_mode=label_mode.name,
    )
    return list(_compute(label_mode, table))


def per_class_rows(label_mode: LabelMode, predictions: Predictions) -> list[dict[str, object]]:
    """The per-class table as rows: class, support, precision, recall, f1, average precision."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # absent classes: their support says it
        columns = label_mode.per_class(predictions)
    return [
        {"class": name, **{key: column[i].item() for key, column in columns.items()}}
        for i, name in enumerate(predictions.class_names)
    ]


def _compute(label_mode: LabelMode, predictions: Predictions) -> dict[str, float]:
    with warnings.catch_warnings():
        # torchmetrics warns of absent classes; the label modes leave them out, or say NaN.
        warnings.simplefilter("ignore", UserWarning)
        return label_mode.metrics(predictions)
