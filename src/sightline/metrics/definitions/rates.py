"""Precision, recall and F1 score: of binary's positive class, and averaged over classes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from sightline.metrics.metric import Metric, Role

if TYPE_CHECKING:
    from sightline.metrics.decided import DecidedTable, ResampledTable
    from sightline.metrics.estimates import Interval
    from sightline.metrics.units import Units

RATES = ("precision", "recall", "f1")


class PositiveRate(Metric):
    """A rate of the positive class; undefined where no sample belongs to it."""

    higher_is_better = True
    modes = ("binary",)
    role = "epoch"
    has_formula = True

    def __init__(self, rate: str, place: int) -> None:
        self.name = rate
        self.place = place

    def value(self, table: DecidedTable) -> float:
        """The class's own rate."""
        positive = table.label_mode.scored_classes
        rates = table.rate(self.name, "none")[positive]
        return float(rates[table.support[positive] > 0].mean())

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """From weighted counts."""
        from sightline.label_modes.counts import mean_of_defined

        return mean_of_defined(table.rates[self.name][:, table.table.label_mode.scored_classes])

    def scarce(self, table: DecidedTable, units: Units) -> str | None:
        """Never: the interval of few hits or misses is wide."""
        return None

    def interval(self, table: DecidedTable, units: Units, level: float) -> Interval | None:
        """Wilson's, of the positive class."""
        positive = range(*table.label_mode.scored_classes.indices(len(table.support)))
        return rate_interval(self.name, table, positive, units, level)


class AveragedRate(Metric):
    """A rate averaged over the classes that the targets hold.

    macro: the mean; weighted: by the classes' samples; micro: all classes counted together.
    """

    higher_is_better = True
    scale = "logit"

    def __init__(
        self, rate: str, average: str, role: Role, place: int, modes: tuple[str, ...] = ()
    ) -> None:
        self.rate = rate
        self.average = average
        self.name = f"{rate}_{average}"
        self.role = role
        self.place = place
        self.modes = modes
        self.has_formula = average == "micro"

    def value(self, table: DecidedTable) -> float:
        """Undefined where no sample belongs to any class."""
        present = table.support > 0
        if self.average == "macro":
            return float(table.rate(self.rate, "none")[present].mean())
        value = table.rate(self.rate, "micro" if self.average == "micro" else "weighted")
        return float(value) if present.any() else float("nan")

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """From weighted counts."""
        return table.averages[self.name]

    def scarce(self, table: DecidedTable, units: Units) -> str | None:
        """Never where the classes are counted together."""
        return None if self.has_formula else super().scarce(table, units)

    def interval(self, table: DecidedTable, units: Units, level: float) -> Interval | None:
        """Wilson's, of all classes counted together."""
        return rate_interval(self.rate, table, range(len(table.support)), units, level)


def rate_interval(
    rate: str, table: DecidedTable, classes: Iterable[int], units: Units, level: float
) -> Interval | None:
    """Wilson's interval of a rate over classes counted together.

    F1 is 2 J / (1 + J) of the share J of hits among what is decided so or belongs to the class.
    """
    from sightline.metrics.estimates import of_jaccard, share_interval

    preds, target = table.preds.numpy(), table.target.numpy()
    hits, trials = np.zeros(len(table)), np.zeros(len(table))
    for index in classes:
        decided, present, _ = table.label_mode.one_class(preds, target, index)
        hits += decided & present
        trials += {"precision": decided, "recall": present, "f1": decided | present}[rate]
    found = share_interval(hits, trials, units, level)
    return of_jaccard(found) if found and rate == "f1" else found


METRICS: list[Metric] = []
for _index, _rate in enumerate(RATES):
    METRICS += [
        PositiveRate(_rate, 10 + 2 * _index),
        AveragedRate(_rate, "macro", "epoch", 11 + 2 * _index),
        AveragedRate(_rate, "weighted", "further", 31 + 2 * _index),
    ]
    if _rate != "f1":
        METRICS.append(AveragedRate(_rate, "micro", "further", 30 + 2 * _index))
# Of one class a sample the micro average is the accuracy; of several labels it is read first.
METRICS += [
    AveragedRate("f1", "micro", "further", 34, ("single_label",)),
    AveragedRate("f1", "micro", "epoch", 5, ("multi_label",)),
]
