"""Precision, recall and F1 score: of binary's positive class, and averaged over classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.metrics.metric import Metric, Role

if TYPE_CHECKING:
    from sightline.metrics.decided import DecidedTable, ResampledTable

RATES = ("precision", "recall", "f1")
PROPORTIONS = ("precision", "recall")  # F1 is not a share of samples


class PositiveRate(Metric):
    """A rate of the positive class; undefined where no sample belongs to it."""

    higher_is_better = True
    modes = ("binary",)
    role = "epoch"

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

    def proportion(self, table: DecidedTable) -> tuple[int, int] | None:
        """Hits, of the samples that are decided so or that belong to the class."""
        if self.name not in PROPORTIONS:
            return None
        counts, positive = table.counts, table.label_mode.scored_classes
        trials = counts.trials[self.name]
        return int(counts.hits[0, positive].sum()), int(trials[0, positive].sum())


class AveragedRate(Metric):
    """A rate averaged over the classes that the targets hold.

    macro: the mean; weighted: by the classes' samples; micro: all classes counted together.
    """

    higher_is_better = True

    def __init__(
        self, rate: str, average: str, role: Role, place: int, modes: tuple[str, ...] = ()
    ) -> None:
        self.rate = rate
        self.average = average
        self.name = f"{rate}_{average}"
        self.role = role
        self.place = place
        self.modes = modes

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
