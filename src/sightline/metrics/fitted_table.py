"""A decided table with what was fitted on val beyond decisions: answers that are withheld."""

import numpy as np
from torch import Tensor

from sightline.label_modes.base import LabelMode
from sightline.metrics.decided import DecidedTable
from sightline.predictions import Predictions


class FittedTable(DecidedTable):
    """A table of N samples and A answers a sample (1, or one a label), decided by the run's rule.

    Args:
        label_mode: of the table.
        calibrated: the predictions after calibration.
        decisions: in the form of the targets.
        answered: answers that are not withheld, shape (N, A), bool.
    """

    def __init__(
        self, label_mode: LabelMode, calibrated: Predictions, decisions: Tensor,
        answered: np.ndarray,
    ) -> None:  # fmt: skip
        super().__init__(label_mode, calibrated, decisions=decisions)
        self.answered = answered
