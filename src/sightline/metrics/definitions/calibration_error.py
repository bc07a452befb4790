"""Expected calibration error, over bins of equal width (Guo et al. 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.metrics.metric import Metric

if TYPE_CHECKING:
    from sightline.metrics.decided import DecidedTable

BINS = 15


class ExpectedCalibrationError(Metric):
    """The mean distance of confidence and accuracy over the bins.

    Of the decided class's probability in multiclass, of the positive class's in binary, and over
    all known labels together in multilabel.
    """

    name = "ece"
    higher_is_better = False
    basis = "probabilities"
    role = "headline"
    place = 2
    not_resampled = "resampling would inflate it"

    def value(self, table: DecidedTable) -> float:
        """torchmetrics' value; undefined where no answer is known."""
        import torch
        from torchmetrics.functional.classification import binary_calibration_error

        found = table.confidences
        known = ~np.isnan(found.outcome)
        if not known.any():
            return float("nan")
        confidence = torch.from_numpy(found.confidence[known])
        outcome = torch.from_numpy(found.outcome[known]).long()
        return float(binary_calibration_error(confidence, outcome, n_bins=BINS))


METRICS = [ExpectedCalibrationError()]
