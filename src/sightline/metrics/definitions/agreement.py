"""Agreement of decisions and targets beyond chance: balanced accuracy, kappa and correlation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.metrics.metric import Metric

if TYPE_CHECKING:
    from sightline.metrics.decided import DecidedTable, ResampledTable
    from sightline.metrics.estimates import Interval
    from sightline.metrics.units import Units

BALANCED = "the mean of TP / s over the classes that the targets hold"
BALANCED_SOURCE = "Brodersen et al. 2010; scikit-learn's balanced_accuracy_score"
KAPPA = "(a - e) / (1 - e), with a the accuracy and e what decisions at random would agree by"
KAPPA_SOURCE = "Cohen 1960; scikit-learn's cohen_kappa_score"


class BalancedAccuracy(Metric):
    """The mean recall of the classes that the targets hold."""

    name = "balanced_accuracy"
    formula = BALANCED
    source = BALANCED_SOURCE
    higher_is_better = True
    modes = ("single_label",)
    place = 50
    scale = "logit"
    has_formula = True
    interval_method = "of the mean of the classes' mid-P intervals"

    def value(self, table: DecidedTable) -> float:
        """The macro average of the recall."""
        return float(table.rate("recall", "none")[table.support > 0].mean())

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """From weighted counts."""
        return table.averages["recall_macro"]

    def scarce(self, table: DecidedTable, units: Units) -> str | None:
        """As of a macro average, though its name does not say so."""
        from sightline.metrics.scarcity import few_of_a_class

        return few_of_a_class(table, units, against_rest=False)

    def interval(self, table: DecidedTable, units: Units, level: float) -> Interval | None:
        """Of the mean of the classes' recalls."""
        from sightline.metrics.class_shares import macro_interval

        return macro_interval("recall", table, units, level)


class AgreementBeyondChance(Metric):
    """Beyond chance, of one class a sample."""

    higher_is_better = True
    modes = ("single_label",)
    scale = "fisher"

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """From weighted counts."""
        return table.agreement[self.name]

    def scarce(self, table: DecidedTable, units: Units) -> str | None:
        """Also where nearly all samples are of one class."""
        from sightline.metrics.scarcity import few_besides_commonest

        return super().scarce(table, units) or few_besides_commonest(table, units)


class CohenKappa(AgreementBeyondChance):
    """Cohen's kappa (1960); undefined where all samples belong to one class."""

    name = "cohen_kappa"
    formula = KAPPA
    source = KAPPA_SOURCE
    place = 51

    def value(self, table: DecidedTable) -> float:
        """torchmetrics' value."""
        from torchmetrics.functional.classification import multiclass_cohen_kappa

        if (table.support > 0).sum() < 2:
            return float("nan")
        return float(multiclass_cohen_kappa(table.preds, table.target, len(table.support)))


class MatthewsCorrcoef(AgreementBeyondChance):
    """Matthews' correlation coefficient (1975); undefined where all samples are of one class."""

    name = "matthews_corrcoef"
    formula = "correlation of decision and target over all pairs of classes"
    source = "Matthews 1975; several classes: Gorodkin 2004"
    place = 52

    def value(self, table: DecidedTable) -> float:
        """torchmetrics' value; exactly 0 where all decisions are the same."""
        from torchmetrics.functional.classification import multiclass_matthews_corrcoef

        if (table.support > 0).sum() < 2:
            return float("nan")
        if len(table.preds.unique()) == 1:  # torchmetrics is then a little off 0
            return 0.0
        return float(multiclass_matthews_corrcoef(table.preds, table.target, len(table.support)))


class LabelAgreement(Metric):
    """An agreement of each label by itself: the mean over labels with both answers."""

    average = "macro"
    higher_is_better = True
    modes = ("multi_label",)

    def __init__(self, agreement: str, place: int, formula: str, source: str) -> None:
        self.agreement = agreement
        self.scale = "logit" if agreement == "balanced_accuracy" else "fisher"
        self.formula = f"the mean over labels of: {formula}"
        self.source = source
        self.name = f"{agreement}_macro"
        self.place = place

    def value(self, table: DecidedTable) -> float:
        """From counts."""
        found = table.cached("agreement", lambda: table.counts.agreement())
        return float(found[self.agreement][0])

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """From weighted counts."""
        return table.agreement[self.agreement]


METRICS = [
    BalancedAccuracy(), CohenKappa(), MatthewsCorrcoef(),
    LabelAgreement("balanced_accuracy", 80, "(TP / s + TN / n) / 2", BALANCED_SOURCE),
    LabelAgreement("cohen_kappa", 81, KAPPA, KAPPA_SOURCE),
    LabelAgreement(
        "matthews_corrcoef", 82,
        "(TP TN - FP FN) / √((TP + FP)(TP + FN)(TN + FP)(TN + FN))",
        "Matthews 1975; scikit-learn's matthews_corrcoef",
    ),
]  # fmt: skip
