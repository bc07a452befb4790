"""The difference of a slice to all other samples, corrected for the number of slices.

Its interval is put together from those of both sides (Zou & Donner 2008), each at Bonferroni's
level 1 - 0.05 / K for K slices, so that all K hold together in 95 of 100 tables. Without it the
lowest of many slices would be called the worst where they differ by chance alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sightline.label_modes.base import LabelMode
from sightline.metrics.estimates import LEVEL
from sightline.metrics.intervals import intervals_of
from sightline.metrics.metric_sets import metric_sets
from sightline.metrics.tuning import Tuning
from sightline.predictions import Predictions


@dataclass(frozen=True)
class Difference:
    """The metric of a slice minus that of the rest.

    Attributes:
        value: of the difference; NaN where a side has none.
        low, high: ends of its interval, corrected for the number of slices; NaN where withheld.
        withheld: what there is too little of for the interval; None where it is given.
    """

    value: float
    low: float
    high: float
    withheld: str | None = None

    def words(self) -> str:
        """For the terminal: the difference and its interval."""
        if self.withheld:
            return f"difference to the rest: too few to say: {self.withheld}"
        return f"{self.value:+.4f} [{self.low:+.3f}, {self.high:+.3f}] to the rest"

    def is_worse(self, higher_is_better: bool) -> bool:
        """Whether the slice is worse than the rest by more than chance."""
        return self.high < 0 if higher_is_better else self.low > 0


def difference_of(
    label_mode: LabelMode, own: Predictions, rest: Predictions, tuning: Tuning, metric: str,
    count: int, plugins: Sequence[str] = (),
    parts: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
) -> Difference:  # fmt: skip
    """The difference of a slice to all other samples.

    Args:
        label_mode: of the tables.
        own: the slice.
        rest: the other samples; taken as independent of the slice's.
        tuning: of the model.
        metric: its name.
        count: of the comparisons, whose intervals hold together.
        plugins: packages with metrics of their own.
        parts: of both tables; see `evaluate_table`.
    """
    nan = math.nan
    if not len(rest):
        return Difference(nan, nan, nan, "no other samples")
    level = 1 - (1 - LEVEL) / count
    values, ends = [], []
    for table, of_table in zip((own, rest), parts, strict=True):
        sets = metric_sets(label_mode, table, tuning, plugins, of_table)
        sets = [replace(s, metrics=[m for m in s.metrics if m.name + s.suffix == metric])
                for s in sets]  # fmt: skip
        value = {name: value for each in sets for name, value in each.values().items()}[metric]
        found = intervals_of(sets, level, per_class=False)
        values.append(value)
        if metric not in found.metrics:
            reason = found.withheld.get(metric, "the metric has no interval")
            return Difference(nan, nan, nan, reason)
        ends.append(found.metrics[metric])
    difference = values[0] - values[1]
    below = math.hypot(values[0] - ends[0].low, ends[1].high - values[1])
    above = math.hypot(ends[0].high - values[0], values[1] - ends[1].low)
    return Difference(difference, difference - below, difference + above)
