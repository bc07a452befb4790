"""Tables with too few events for an interval: positives, wrong decisions, groups.

No interval from the data alone holds where what a metric varies with was hardly seen: a log loss is
decided by the few samples that are wrong, AUROC and average precision by the few positives. The
limits were measured (benchmarks/coverage.py): from them on 95 % intervals cover 92 to 98 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sightline.metrics.decided import DecidedTable
    from sightline.metrics.units import Units

FEWEST = 5  # events
MOST_OF_RARE = 0.2
FEWEST_GROUPS = 20  # from which on a variance between groups is known well enough


def few_groups(units: Units) -> str | None:
    """Of a table in groups; a single sample is no group."""
    if units.grouped and units.count < FEWEST_GROUPS:
        return f"{units.count} group{'' if units.count == 1 else 's'}"
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
        return few_of_a_class(table, units, against_rest=True) if average else None
    found = few_wrong(table, units)
    if basis == "decisions":
        found = found or few_right(table, units)
        if average == "macro":
            found = found or few_of_a_class(table, units, against_rest=False)
    return found


def few_wrong(table: DecidedTable, units: Units) -> str | None:
    """Samples with a wrong decision."""
    right, known = table.answers
    return _few(units.number((known & ~right).any(dim=1).numpy()), "wrong decision", units)


def few_right(table: DecidedTable, units: Units) -> str | None:
    """Samples with a right decision."""
    right, known = table.answers
    return _few(units.number((right & known).any(dim=1).numpy()), "right decision", units)


def few_besides_commonest(table: DecidedTable, units: Units) -> str | None:
    """Samples that are not of the commonest class; one class a sample."""
    other = (table.target != table.support.argmax()).numpy()
    return _few(units.number(other), "sample", units, " that are not of the commonest class")


def few_of_a_class(table: DecidedTable, units: Units, against_rest: bool) -> str | None:
    """Positives of the classes that are averaged.

    The variance of an average goes by the sum of 1 / n over its classes: those with fewer than
    `FEWEST` may make up a fifth of it, as in an average over 100 classes of about 10 samples.

    Args:
        table: of the metric.
        units: that are counted.
        against_rest: whether the negatives of each class are needed too.
    """
    counts = class_units(table, units)[:, table.label_mode.scored_classes]
    binary = counts.shape[1] == 1
    least = counts.min(axis=0) if against_rest or binary else counts[0]
    least = least[counts[0] > 0]
    parts = 1 / np.maximum(least, 0.5)
    if parts[least < FEWEST].sum() <= MOST_OF_RARE * parts.sum():
        return None
    present = np.flatnonzero(counts[0] > 0)
    rarest = present[least.argmin()]
    name = table.label_mode.class_names[table.label_mode.scored_classes][rarest]
    positive = counts[0, rarest] <= counts[1, rarest] or not (against_rest or binary)
    kind = "positive" if positive else "negative"
    return _words(int(least.min()), kind, units, f" of {name}")


def class_units(table: DecidedTable, units: Units) -> np.ndarray:
    """Units with positives, and with negatives, of each class: shape (2, C)."""

    def count() -> np.ndarray:
        if not units.grouped:
            support, known = table.counts.support[0], table.counts.known[0]
            return np.stack([support, known - support])
        preds, target = table.preds.numpy(), table.target.numpy()
        found = [
            [units.number(where) for where in table.label_mode.one_class(preds, target, index)[1:]]
            for index in range(len(table.label_mode.class_names))
        ]
        return np.array(found, dtype=np.float64).T

    return table.cached("class_units", count)


def _few(number: int, name: str, units: Units, of: str = "") -> str | None:
    return None if number >= FEWEST else _words(number, name, units, of)


def _words(number: int, name: str, units: Units, of: str) -> str:
    """ "1 positive of cat"; "positives of cat in 1 group"."""
    if units.grouped:
        return f"{name}s{of} in {number} group{'' if number == 1 else 's'}"
    return f"{number} {name}{'' if number == 1 else 's'}{of}"
