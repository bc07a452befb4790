"""Coverage of the 95 % interval of a difference of paired shares, over random populations.

    python benchmarks/paired.py [POPULATIONS]

A population is the shares of samples that both, the first alone, the second alone and none of two
classifiers decide rightly; in a third of them the second is right only where the first is. Each is
drawn 1,000 times. Newcombe's intervals are for comparison: without a correction of the correlation
(method 8) and with it (method 10).
"""

import sys
from collections.abc import Callable

import numpy as np
from scipy import stats

from sightline.comparison.paired_shares import tango_interval

DRAWS = 1_000
SIZES = (20, 50, 200, 1000, 5000)
Z = float(stats.norm.ppf(0.975))
Counts = tuple[int, int, int, int]
Ends = tuple[float, float]


def population(rng: np.random.Generator, index: int) -> np.ndarray:
    """Shares of both, first alone, second alone, none."""
    if index % 3 == 0:
        both, first = rng.uniform(0.3, 0.9), 10 ** rng.uniform(-4, -1)
        return np.array([both, first, 0, 1 - both - first])
    return rng.dirichlet([1, 0.3, 0.3, 0.5] if index % 3 == 1 else [3, 0.1, 0.1, 0.1])


def newcombe(counts: Counts, corrected: bool) -> Ends:
    """Square-and-add of Wilson's intervals."""
    both, only_first, only_second, none = counts
    n, hits = sum(counts), np.array([both + only_first, both + only_second])
    ends = [stats.binomtest(int(x), n).proportion_ci(method="wilson") for x in hits]
    moment: float = both * none - only_first * only_second
    if corrected and moment > 0:
        moment = max(moment - n / 2, 0)
    product = float(np.prod(hits / n * (1 - hits / n))) * n**4
    phi = moment / product**0.5 if product else 0.0
    p, q = hits / n
    below, above = (p - ends[0].low, ends[1].high - q), (ends[0].high - p, q - ends[1].low)
    reach = [max(0.0, a * a - 2 * phi * a * b + b * b) ** 0.5 for a, b in (below, above)]
    return p - q - reach[0], p - q + reach[1]


METHODS: dict[str, Callable[[Counts], Ends]] = {
    "Tango": lambda counts: tango_interval(counts[1], counts[2], sum(counts), 0.95),
    "Newcombe 10": lambda counts: newcombe(counts, True),
    "Newcombe 8": lambda counts: newcombe(counts, False),
}


def main(populations: int) -> None:
    """Print, for each number of samples and method, the least and the mean coverage."""
    for n in SIZES:
        rng = np.random.default_rng(0)
        covered: dict[str, list[float]] = {name: [] for name in METHODS}
        for index in range(populations):
            shares = population(rng, index)
            truth = float(shares[1] - shares[2])
            drawn, times = np.unique(rng.multinomial(n, shares, DRAWS), axis=0, return_counts=True)
            tables: list[Counts] = [(int(a), int(b), int(c), int(d)) for a, b, c, d in drawn]
            for name, method in METHODS.items():
                ends = np.array([method(each) for each in tables])
                inside = (ends[:, 0] <= truth + 1e-9) & (truth - 1e-9 <= ends[:, 1])
                covered[name].append(float(times[inside].sum() / times.sum()))
        for name, found in covered.items():
            shares = np.array(found)
            few = int((shares < 0.92).sum())
            print(f"n = {n}, {name}: at least {shares.min():.3f}, mean {shares.mean():.3f}, "
                  f"below 0.92 in {few} of {populations}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 90)
