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
        contributions: shape (N,), of mean 0; their squares sum to DeLong's variance, and products
            with those of another class to the covariance. 0 for a sample whose target is not known.
        variances: DeLong's variance from the positives and from the negatives.
        counts: positives and negatives.
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

    def placements(self, samples: int) -> Placements | None:
        """DeLong's placements by ranks (Sun & Xu 2014); None without 2 positives and 2 negatives.

        Args:
            samples: of the table.
        """
        positive = self._is_positive
        one, zero = int(positive.sum()), int((~positive).sum())
        if min(one, zero) < 2:
            return None
        ranks = rankdata(self._scores)
        above = (ranks[positive] - rankdata(self._scores[positive])) / zero
        below = 1 - (ranks[~positive] - rankdata(self._scores[~positive])) / one
        area = float(above.mean())
        known = np.empty(len(positive))
        known[positive] = (above - area) / np.sqrt(one * (one - 1))
        known[~positive] = (below - area) / np.sqrt(zero * (zero - 1))
        parts = (float((known[positive] ** 2).sum()), float((known[~positive] ** 2).sum()))
        contributions = np.zeros(samples)
        contributions[slice(None) if self._rows is None else self._rows] = known
        return Placements(area, contributions, parts, (one, zero))
