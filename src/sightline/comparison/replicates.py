"""The uncertainty of a config's mean over its trainings, and of the difference of two configs.

What a repeated training yields differs by its seed (initialisation, order, augmentation) and by the
samples it is evaluated on; a conclusion on configs has to cover both (Dror et al. 2019, Bouthillier
et al. 2021, Agarwal et al. 2021). All runs see the same samples, so the sampling errors of their
values are correlated. With values x (k) and the covariance S (k, k) of their sampling errors, a
group's mean has two parts of variance (random effects of crossed runs and samples):

- samples: the mean of S's elements. It falls with the number of samples alone;
- runs: s² / k beyond what S explains of the spread s² between runs, not below 0. It falls with the
  number of runs alone.

A bootstrap over both that resamples three to five runs gives intervals that are too short, as their
variance is taken to be known; the runs' part has Welch's degrees of freedom here.

Over folds, trainings share data: the runs' part is s² (1/k + 1/(K - 1)) instead of s² / k, for K
folds, of which each training sees K - 1 (Nadeau & Bengio 2003).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sightline.comparison.uncertainty import Part, Uncertainty


@dataclass(frozen=True)
class Replicates:
    """Values of one config's trainings.

    Attributes:
        values: shape (k,), of each run, or each fold's mean.
        folds: K, that the data is cut into; None where the runs do not differ in fold.
    """

    values: np.ndarray
    folds: int | None = None

    @property
    def share(self) -> float:
        """What the variance between runs is multiplied by for that of their mean."""
        overlap = 1 / (self.folds - 1) if self.folds else 0.0
        return 1 / len(self.values) + overlap

    def runs_part(self, covariance: np.ndarray | None = None) -> tuple[float, float]:
        """The variance of the mean from the spread of the values, and how much of that the
        sampling error explains.

        Args:
            covariance: shape (k, k), of the values' sampling errors; None: not known.
        """
        spread = float(np.var(self.values, ddof=1))
        return spread * self.share, own_variance(covariance) * self.share


def own_variance(covariance: np.ndarray | None) -> float:
    """What sampling errors add to the spread between runs: the part that runs do not share."""
    if covariance is None:
        return 0.0
    count = len(covariance)
    shared = (covariance.sum() - np.trace(covariance)) / (count * (count - 1))
    return float(np.trace(covariance) / count - shared)


def mean_uncertainty(
    group: Replicates, covariance: np.ndarray | None = None, samples: int = 0
) -> Uncertainty:
    """Of the mean over runs of one config.

    Args:
        group: two runs or more.
        covariance: shape (k, k), of the values' sampling errors; None: the uncertainty is over
            runs, on these samples.
        samples: independent ones that the covariance is estimated from.
    """
    spread, explained = group.runs_part(covariance)
    runs = Part(max(0.0, spread - explained), len(group.values) - 1)
    if covariance is None:
        return Uncertainty((runs,))
    return Uncertainty((runs, Part(float(covariance.mean()), samples - 1)))


def difference_uncertainty(
    first: Replicates, second: Replicates, covariance: np.ndarray | None = None, samples: int = 0
) -> Uncertainty:
    """Of the difference of two configs' means; runs of different configs are not paired.

    Args:
        first, second: two runs or more each.
        covariance: shape (k + l, k + l), of the sampling errors of both groups' values in turn.
        samples: independent ones that the covariance is estimated from.
    """
    count = len(first.values)
    own = (None, None) if covariance is None else (
        covariance[:count, :count], covariance[count:, count:]
    )  # fmt: skip
    (one, known), (other, known_too) = first.runs_part(own[0]), second.runs_part(own[1])
    runs = Part(max(0.0, one + other - known - known_too), welch(one, other, first, second))
    if covariance is None:
        return Uncertainty((runs,))
    weights = np.concatenate([
        np.full(count, 1 / count), np.full(len(second.values), -1 / len(second.values))
    ])  # fmt: skip
    return Uncertainty((runs, Part(float(weights @ covariance @ weights), samples - 1)))


def welch(one: float, other: float, first: Replicates, second: Replicates) -> float:
    """Degrees of freedom of the sum of two means' variances (Welch 1947)."""
    free = (len(first.values) - 1, len(second.values) - 1)
    if one + other == 0:
        return float(min(free))
    return (one + other) ** 2 / (one**2 / free[0] + other**2 / free[1])


def paired_folds(differences: Sequence[float], folds: int) -> Uncertainty:
    """Of the mean difference of two configs over folds, each with samples of its own.

    Args:
        differences: of each fold that both configs have, two or more.
        folds: K, that the data is cut into.
    """
    return mean_uncertainty(Replicates(np.asarray(differences, dtype=np.float64), folds))
