"""A power law with an offset, error = a·n^-b + c, fitted to errors over numbers of labels.

The form of learning curves in Hestness et al. (2017) and Rosenfeld et al. (2020), with its
uncertainty by a bootstrap over runs, which differ in draw and seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import f as f_distribution
from scipy.stats import norm, t

RESAMPLES = 400
EXPONENTS = np.geomspace(0.02, 4, 200)  # that are tried
NEAR = np.linspace(-1, 1, 41)  # steps of that grid around the best of them
LEVEL = 0.95


@dataclass(frozen=True)
class PowerLaw:
    """Laws error = a·n^-b + c, one or several, of a and c from 0.

    Attributes:
        a, b, c: shape (R,).
    """

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray

    def at(self, counts: np.ndarray) -> np.ndarray:
        """Shape (R, K), the errors at numbers of labels, shape (K,)."""
        bases = np.asarray(counts, dtype=np.float64)[None, :]
        values: np.ndarray = self.a[:, None] * bases ** -self.b[:, None] + self.c[:, None]
        return values

    def needed(self, errors: np.ndarray) -> np.ndarray:
        """Shape (R,), how many labels give these errors; infinite where one is not reached."""
        there = (errors > self.c) & (self.a > 0)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = np.exp(np.log(self.a / (errors - self.c)) / self.b)
        return np.where(there, found, np.inf)


@dataclass(frozen=True)
class FittedLaw:
    """A law and its uncertainty.

    Attributes:
        law: one, fitted to the means over the runs.
        resampled: those of resampled runs.
        p: of the test for lack of fit, whether the means lie farther from the law than runs spread.
    """

    law: PowerLaw
    resampled: PowerLaw
    p: float

    def interval(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The 95 % interval of the error at numbers of labels."""
        low, high = np.quantile(self.resampled.at(counts), _ENDS, axis=0)
        return low, high

    def more_labels(self, now: int, gain: float) -> tuple[float, float, float]:
        """How many more labels lower the error by `gain`, with the ends of the 95 % interval.

        Args:
            now: labels that there are.
            gain: of the error; infinitely many where it is not reached.
        """
        here = np.array([now])
        best = self.law.needed(self.law.at(here)[:, 0] - gain) - now
        others = self.resampled.needed(self.resampled.at(here)[:, 0] - gain) - now
        low, high = np.quantile(others, _ENDS, method="nearest")
        return float(best[0]), float(low), float(high)


_ENDS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)


def fit(counts: np.ndarray, errors: np.ndarray, weights: np.ndarray) -> PowerLaw:
    """The laws of least weighted squares. For a given b, a and c are those of a line in n^-b.

    Args:
        counts: shape (K,), of labels; three different ones or more.
        errors: shape (R, K), a curve a row.
        weights: shape (K,), of each square.
    """
    scale = float(np.exp(np.log(counts).mean()))
    relative = np.asarray(counts, dtype=np.float64) / scale
    weights = weights / weights.sum()
    tried = [_lines(relative, errors, weights, np.full(len(errors), b)) for b in EXPONENTS]
    best = np.argmin([loss for _, _, loss in tried], axis=0)
    step = EXPONENTS[1] / EXPONENTS[0]
    options = [EXPONENTS[best] * step**near for near in NEAR]
    near = [_lines(relative, errors, weights, b) for b in options]
    which = np.argmin([loss for _, _, loss in near], axis=0)
    rows = np.arange(len(errors))
    a, c = (np.stack([each[part] for each in near])[which, rows] for part in (0, 1))
    b = np.stack(options)[which, rows]
    return PowerLaw(a * scale**b, b, c)


def _lines(
    counts: np.ndarray, errors: np.ndarray, weights: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """a, c and the loss of each row's best line in n^-b, of a and c from 0; shape (R,) each."""
    x = counts[None, :] ** -b[:, None]
    mean_x, mean_y = x @ weights, errors @ weights
    off = x - mean_x[:, None]
    slope = ((off * errors) @ weights) / np.maximum((off**2) @ weights, 1e-300)
    through = ((x * errors) @ weights) / ((x**2) @ weights)  # the best one with c = 0
    offset = mean_y - slope * mean_x
    a = np.where(slope < 0, 0.0, np.where(offset < 0, through, slope))
    c = np.where(slope < 0, mean_y, np.where(offset < 0, 0.0, offset))
    loss = ((errors - a[:, None] * x - c[:, None]) ** 2) @ weights
    return a, c, loss


def fit_with_resamples(
    counts: Sequence[int], errors: Sequence[Sequence[float]], seed: int = 0
) -> FittedLaw:
    """The law of all runs, and those of resampled ones.

    Runs are taken to spread in proportion to the mean error at their number of labels. So each
    square is weighted by k / mean², and deviations from the means, relative to them, are resampled
    from those at all numbers of labels; enlarged by √(k / (k - 1)), as k runs deviate less from
    their own mean than from the true one, and by Student's t over the normal quantile, as their
    spread is estimated from few.

    Args:
        counts: of labels, K different ones, four or more.
        errors: of the runs at each, over 0; two runs or more at one of them.
        seed: of the resamples.
    """
    numbers = np.asarray(counts, dtype=np.float64)
    sizes = np.array([len(values) for values in errors])
    means = np.array([float(np.mean(values)) for values in errors])
    deviations = np.concatenate([
        (np.asarray(values) / mean - 1) * np.sqrt(k / (k - 1))
        for values, mean, k in zip(errors, means, sizes, strict=True)
        if k > 1
    ])  # fmt: skip
    weights = sizes / means**2
    law = fit(numbers, means[None, :], weights)
    rng = np.random.default_rng(seed)
    widened = deviations * t.ppf(_ENDS[1], sizes.sum() - len(sizes)) / norm.ppf(_ENDS[1])
    drawn = np.stack([rng.choice(widened, (RESAMPLES, k)).mean(axis=1) for k in sizes], axis=1)
    resampled = fit(numbers, np.maximum(means * (1 + drawn), 0), weights)
    return FittedLaw(law, resampled, _lack_of_fit(law, numbers, errors, means))


def _lack_of_fit(
    law: PowerLaw, counts: np.ndarray, errors: Sequence[Sequence[float]], means: np.ndarray
) -> float:
    """The p value of the F test for lack of fit, of squares relative to the means."""
    sizes = np.array([len(values) for values in errors])
    off = sizes @ ((law.at(counts)[0] - means) / means) ** 2
    pure = sum(
        float(np.sum((np.asarray(values) / mean - 1) ** 2))
        for values, mean in zip(errors, means, strict=True)
    )
    free = len(counts) - 3, int(sizes.sum()) - len(counts)
    if pure == 0:
        return 0.0 if off > 0 else 1.0
    return float(f_distribution.sf((off / free[0]) / (pure / free[1]), *free))
