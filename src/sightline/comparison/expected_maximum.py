"""The expected best of several equals, which makes the best of a search optimistic.

Dodge et al. (2019, "Show Your Work") report the expected maximum of n trials of a search; here it
is that of n trials that are equal, and differ by chance alone.
"""

import numpy as np
from scipy import special

REACH = 9.0  # standard deviations, beyond which nothing is left
STEPS = 4001


def expected_maximum(count: int) -> float:
    """Of so many independent standard normal values: 0.56 for 2, 2.25 for 50."""
    values = np.linspace(-REACH, REACH, STEPS)
    below = special.ndtr(values) ** count
    return float(np.trapezoid(np.where(values > 0, 1 - below, -below), values))


def optimism(count: int, metric: str) -> str:
    """A sentence on the best of so many runs.

    Args:
        count: two or more.
        metric: that the best was picked by.
    """
    return (
        f"The best of {count:,} by {metric} is optimistic: if all were equal, it would be expected "
        f"{expected_maximum(count):.1f} standard errors beyond their mean (Dodge et al. 2019). "
        "Choose by it, then evaluate once on test; sightline compare tests the differences."
    )
