"""Intervals that say too little to be given, though they cover what they should.

A jackknife's variance is known as well as the units that make it up are many: of degrees of freedom
d it rests on about d / 2 of them (`estimates.spread`). On one, as of an average precision near 1
that one misplaced sample decides, Student's t makes the interval nearly the whole range.
"""

import math

from sightline.metrics.estimates import Interval
from sightline.metrics.units import Units

FEWEST_FREEDOM = 3.0  # degrees of freedom: of a spread that rests on one unit and half of another
WHOLE = 0.9  # of a metric's range: one hit of two trials has an interval of 0.025 to 0.975


def why_uninformative(found: Interval, bounds: tuple[float, float], units: Units) -> str | None:
    """What an interval rests on too few of, or that it is the range of its metric; else None.

    Args:
        found: the interval.
        bounds: least and greatest value of the metric.
        units: that are independent.
    """
    if found.freedom < FEWEST_FREEDOM:
        return f"1 {'group' if units.grouped else 'sample'} decides its spread"
    low, high = bounds
    if math.isfinite(high - low) and found.high - found.low >= WHOLE * (high - low):
        return f"the interval would be {found.low:.2f} to {found.high:.2f}"
    return None


def if_informative(
    found: Interval | None, bounds: tuple[float, float], units: Units
) -> Interval | None:
    """The interval, or None where there is none or it says too little."""
    if found is None or why_uninformative(found, bounds, units) is not None:
        return None
    return found
