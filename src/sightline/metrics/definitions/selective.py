"""Metrics of selective prediction: the surest answers, and those that are not withheld."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from sightline.metrics.definitions.accuracy import Share
from sightline.metrics.metric import Metric

if TYPE_CHECKING:
    from sightline.metrics.decided import DecidedTable, ResampledTable
    from sightline.metrics.estimates import Interval
    from sightline.metrics.fitted_table import FittedTable
    from sightline.metrics.selective import RiskCoverage
    from sightline.metrics.units import Units

COVERAGES = (80, 90, 95)  # percent


class SelectiveMetric(Metric):
    """A metric of the risk-coverage curve of the decisions by the probabilities as they are."""

    basis = "probabilities"

    def of_curve(self, table: DecidedTable, weights: np.ndarray | None = None) -> float:
        """The value of the curve of known answers; weights: of each sample, shape (N,)."""
        raise NotImplementedError

    def value(self, table: DecidedTable) -> float:
        """NaN where no answer is known."""
        return self.of_curve(table)

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """A curve a resample: each answer counts as often as its sample is drawn."""
        return np.array([self.of_curve(table.table, column) for column in table.weights.T])


class RiskCoverageArea(SelectiveMetric):
    """The area under the risk-coverage curve."""

    name = "aurc"
    formula = "(1/N) Σ the share of wrong ones among the answers that are at least as sure"
    source = 'Geifman, Uziel and El-Yaniv 2019, "Bias-Reduced Uncertainty Estimation"'
    higher_is_better = False
    scale = "log"
    place = 110

    def of_curve(self, table: DecidedTable, weights: np.ndarray | None = None) -> float:
        """The mean risk over all coverages."""
        return curve_of(table, weights).area()


class AccuracyAtCoverage(SelectiveMetric):
    """The share of right answers among the surest ones."""

    source = "Geifman and El-Yaniv 2017"
    higher_is_better = True
    has_formula = True
    interval_method = "mid-P"

    def __init__(self, percent: int, place: int) -> None:
        self.percent = percent
        self.name = f"accuracy_coverage{percent}"
        self.formula = f"right answers / answers, of the ⌈{percent / 100:g} N⌉ surest"
        self.place = place

    def of_curve(self, table: DecidedTable, weights: np.ndarray | None = None) -> float:
        """One minus the risk."""
        return 1 - curve_of(table, weights).risk_at(self.percent / 100)

    def scarce(self, table: DecidedTable, units: Units) -> str | None:
        """Groups with a chosen answer."""
        from sightline.metrics.scarcity import few_trials

        return few_trials(self.shares(table)[1], units)

    def interval(self, table: DecidedTable, units: Units, level: float) -> Interval | None:
        """Of the chosen answers, as if they had been chosen by a fixed certainty."""
        from sightline.metrics.shares import share_interval

        return share_interval(*self.shares(table), units, level)

    def shares(self, table: DecidedTable) -> tuple[np.ndarray, np.ndarray]:
        """Right and chosen answers of each sample; of a tie that is cut, parts of each."""
        sure, right, rows = known_answers(table)
        chosen = curve_of(table).chosen_at(self.percent / 100, sure)
        count = len(table)
        hits = np.bincount(rows, chosen * right, minlength=count)
        return hits, np.bincount(rows, chosen, minlength=count)


class FittedShare(Share):
    """A share of answers that is there only where the run withholds some."""

    basis = "fitted"
    needs = "abstention"

    def value(self, table: DecidedTable) -> float:
        """Hits by trials; NaN without a trial."""
        hits, trials = self.shares(table)
        return float(hits.sum() / trials.sum()) if trials.sum() else float("nan")

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """Samples are counted as often as they are drawn."""
        from sightline.label_modes.counts import divide_or_nan

        hits, trials = self.shares(table.table)
        return divide_or_nan(hits.astype(float) @ table.weights, trials @ table.weights)


class SelectiveCoverage(FittedShare):
    """The share of known answers that are given."""

    name = "selective_coverage"
    formula = "answers over the fitted certainty / answers"
    source = "Geifman and El-Yaniv 2017"
    higher_is_better = True
    place = 120

    def shares(self, table: DecidedTable) -> tuple[np.ndarray, np.ndarray]:
        """Given and known answers of each sample."""
        known = table.answers[1].numpy()
        return (given(table) & known).sum(axis=1), known.sum(axis=1)


class SelectiveRisk(FittedShare):
    """The share of given answers that are wrong."""

    name = "selective_risk"
    formula = "wrong answers over the fitted certainty / answers over it"
    source = "Geifman and El-Yaniv 2017"
    higher_is_better = False
    place = 121

    def shares(self, table: DecidedTable) -> tuple[np.ndarray, np.ndarray]:
        """Wrong and given answers of each sample."""
        right, known = (each.numpy() for each in table.answers)
        answered = given(table) & known
        return (answered & ~right).sum(axis=1), answered.sum(axis=1)


def given(table: DecidedTable) -> np.ndarray:
    """Answers that are not withheld, shape (N, A), bool."""
    return cast("FittedTable", table).answered


def curve_of(table: DecidedTable, weights: np.ndarray | None = None) -> RiskCoverage:
    """The risk-coverage curve of a table's known answers; weights: of each sample, shape (N,)."""
    from sightline.metrics.selective import RiskCoverage

    sure, right, rows = known_answers(table)
    return RiskCoverage.of(sure, right, None if weights is None else weights[rows])


def known_answers(table: DecidedTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Certainty, outcome and sample of each known answer, the surest first: all (M,)."""
    from sightline.metrics.selective import certainty

    def answers() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        sure = certainty(table.label_mode, table.probs, table.preds, table.thresholds).numpy()
        right, known = (each.numpy() for each in table.answers)
        order = np.argsort(-sure[known], kind="stable")
        return sure[known][order], right[known][order], np.nonzero(known)[0][order]

    return table.cached("certainties", answers)


METRICS = [
    RiskCoverageArea(),
    *(AccuracyAtCoverage(percent, 111 + i) for i, percent in enumerate(COVERAGES)),
    SelectiveCoverage(), SelectiveRisk(),
]  # fmt: skip
