"""The interval of the difference of two shares of the same samples: Tango's score interval."""

import math

from scipy import optimize, special

STEP = 1e-9


def tango_interval(
    only_first: int, only_second: int, count: int, level: float
) -> tuple[float, float]:
    """The score interval of a difference of paired shares (Tango 1998).

    It holds the differences that a score test does not reject. It covers 92 % or more, also near 0
    and 1 and where one of two classifiers is right wherever the other is; Newcombe's interval
    (1998, method 10) covers down to 88 % there (benchmarks/README.md).

    Args:
        only_first, only_second: samples that the first and the second alone decide rightly.
        count: samples in all, N > 0.
        level: of confidence.
    """
    z = float(special.ndtri((1 + level) / 2))
    apart = only_first - only_second

    def excess(difference: float, side: int) -> float:
        """What is observed beyond a difference, plus (side 1) or minus z standard errors."""
        error = _standard_error(difference, only_first, only_second, count)
        return apart - count * difference + side * z * error

    # Where no sample is decided differently the error at 0 is 0, which is no end of the interval.
    below, above = apart / count - STEP, apart / count + STEP
    low = optimize.brentq(excess, -1.0, below, args=(-1,)) if below > -1 else -1.0
    high = optimize.brentq(excess, above, 1.0, args=(1,)) if above < 1 else 1.0
    return float(low), float(high)


def _standard_error(difference: float, only_first: int, only_second: int, count: int) -> float:
    """Of the number only_first - only_second, if the shares differ by `difference`.

    The share of `only_second` is then most likely the greater root of a x² + b x + c.
    """
    a = 2 * count
    b = (2 * count - only_first + only_second) * difference - only_first - only_second
    c = -only_second * difference * (1 - difference)
    share = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    return math.sqrt(max(count * (2 * share + difference * (1 - difference)), 0.0))
