"""The training's own loss, which the criterion computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.metrics.metric import Metric

if TYPE_CHECKING:
    from sightline.label_modes.base import LabelMode
    from sightline.metrics.decided import DecidedTable


class Loss(Metric):
    """The criterion's value, which may be weighted or smoothed; no table holds it.

    Stored predictions are compared by the log loss instead: the same for plain cross-entropy.
    """

    name = "loss"
    formula = "Σ weight × loss / Σ weight, over the samples of an epoch at once"
    source = "the config's `loss`"
    higher_is_better = False
    basis = "probabilities"
    not_resampled = "a table does not hold it"
    stored_as = "log_loss"

    def is_for(self, label_mode: LabelMode) -> bool:
        """Of no table."""
        return False

    def value(self, table: DecidedTable) -> float:
        """Not a function of a table."""
        raise NotImplementedError(self.not_resampled)


METRICS = [Loss()]
