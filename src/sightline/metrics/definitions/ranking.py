"""AUROC and average precision: areas under the curves of each class against the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.metrics.metric import Metric

if TYPE_CHECKING:
    from sightline.metrics.decided import DecidedTable, ResampledTable

AREAS = ("auroc", "average_precision")


class MacroArea(Metric):
    """The mean over the classes where the area is defined; in binary the positive class's."""

    average = "macro"
    higher_is_better = True
    basis = "ranking"
    role = "epoch"

    def __init__(self, area: str, place: int) -> None:
        self.area = area
        self.name = f"{area}_macro"
        self.place = place

    def value(self, table: DecidedTable) -> float:
        """From torchmetrics' areas."""
        return float(table.ranking[self.area][table.label_mode.scored_classes].nanmean())

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """From scores that are sorted once."""
        from sightline.label_modes.counts import mean_of_defined

        return mean_of_defined(table.areas[self.area][:, table.table.label_mode.scored_classes])


class WeightedArea(Metric):
    """The mean weighted by the samples of each class where the area is defined."""

    average = "weighted"
    higher_is_better = True
    modes = ("multiclass", "multi_label")
    basis = "ranking"
    not_resampled = "the macro average beside it has an interval"

    def __init__(self, area: str, place: int) -> None:
        self.area = area
        self.name = f"{area}_weighted"
        self.place = place

    def value(self, table: DecidedTable) -> float:
        """From torchmetrics' areas."""
        values = table.ranking[self.area]
        defined = ~values.isnan()
        support = table.support[defined].double()
        return float((values[defined] * support).sum() / support.sum())


METRICS = [
    *(MacroArea(area, place) for place, area in enumerate(AREAS, 20)),
    *(WeightedArea(area, place) for place, area in enumerate(AREAS, 70)),
]
