"""AUROC and average precision: areas under the curves of each class against the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.metrics.metric import Metric

if TYPE_CHECKING:
    from sightline.label_modes.ranked_scores import RankedScores
    from sightline.metrics.decided import DecidedTable, ResampledTable
    from sightline.metrics.estimates import Interval
    from sightline.metrics.units import Units

AREAS = ("auroc", "average_precision")
FORMULAS = {
    "auroc": "the share of pairs (one of the class, one not) in the right order, ties as half",
    "average_precision": "Σ (recall at a threshold - recall before it) × precision at it",
}
SOURCES = {
    "auroc": "Hanley & McNeil 1982; scikit-learn's roc_auc_score",
    "average_precision": "scikit-learn's average_precision_score",
}


class MacroArea(Metric):
    """The mean over the classes where the area is defined; in binary the positive class's."""

    average = "macro"
    higher_is_better = True
    basis = "ranking"
    role = "epoch"
    scale = "logit"

    def __init__(self, area: str, place: int) -> None:
        self.area = area
        self.name = f"{area}_macro"
        self.formula = f"the mean over classes of: {FORMULAS[area]}"
        self.source = SOURCES[area]
        self.place = place
        self.has_formula = area == "auroc"
        self.interval_method = "logit-DeLong" if self.has_formula else ""

    def value(self, table: DecidedTable) -> float:
        """The mean of the areas that are defined."""
        from sightline.label_modes.counts import mean_of_defined

        return float(mean_of_defined(table.areas[self.area][0, table.label_mode.scored_classes]))

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """From scores that are sorted once."""
        from sightline.label_modes.counts import mean_of_defined

        return mean_of_defined(table.areas[self.area][:, table.table.label_mode.scored_classes])

    def interval(self, table: DecidedTable, units: Units, level: float) -> Interval | None:
        """DeLong's, of AUROC; a class with a single positive or negative adds nothing to it."""
        from sightline.metrics.estimates import delong_interval

        scores = table.ranked_scores[table.label_mode.scored_classes]
        defined = ~np.isnan(table.areas[self.area][0, table.label_mode.scored_classes])
        placed = (
            each.placements(units.codes)
            for each, there in zip(scores, defined, strict=True) if there
        )  # fmt: skip
        return delong_interval((each for each in placed if each is not None), units, level)


class MicroPrecision(Metric):
    """The average precision of all known labels ranked together (scikit-learn's average=micro)."""

    name = "average_precision_micro"
    formula = f"of all labels ranked together: {FORMULAS['average_precision']}"
    source = SOURCES["average_precision"]
    average = "micro"
    higher_is_better = True
    modes = ("multi_label",)
    basis = "ranking"
    role = "epoch"
    scale = "logit"
    place = 22

    def value(self, table: DecidedTable) -> float:
        """torchmetrics' area; undefined where no label is present."""
        from torchmetrics.functional.classification import binary_average_precision

        _, known = table.answers
        present = table.target[known]
        if not present.any():
            return float("nan")
        return float(binary_average_precision(table.probs[known], present))

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """From scores that are sorted once; a sample's labels are drawn together."""
        scores = table.table.cached(self.name, lambda: self._scores(table.table))
        return scores.areas(table.weights)[1]

    def _scores(self, table: DecidedTable) -> RankedScores:
        from sightline.label_modes.ranked_scores import RankedScores

        known = table.answers[1].numpy()
        present = table.target.numpy()[known] == 1
        return RankedScores(table.probs.numpy()[known], present, np.nonzero(known)[0])


class WeightedArea(Metric):
    """The mean weighted by the samples of each class where the area is defined."""

    average = "weighted"
    higher_is_better = True
    modes = ("multiclass", "multi_label")
    basis = "ranking"
    scale = "logit"

    def __init__(self, area: str, place: int) -> None:
        self.area = area
        self.name = f"{area}_weighted"
        self.formula = f"the mean weighted by s over classes of: {FORMULAS[area]}"
        self.source = SOURCES[area]
        self.place = place

    def value(self, table: DecidedTable) -> float:
        """The weighted mean of the areas that are defined."""
        return float(_weighted(table.areas[self.area], table.support.numpy())[0])

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """From scores that are sorted once, and weighted counts."""
        return _weighted(table.areas[self.area], table.counts.support)


def _weighted(areas: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Means (R,) of areas (R, C), weighted by support (R, C) or (C,); NaN where none is defined."""
    from sightline.label_modes.counts import divide_or_nan

    weights = np.where(np.isnan(areas), 0.0, support)
    return divide_or_nan((np.nan_to_num(areas) * weights).sum(axis=1), weights.sum(axis=1))


METRICS = [
    *(MacroArea(area, place) for place, area in enumerate(AREAS, 20)),
    MicroPrecision(),
    *(WeightedArea(area, place) for place, area in enumerate(AREAS, 70)),
]
