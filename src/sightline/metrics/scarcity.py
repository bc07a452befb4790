"""Tables with too few events for an interval: positives, wrong decisions or ranks, groups.

No interval from the data alone holds where what a metric varies with was hardly seen: a log loss is
decided by the few samples that are wrong, AUROC and average precision by the few positives, and
near 1 by the few of them that a negative outranks. The limits were measured
(benchmarks/coverage.py): from them on 95 % intervals cover 92 to 98 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.errors import counted

if TYPE_CHECKING:
    from sightline.metrics.decided import DecidedTable
    from sightline.metrics.units import Units

FEWEST = 5  # events
# Of decisions that are counted together: where 5 are usual, the tables that reach it have more than
# usual, and cover 90.7 %.
FEWEST_TOGETHER = 8
MOST_OF_RARE = 0.2
FEWEST_GROUPS = 20  # from which on a variance between groups is known well enough


def few_groups(units: Units) -> str | None:
    """Of a table in groups; a single sample is no group."""
    if units.grouped and units.count < FEWEST_GROUPS:
        return counted(units.count, "group")
    return None


def few_events(basis: str, average: str | None, table: DecidedTable, units: Units) -> str | None:
    """What a metric varies with, where there is too little of it.

    Args:
        basis: of the metric: decisions, ranking or probabilities.
        average: of the metric; macro: each class counts.
        table: of the metric.
        units: that are counted.
    """
    if basis == "ranking":
        if not average:
            return None
        found = few_of_a_class(table, units, against_rest=True)
        return found or few_misplaced(table, units)
    together = basis == "decisions" and average != "macro"
    fewest = FEWEST_TOGETHER if together else FEWEST
    found = few_wrong(table, units, fewest)
    if basis == "decisions":
        found = found or few_right(table, units, fewest)
        if average == "macro":
            found = found or few_of_a_class(table, units, against_rest=False)
    return found


def few_trials(trials: np.ndarray, units: Units) -> str | None:
    """Groups that a share is of; the interval of few single samples is wide, and needs no rule.

    Args:
        trials: of each sample, shape (N,).
        units: that are counted.
    """
    if not units.grouped:
        return None
    return _few(units.number(trials > 0), "counted sample", units)


def few_wrong(table: DecidedTable, units: Units, fewest: int = FEWEST) -> str | None:
    """Samples with a wrong decision."""
    right, known = table.answers
    number = units.number((known & ~right).any(dim=1).numpy())
    return _few(number, "wrong decision", units, fewest=fewest)


def few_right(table: DecidedTable, units: Units, fewest: int = FEWEST) -> str | None:
    """Samples with a right decision."""
    right, known = table.answers
    number = units.number((right & known).any(dim=1).numpy())
    return _few(number, "right decision", units, fewest=fewest)


def few_besides_commonest(table: DecidedTable, units: Units) -> str | None:
    """Samples that are not of the commonest class; one class a sample."""
    other = (table.target != table.support.argmax()).numpy()
    return _few(units.number(other), "sample", units, " that are not of the commonest class")


def few_misplaced(table: DecidedTable, units: Units) -> str | None:
    """Positives that a negative outranks, or negatives that outrank one, over the scored classes.

    Near 1 an area varies with these alone; of both sides the rarer decides.
    """

    def places() -> np.ndarray:
        found = np.zeros((2, len(table)), bool)
        for each in table.ranked_scores[table.label_mode.scored_classes]:
            found |= each.misplaced(len(table))
        return found

    positives, negatives = (units.number(side) for side in table.cached("misplaced", places))
    if positives <= negatives:
        return _few(positives, "positive", units, " ranked no higher than a negative")
    return _few(negatives, "negative", units, " ranked no lower than a positive")


def few_of_a_class(table: DecidedTable, units: Units, against_rest: bool) -> str | None:
    """Positives of the classes that are averaged.

    Args:
        table: of the metric.
        units: that are counted.
        against_rest: whether the negatives of each class are needed too.
    """
    scored = table.label_mode.scored_classes
    counts = class_units(table, units)[:2, scored]
    present, names = counts[0] > 0, table.label_mode.class_names[scored]
    both = against_rest or counts.shape[1] == 1
    least = counts.min(axis=0) if both else counts[0]
    rarest = _rarest(least, present)
    if rarest is None:
        return None
    kind = "positive" if counts[0, rarest] <= counts[1, rarest] or not both else "negative"
    return _words(int(least[rarest]), kind, units, f" of {names[rarest]}")


def few_decided(table: DecidedTable, units: Units, weighted: bool = False) -> str | None:
    """Samples that are decided as one of the classes that are averaged; weighted: by their samples.

    Of 200 samples in 100 classes the weighted precision's interval lies above it in 16 % of tables.
    """
    positives, _, decided = class_units(table, units)
    rarest = _rarest(decided, positives > 0, positives if weighted else 1.0)
    if rarest is None:
        return None
    name = table.label_mode.class_names[rarest]
    return _words(int(decided[rarest]), "sample", units, f" decided as {name}")


def _rarest(
    counts: np.ndarray, averaged: np.ndarray, weights: np.ndarray | float = 1.0
) -> int | None:
    """The class with the least units, where those with fewer than `FEWEST` weigh too much.

    The variance of an average goes by the sum of weight² / n over its classes: the rare ones may
    make up a fifth of it, as in an average over 100 classes of about 10 samples.
    """
    parts = np.where(averaged, weights**2 / np.maximum(counts, 0.5), 0)
    if parts[counts < FEWEST].sum() <= MOST_OF_RARE * parts.sum():
        return None
    return int(parts.argmax())


def class_units(table: DecidedTable, units: Units) -> np.ndarray:
    """Units with positives, with negatives, and decided as each class: shape (3, C)."""

    def count() -> np.ndarray:
        if not units.grouped:
            counts = table.counts
            support, known, decided = counts.support[0], counts.known[0], counts.predicted[0]
            return np.stack([support, known - support, decided])
        preds, target = table.preds.numpy(), table.target.numpy()
        found = []
        for index in range(len(table.label_mode.class_names)):
            decided, present, absent = table.label_mode.one_class(preds, target, index)
            found.append([units.number(where) for where in (present, absent, decided)])
        return np.array(found, dtype=np.float64).T

    return table.cached("class_units", count)


def _few(number: int, name: str, units: Units, of: str = "", fewest: int = FEWEST) -> str | None:
    return None if number >= fewest else _words(number, name, units, of)


def _words(number: int, name: str, units: Units, of: str) -> str:
    """ "1 positive of cat"; "positives of cat in 1 group"."""
    if units.grouped:
        return f"{name}s{of} in {counted(number, 'group')}"
    return f"{counted(number, name)}{of}"
