"""Robustness curves: metrics under corruptions of growing severity."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from sightline.label_modes.base import LabelMode
from sightline.metrics.evaluation import Row
from sightline.metrics.values import compute_metrics
from sightline.predictions import Predictions

Curves = dict[str, list[float]]  # by corruption, a metric at severities 0 (clean) to the last


def robustness_rows(
    label_mode: LabelMode, clean: Predictions, corrupted: Mapping[tuple[str, int], np.ndarray],
    plugins: Sequence[str] = (),
) -> list[Row]:  # fmt: skip
    """The metrics of an epoch under each corruption and severity; severity 0 is the clean table.

    Args:
        label_mode: of the table.
        clean: the table of the images as they are.
        corrupted: probabilities of the same samples by corruption and severity.
        plugins: packages with metrics of their own.
    """
    unharmed = compute_metrics(label_mode, clean, plugins)
    rows: list[Row] = []
    for name, severity in corrupted:
        if severity == 1:
            rows.append({"corruption": name, "severity": 0, **unharmed})
        table = replace(clean, probs=corrupted[name, severity])
        harmed = compute_metrics(label_mode, table, plugins)
        rows.append({"corruption": name, "severity": severity, **harmed})
    return rows


def curves(rows: list[Row], metric: str) -> Curves:
    """One metric over the severities, for each corruption, and the mean over all of them."""
    found: Curves = {}
    for row in rows:
        found.setdefault(str(row["corruption"]), []).append(float(str(row[metric])))
    found["mean"] = np.mean(list(found.values()), axis=0).tolist()
    return found
