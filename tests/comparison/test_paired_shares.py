"""The interval of paired shares: against the likelihood, published values, and exact coverage."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import gammaln

from sightline.comparison.paired_shares import tango_interval

Z = stats.norm.ppf(0.975)


def score(difference: float, only_first: int, only_second: int, count: int) -> float:
    """The score statistic, with the other share found by maximising the likelihood."""
    same = count - only_first - only_second

    def loss(second: float) -> float:
        shares = np.array([second + difference, second, 1 - 2 * second - difference])
        counts = np.array([only_first, only_second, same])
        return -float((counts * np.log(np.maximum(shares, 1e-300)))[counts > 0].sum())

    bounds = (max(0.0, -difference), (1 - difference) / 2)
    second = optimize.minimize_scalar(loss, bounds=bounds, options={"xatol": 1e-12}).x
    variance = count * (2 * second + difference * (1 - difference))
    return float((only_first - only_second - count * difference) / np.sqrt(variance))


@pytest.mark.parametrize("counts", [(1, 7, 21), (0, 3, 50), (12, 5, 40), (3, 0, 1000), (40, 0, 41)])
def test_ends_are_where_the_score_test_just_rejects(counts: tuple[int, int, int]) -> None:
    low, high = tango_interval(*counts, 0.95)
    assert score(low, *counts) == pytest.approx(Z, abs=1e-4)
    assert score(high, *counts) == pytest.approx(-Z, abs=1e-4)


def test_published_example() -> None:
    """Fagerland, Lydersen & Laake (2014), airway hyper-responsiveness: 1 and 7 of 21 pairs."""
    assert tango_interval(1, 7, 21, 0.95) == pytest.approx((-0.517, -0.026), abs=6e-4)


def test_equal_decisions_leave_room() -> None:
    """No sample is decided differently: the ends are z² / (n + z²), not 0."""
    expected = Z**2 / (200 + Z**2)
    assert tango_interval(0, 0, 200, 0.95) == pytest.approx((-expected, expected), abs=1e-8)
    assert tango_interval(7, 0, 7, 0.95)[1] == 1
    assert tango_interval(0, 7, 7, 0.95)[0] == -1


@pytest.mark.parametrize("shares", [(0.05, 0.0), (0.02, 0.02), (0.01, 0.06), (0.3, 0.2), (0.1, 0)])
@pytest.mark.parametrize("count", [12, 30])
def test_covers_exactly_computed(count: int, shares: tuple[float, float]) -> None:
    """Also where one is right wherever the other is."""
    first, second = shares
    covered = 0.0
    for a, b in product(range(count + 1), repeat=2):
        same = count - a - b
        if same < 0 or (second == 0 and b > 0):
            continue
        logs = gammaln(count + 1) - gammaln([a + 1, b + 1, same + 1]).sum()
        chance = np.exp(logs) * first**a * second**b * (1 - first - second) ** same
        if chance > 1e-7:
            low, high = tango_interval(a, b, count, 0.95)
            covered += chance * (low <= first - second <= high)
    assert covered > 0.925
