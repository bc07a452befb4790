"""The contract of a metric: one object that training, evaluation, slices and comparisons share.

This module and the definitions import nothing heavy, so that a metric's direction can be read
before torch is loaded; a definition imports what its value needs inside its methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

if TYPE_CHECKING:
    from sightline.label_modes.base import LabelMode
    from sightline.metrics.decided import DecidedTable, ResampledTable
    from sightline.metrics.estimates import Interval, Scale
    from sightline.metrics.units import Units

# Suffixes of names: of calibrated probabilities, and of decisions by the fitted thresholds.
CALIBRATED = "_calibrated"
TUNED = "_tuned"
LAST_PLACE = 1000

# What the letters of formulas mean.
NOTATION = (
    "Of N samples, target y and probability p: TP, FP and FN are right, wrong and missed decisions "
    "of a class (or label), s = TP + FN its samples and n those that are not; [...] is 1 where it "
    "is true. Targets that are not known are left out."
)

# What a value depends on: decisions have a value by the fitted thresholds too (`_tuned`),
# probabilities one after calibration (`_calibrated`), and neither changes a ranking. fitted: what
# was fitted on val beyond decisions, so that the metric is there only where the run has it.
Basis = Literal["decisions", "ranking", "probabilities", "fitted"]
# epoch: a headline metric that is computed at each validation and can be monitored; headline: one
# that an evaluation shows first; further: one that an evaluation shows after those.
Role = Literal["epoch", "headline", "further"]


class Metric(ABC):
    """One metric of a prediction table.

    Attributes:
        name: key without a split; ends with the average.
        formula: of the value, in the letters of `NOTATION`.
        source: who defined it, or whose function has the same value.
        average: macro, micro or weighted; None where nothing is averaged over classes.
        higher_is_better: its direction. There is no default.
        modes: names or families of the label modes it is for; empty: all of them.
        basis: what the value depends on.
        role: where it is computed and shown.
        place: order among the metrics of one role.
        scale: of its values, by their bounds; that of the jackknife's interval.
        has_formula: whether `interval` has a formula of its own, and the jackknife is not needed.
        not_resampled: the reason why there is no resampled form, and so no jackknife interval; None
            where `resampled` is implemented.
        interval_method: what the formula of the interval is, where `has_formula`.
        needs: of the basis `fitted`, the tuning's attribute without which the metric is not there.
        stored_as: name of the metric that replaces it where only predictions are stored.
    """

    name: str
    formula: str = ""
    source: str = ""
    average: str | None = None
    higher_is_better: bool
    modes: tuple[str, ...] = ()
    basis: Basis = "decisions"
    role: Role = "further"
    place: int = LAST_PLACE
    scale: Scale = "identity"
    has_formula: bool = False
    not_resampled: str | None = None
    interval_method: str = ""
    needs: str = ""
    stored_as: ClassVar[str | None] = None

    @property
    def is_headline(self) -> bool:
        """Whether it is among the metrics that are read first."""
        return self.role != "further"

    @property
    def bounds(self) -> tuple[float, float]:
        """Its least and its greatest value; infinite where it has none."""
        from sightline.metrics.estimates import BOUNDS

        return BOUNDS[self.scale]

    def is_for(self, label_mode: LabelMode) -> bool:
        """Whether a table of this label mode has the metric."""
        return not self.modes or not {label_mode.name, label_mode.family}.isdisjoint(self.modes)

    @abstractmethod
    def value(self, table: DecidedTable) -> float:
        """The metric of a table; NaN where it is undefined."""

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """The metric of R resamples, shape (R,); NaN where it is undefined."""
        raise NotImplementedError(self.not_resampled)

    def interval(self, table: DecidedTable, units: Units, level: float) -> Interval | None:
        """The interval where `has_formula`; None where the table gives none.

        Args:
            table: of the metric.
            units: that are independent of each other.
            level: of confidence.
        """
        return None

    def scarce(self, table: DecidedTable, units: Units) -> str | None:
        """What an interval would rest on too few of ("3 positives of cat"); else None.

        By default of the decisions, classes or losses that a metric of this basis varies with.
        """
        from sightline.metrics.scarcity import few_events

        return few_events(self.basis, self.average, table, units)

    def correct(self, table: DecidedTable) -> np.ndarray | None:
        """Each counted sample's decision, True where it is right: shape (M,), bool.

        None where the metric is not the share of samples that are decided correctly.
        """
        return None
