"""Rates of classes as shares of samples, with their intervals: counted together, and averaged."""

from collections.abc import Iterable, Iterator

import numpy as np

from sightline.metrics.decided import DecidedTable
from sightline.metrics.estimates import Interval
from sightline.metrics.shares import (
    ShareEstimate,
    mean_interval,
    of_jaccard,
    share_interval,
    share_of,
)
from sightline.metrics.units import Units


def counted(
    rate: str, table: DecidedTable, classes: Iterable[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Hits and trials of each sample over classes counted together: both (N,).

    F1 is 2 J / (1 + J) of the share J of hits among what is decided so or belongs to the class.

    Args:
        rate: precision, recall or f1.
        table: of the rate.
        classes: that are counted.
    """
    preds, target = table.preds.numpy(), table.target.numpy()
    hits, trials = np.zeros(len(table)), np.zeros(len(table))
    for index in classes:
        decided, present, _ = table.label_mode.one_class(preds, target, index)
        hits += decided & present
        trials += {"precision": decided, "recall": present, "f1": decided | present}[rate]
    return hits, trials


def rate_interval(
    rate: str, table: DecidedTable, classes: Iterable[int], units: Units, level: float
) -> Interval | None:
    """The interval of a rate over classes counted together; None without a trial."""
    found = share_interval(*counted(rate, table, classes), units, level)
    return of_jaccard(found) if found and rate == "f1" else found


def macro_interval(rate: str, table: DecidedTable, units: Units, level: float) -> Interval | None:
    """The interval of the mean precision or recall of the classes that the targets hold.

    The precision of a class that is never decided counts as 0, and is not known at all.
    """

    def shares() -> Iterator[ShareEstimate]:
        for index in np.flatnonzero(table.support.numpy() > 0):
            found = share_of(*counted(rate, table, [int(index)]), units, level)
            yield found or ShareEstimate(0.0, Interval(0.0, 1.0, ""), np.zeros(units.count))

    return table.cached(f"{rate}_macro_{level}", lambda: mean_interval(shares(), units, level))
