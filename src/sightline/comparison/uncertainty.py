"""The uncertainty of an estimate: independent parts of its variance, and what follows from them.

The half-widths of the parts' own t-intervals add in quadrature (the modified large-sample method of
Graybill & Wang 1980, as in Zou & Donner 2008). A single t with Satterthwaite's degrees of freedom
covers too little where a part of one or two degrees of freedom dominates: 88 % for two seeds that
differ much, where this form covers 91 to 94 % (`benchmarks/conclusions.py` has the whole table).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy import optimize, special

LEVEL = 0.05  # of a test
CONFIDENCE = 1 - LEVEL
POWER = 0.8
SMALLEST = 1e-100  # a smaller probability is 0


@dataclass(frozen=True)
class Part:
    """One source of variance.

    Attributes:
        variance: that it adds to the estimate's.
        freedom: degrees of freedom that the variance is known with; infinite where it is given.
    """

    variance: float
    freedom: float = math.inf


@dataclass(frozen=True)
class Uncertainty:
    """Independent sources of variance of one estimate."""

    parts: tuple[Part, ...]

    @property
    def standard_error(self) -> float:
        """Root of the summed variances."""
        return math.sqrt(sum(part.variance for part in self.parts))

    def half_width(self, confidence: float = CONFIDENCE) -> float:
        """Of the two-sided interval."""
        return self._distance((1 - confidence) / 2)

    def p(self, distance: float) -> float:
        """Two-sided p of a difference from 0: one minus the confidence that just reaches 0."""
        return 2 * self._tail(abs(distance)) if distance else 1.0

    def p_equivalent(self, difference: float, margin: float) -> float:
        """p of the two one-sided tests (TOST; Schuirmann 1987, Lakens 2017).

        At most 0.05 exactly where the 90 % interval of the difference lies within ±margin.
        """
        inside = margin - abs(difference)
        return self._tail(inside) if inside >= 0 else 1 - self._tail(-inside)

    def smallest_shown(self, level: float = LEVEL, power: float = POWER) -> float:
        """The smallest true difference that a two-sided test shows with this power."""
        return self._distance(level / 2) + self._distance(1 - power)

    def _distance(self, tail: float) -> float:
        """How far from the estimate so small a share of its distribution lies, on one side."""
        terms = (part.variance * _quantile(part.freedom, tail) ** 2 for part in self.parts)
        return math.sqrt(sum(terms))

    def _tail(self, distance: float) -> float:
        """The inverse of `_distance`, for a distance of at least 0."""
        if self.standard_error == 0:
            return 0.0 if distance else 0.5

        def excess(exponent: float) -> float:
            return self._distance(0.5 * 10.0**exponent) - distance

        least = math.log10(SMALLEST)
        if excess(least) <= 0:
            return 0.0
        return 0.5 * 10.0 ** _root(excess, least, 0.0) if excess(0.0) < 0 else 0.5


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(optimize.brentq(function, low, high, xtol=1e-12))


def _quantile(freedom: float, tail: float) -> float:
    """Of Student's t, or the normal distribution where the degrees of freedom are infinite."""
    if math.isinf(freedom):
        return float(special.ndtri(tail))
    return float(special.stdtrit(freedom, tail))
