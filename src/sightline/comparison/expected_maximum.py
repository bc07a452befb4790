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
    density = np.exp(-(values**2) / 2) / np.sqrt(2 * np.pi)
    of_best = count * density * special.ndtr(values) ** (count - 1)
    return float(np.trapezoid(values * of_best, values))


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
