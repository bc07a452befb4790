"""Expected calibration errors: the mean distance of confidence and accuracy over bins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.metrics.metric import Metric

if TYPE_CHECKING:
    from sightline.metrics.binned_calibration import Answers, Bins
    from sightline.metrics.decided import DecidedTable
    from sightline.metrics.estimates import Interval
    from sightline.metrics.units import Units

BINS = 15


class CalibrationError(Metric):
    """An error of confidences; undefined where no answer is known.

    Of the decided class's probability in multiclass, of the positive class's in binary, and over
    all known labels together in multilabel.
    """

    higher_is_better = False
    basis = "probabilities"
    scale = "logit"
    not_resampled = "resampling would inflate it"

    def scarce(self, table: DecidedTable, units: Units) -> str | None:
        """Never: the interval of few answers is wide."""
        return None


class ExpectedCalibrationError(CalibrationError):
    """Over bins of equal width (Guo et al. 2017)."""

    name = "ece"
    formula = "Σ over 15 bins of equal width: (count / N) |share that came true - mean confidence|"
    source = "Naeini et al. 2015; Guo et al. 2017"
    interval_method = "inversion of a simulation"
    role = "headline"
    place = 2
    has_formula = True

    def value(self, table: DecidedTable) -> float:
        """torchmetrics' value."""
        import torch
        from torchmetrics.functional.classification import binary_calibration_error

        answers = answers_of(table)
        if not len(answers.outcome):
            return float("nan")
        confidence = torch.from_numpy(answers.confidence)
        outcome = torch.from_numpy(answers.outcome).long()
        return float(binary_calibration_error(confidence, outcome, n_bins=BINS))

    def interval(self, table: DecidedTable, units: Units, level: float) -> Interval | None:
        """By simulated tables."""
        from sightline.metrics.binned_calibration import error_interval

        bins = _bins(table, equal_mass=False)
        return None if bins is None else error_interval(answers_of(table), bins, units, level)


class EqualMassError(CalibrationError):
    """Over bins with equally many answers (Nguyen & O'Connor 2015)."""

    name = "ece_equal_mass"
    formula = "as ece, over 15 bins with equally many answers"
    source = "Nguyen & O'Connor 2015"
    place = 101
    not_resampled = "its bins depend on the samples: simulated intervals covered 88 to 91 %"

    def value(self, table: DecidedTable) -> float:
        """The mean absolute gap."""
        bins = _bins(table, equal_mass=True)
        return float("nan") if bins is None else bins.error()


class ErrorByChance(CalibrationError):
    """The ECE that a perfectly calibrated model with these confidences would have by chance."""

    name = "ece_by_chance"
    formula = "the mean ece of tables whose outcomes are drawn by their confidences"
    source = "Bröcker & Smith 2007"
    place = 100
    not_resampled = "it is known from the confidences"

    def value(self, table: DecidedTable) -> float:
        """Over the bins of `ece`."""
        from sightline.metrics.binned_calibration import error_by_chance

        bins = _bins(table, equal_mass=False)
        if bins is None:
            return float("nan")
        return table.cached(self.name, lambda: error_by_chance(answers_of(table), bins))


class DebiasedError(CalibrationError):
    """The root mean square gap over bins of equal mass, debiased (Kumar et al. 2019)."""

    name = "ece_l2_debiased"
    formula = "√ Σ (count / N) (gap² - its variance by chance), over the bins of ece_equal_mass"
    source = "Kumar et al. 2019, section 5"
    place = 102

    def value(self, table: DecidedTable) -> float:
        """0 where the gaps are no larger than by chance."""
        from sightline.metrics.binned_calibration import l2_debiased

        bins = _bins(table, equal_mass=True)
        return float("nan") if bins is None else l2_debiased(bins)


class ClasswiseError(CalibrationError):
    """The ECE of each class's probability against its presence (Kull et al. 2019), over bins of
    equal width: their mean, or the largest, which the pooled answers of all labels can hide."""

    source = "Kull et al. 2019"
    modes = ("multiclass", "multi_label")

    def __init__(self, largest: bool, place: int) -> None:
        self.largest = largest
        self.name = "ece_classwise_max" if largest else "ece_classwise"
        self.formula = f"the {'largest' if largest else 'mean'} of the classes' own ece"
        self.place = place

    def value(self, table: DecidedTable) -> float:
        """Over the classes with a known target; undefined without one."""
        errors = table.cached("ece_classwise", lambda: class_errors(table))
        if not len(errors):
            return float("nan")
        return float(errors.max() if self.largest else errors.mean())


def answers_of(table: DecidedTable) -> Answers:
    """Confidence and outcome of the known answers."""
    from sightline.metrics.binned_calibration import Answers

    found = table.confidences
    known = ~np.isnan(found.outcome)
    return Answers(found.confidence[known], found.outcome[known], np.nonzero(known)[0])


def class_errors(table: DecidedTable) -> np.ndarray:
    """The ECE of each class whose target is known somewhere."""
    from sightline.metrics.binned_calibration import Answers, bins_of

    probs, (preds, target) = table.probs.numpy(), (table.preds.numpy(), table.target.numpy())
    errors = []
    for index in range(probs.shape[1]):
        _, present, absent = table.label_mode.one_class(preds, target, index)
        known = present | absent
        if known.any():
            rows = np.flatnonzero(known)
            errors.append(bins_of(Answers(probs[known, index], present[known], rows)).error())
    return np.array(errors)


def _bins(table: DecidedTable, equal_mass: bool) -> Bins | None:
    from sightline.metrics.binned_calibration import bins_of

    answers = answers_of(table)
    if not len(answers.outcome):
        return None
    return table.cached(f"bins_{equal_mass}", lambda: bins_of(answers, equal_mass))


METRICS = [
    ExpectedCalibrationError(), ErrorByChance(), EqualMassError(), DebiasedError(),
    ClasswiseError(False, 103), ClasswiseError(True, 104),
]  # fmt: skip
