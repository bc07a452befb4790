"""A decided table with what was fitted on val beyond decisions: withheld answers, and sets."""

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
        sets: the options in each answer's set, shape (N, A, K), bool; None where none were fitted.
    """

    def __init__(
        self, label_mode: LabelMode, calibrated: Predictions, decisions: Tensor,
        answered: np.ndarray, sets: np.ndarray | None,
    ) -> None:  # fmt: skip
        super().__init__(label_mode, calibrated, decisions=decisions)
        self.answered = answered
        self.sets = sets

    @property
    def covered(self) -> np.ndarray:
        """Known answers whose set holds the truth, shape (N, A), bool."""
        assert self.sets is not None
        truth = self.target.numpy().reshape(len(self), -1)
        held = np.take_along_axis(self.sets, np.maximum(truth, 0)[..., None], axis=-1)[..., 0]
        return np.asarray(held & (truth >= 0))
