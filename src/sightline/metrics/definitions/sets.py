"""Metrics of prediction sets: how often they hold the truth, and how large they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from sightline.metrics.definitions.selective import FittedShare
from sightline.metrics.metric import Metric

if TYPE_CHECKING:
    from sightline.metrics.decided import DecidedTable, ResampledTable
    from sightline.metrics.fitted_table import FittedTable
    from sightline.metrics.units import Units

SOURCE = 'Angelopoulos and Bates 2021, "A Gentle Introduction to Conformal Prediction"'


class SetCoverage(FittedShare):
    """The share of known answers whose set holds the truth."""

    name = "set_coverage"
    formula = "sets that hold the true class (or the label's true answer) / sets"
    source = SOURCE
    needs = "sets"
    higher_is_better = True
    place = 130

    def shares(self, table: DecidedTable) -> tuple[np.ndarray, np.ndarray]:
        """Right and all sets of each sample."""
        fitted = cast("FittedTable", table)
        return fitted.covered.sum(axis=1), fitted.answers[1].numpy().sum(axis=1)


class SingleSets(FittedShare):
    """The share of sets with one option, which say no more than a decision."""

    name = "set_single"
    formula = "sets of one class (or of one answer of a label) / sets"
    source = SOURCE
    needs = "sets"
    higher_is_better = True
    place = 132

    def shares(self, table: DecidedTable) -> tuple[np.ndarray, np.ndarray]:
        """Sets of one, and all, of each sample."""
        single = sizes_of(table) == 1
        return single.sum(axis=1), np.full(len(table), single.shape[1])


class SetSize(Metric):
    """The mean number of options in a set."""

    name = "set_size"
    formula = "(1/N) Σ the number of classes (or of answers of a label) in the set"
    source = SOURCE
    basis = "fitted"
    needs = "sets"
    higher_is_better = False
    scale = "log"
    place = 131

    def value(self, table: DecidedTable) -> float:
        """The mean over samples and answers."""
        return float(sizes_of(table).mean())

    def scarce(self, table: DecidedTable, units: Units) -> str | None:
        """Groups with a set."""
        from sightline.metrics.scarcity import few_trials

        return few_trials(np.ones(len(table)), units)

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """Samples are counted as often as they are drawn."""
        means = sizes_of(table.table).mean(axis=1)
        return np.asarray(means @ table.weights / table.total)


def sizes_of(table: DecidedTable) -> np.ndarray:
    """The number of options in each set, shape (N, A)."""
    sets = cast("FittedTable", table).sets
    assert sets is not None
    return np.asarray(sets.sum(axis=-1))


METRICS = [SetCoverage(), SetSize(), SingleSets()]
