"""Precision, recall and F1 score: of binary's positive class, and averaged over classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.metrics.metric import Metric, Role

if TYPE_CHECKING:
    from sightline.metrics.decided import DecidedTable, ResampledTable
    from sightline.metrics.estimates import Interval
    from sightline.metrics.units import Units

FORMULAS = {
    "precision": "TP / (TP + FP)",
    "recall": "TP / (TP + FN)",
    "f1": "2 TP / (2 TP + FP + FN)",
}
OF_CLASSES = "of the mean of the classes' mid-P intervals"
RATES = tuple(FORMULAS)
AVERAGES = {
    "macro": "the mean of {} over the classes that the targets hold",
    "weighted": "the mean of {} over classes, weighted by s",
    "micro": "{}, with TP, FP and FN summed over classes",
}


class PositiveRate(Metric):
    """A rate of the positive class; undefined where no sample belongs to it."""

    higher_is_better = True
    modes = ("binary",)
    role = "epoch"
    scale = "logit"
    has_formula = True
    interval_method = "mid-P"

    def __init__(self, rate: str, place: int) -> None:
        self.name = rate
        self.formula = f"{FORMULAS[rate]} of the positive class"
        self.source = f"scikit-learn's {rate}_score"
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
        """Groups with a trial; the interval of few hits or misses is wide."""
        from sightline.metrics.class_shares import counted
        from sightline.metrics.scarcity import few_trials

        return few_trials(counted(self.name, table, self._classes(table))[1], units)

    def interval(self, table: DecidedTable, units: Units, level: float) -> Interval | None:
        """Of the positive class's share."""
        from sightline.metrics.class_shares import rate_interval

        return rate_interval(self.name, table, self._classes(table), units, level)

    def _classes(self, table: DecidedTable) -> range:
        return range(*table.label_mode.scored_classes.indices(len(table.support)))


class AveragedRate(Metric):
    """A rate averaged over the classes that the targets hold.

    macro: the mean; weighted: by the classes' samples; micro: all classes counted together.

    Args:
        rate: precision, recall or f1.
        average: macro, weighted or micro.
        role, place, modes: as of any metric.
        counted_as: the rate over all classes counted together that it is equal to; empty: none.
    """

    higher_is_better = True
    scale = "logit"

    def __init__(
        self, rate: str, average: str, role: Role, place: int, modes: tuple[str, ...] = (),
        counted_as: str = "",
    ) -> None:  # fmt: skip
        self.rate = rate
        self.average = average
        self.name = f"{rate}_{average}"
        self.formula = AVERAGES[average].format(FORMULAS[rate])
        self.source = f"scikit-learn's {rate}_score, average={average}"
        self.role = role
        self.place = place
        self.modes = modes
        self.counted_as = counted_as
        self.has_formula = bool(counted_as) or (average == "macro" and rate != "f1")
        if self.has_formula:
            self.interval_method = "mid-P" if counted_as else OF_CLASSES

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
        """Groups with a trial, of shares; of a macro average the samples of each class."""
        from sightline.metrics.class_shares import counted
        from sightline.metrics.scarcity import few_decided, few_of_a_class, few_trials

        if self.counted_as:
            classes = range(len(table.support))
            return few_trials(counted(self.counted_as, table, classes)[1], units)
        if not self.has_formula:
            found = super().scarce(table, units)
            hardly = self.rate == "precision"  # weighted
            return found or (few_decided(table, units, weighted=True) if hardly else None)
        found = few_of_a_class(table, units, against_rest=False)
        return found or (few_decided(table, units) if self.rate == "precision" else None)

    def interval(self, table: DecidedTable, units: Units, level: float) -> Interval | None:
        """Of the classes' shares, counted together or averaged."""
        from sightline.metrics.class_shares import macro_interval, rate_interval

        if self.counted_as:
            classes = range(len(table.support))
            return rate_interval(self.counted_as, table, classes, units, level)
        return macro_interval(self.rate, table, units, level)


METRICS: list[Metric] = []
for _index, _rate in enumerate(RATES):
    # Weighted by their samples, the classes' recalls are the recall of all counted together.
    _counted = "recall" if _rate == "recall" else ""
    METRICS += [
        PositiveRate(_rate, 10 + 2 * _index),
        AveragedRate(_rate, "macro", "epoch", 11 + 2 * _index),
        AveragedRate(_rate, "weighted", "further", 31 + 2 * _index, counted_as=_counted),
    ]
    if _rate != "f1":
        METRICS.append(AveragedRate(_rate, "micro", "further", 30 + 2 * _index, counted_as=_rate))
# Of one class a sample the micro average is the accuracy; of several labels it is read first.
METRICS += [
    AveragedRate("f1", "micro", "further", 34, ("single_label",), counted_as="recall"),
    AveragedRate("f1", "micro", "epoch", 5, ("multi_label",), counted_as="f1"),
]
