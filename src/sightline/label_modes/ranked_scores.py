"""Scores of one class, sorted once for the ranking metrics of many resamples."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.stats import rankdata

from sightline.label_modes.counts import divide


@dataclass(frozen=True)
class Placements:
    """AUROC of one class and what each sample contributes to it (DeLong et al. 1988).

    Attributes:
        auroc: the area.
        contributions: shape (N,), of mean 0; the squares of their sums over units add up to the
            variance, and products with those of another class to the covariance. 0 for a sample
            whose target is not known.
        variances: the variance from the positives and from the negatives.
        counts: units with positives, and with negatives.
    """

    auroc: float
    contributions: np.ndarray
    variances: tuple[float, float]
    counts: tuple[int, int]


class RankedScores:
    """One class's scores against the rest, for AUROC and average precision.

    Only the places of positives matter: the samples are summed over stretches between them.

    Args:
        scores: shape (M,).
        positive: shape (M,), True where the class is present.
        rows: the M samples of the table that these are; None: all of them.
    """

    def __init__(
        self, scores: np.ndarray, positive: np.ndarray, rows: np.ndarray | None = None
    ) -> None:
        self._rows = rows
        self._scores, self._is_positive = scores, positive
        self._there = bool(positive.any())
        if not self._there:
            return
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        tied = np.cumsum(np.append(True, ranked[1:] != ranked[:-1])) - 1
        groups = np.unique(tied[positive[order]])  # ties that hold a positive
        # Stretch 2g holds the samples ranked between group g - 1 and group g, 2g + 1 group g
        # itself, and the last one the samples after all groups.
        place = np.searchsorted(groups, tied)
        inside = np.isin(tied, groups)
        stretch = 2 * place + inside
        samples = np.arange(len(scores))
        ones = np.ones(len(scores), np.float32)
        self._all = sparse.csr_matrix(
            (ones, (stretch, order)), shape=(2 * len(groups) + 1, len(scores))
        )
        chosen = positive[order]
        self._positive = sparse.csr_matrix(
            (ones[chosen], (place[chosen], order[samples[chosen]])),
            shape=(len(groups), len(scores)),
        )

    def areas(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """AUROC and average precision, shape (R,), under weights (N, R); NaN where undefined."""
        if not self._there:
            undefined = np.full(weights.shape[1], np.nan)
            return undefined, undefined
        if self._rows is not None:
            weights = weights[self._rows]
        stretches = self._all @ weights
        hits = self._positive @ weights
        total = stretches.sum(axis=0, dtype=np.float64)
        positives = hits.sum(axis=0, dtype=np.float64)
        negatives = total - positives
        ranked = np.cumsum(stretches, axis=0)[1::2]  # up to the end of each group
        found = np.cumsum(hits, axis=0)
        precision = divide(found, ranked)
        alarms = ranked - found
        level = stretches[1::2] - hits  # negatives tied with the positives
        above = np.einsum("gr,gr->r", hits, alarms - level / 2, dtype=np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            auroc = 1 - above / (positives * negatives)
            area = np.einsum("gr,gr->r", hits, precision, dtype=np.float64) / positives
        return np.where(negatives > 0, auroc, np.nan), area

    def placements(self, codes: np.ndarray) -> Placements | None:
        """DeLong's placements by ranks (Sun & Xu 2014); None without 2 units of either side.

        Args:
            codes: the independent unit (Obuchowski 1997) of each sample of the table, shape (N,).
        """
        rows = slice(None) if self._rows is None else self._rows
        positive, own = self._is_positive, codes[rows]
        sides = positive, ~positive
        counts = [len(np.unique(own[side])) for side in sides]
        if min(counts) < 2:
            return None
        ranks, placed = rankdata(self._scores), np.empty(len(positive))
        for side in sides:  # the share of the other side that is below
            placed[side] = (ranks[side] - rankdata(self._scores[side])) / (~side).sum()
        placed[~positive] = 1 - placed[~positive]
        area = float(placed[positive].mean())
        for side, count in zip(sides, counts, strict=True):
            placed[side] = (placed[side] - area) / side.sum() * np.sqrt(count / (count - 1))
        one, zero = (float((np.bincount(own[side], placed[side]) ** 2).sum()) for side in sides)
        contributions = np.zeros(len(codes))
        contributions[rows] = placed
        return Placements(area, contributions, (one, zero), (counts[0], counts[1]))

    def misplaced(self, samples: int) -> np.ndarray:
        """Positives with a negative no lower, and negatives with a positive no higher.

        Args:
            samples: of the table, N.

        Returns:
            Shape (2, N), bool; all False where a side is empty.
        """
        found = np.zeros((2, samples), bool)
        positive, scores = self._is_positive, self._scores
        if positive.any() and not positive.all():
            rows = slice(None) if self._rows is None else self._rows
            found[0, rows] = positive & (scores <= scores[~positive].max())
            found[1, rows] = ~positive & (scores >= scores[positive].min())
        return found
