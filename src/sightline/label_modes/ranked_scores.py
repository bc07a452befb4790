"""Scores of one class, sorted once for the ranking metrics of many resamples."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

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
    Stretch 2g holds the samples ranked between tie g - 1 and tie g, 2g + 1 tie g itself, and the
    last one the samples after all ties; a tie is the samples of one score that a positive has.

    Args:
        scores: shape (M,).
        positive: shape (M,), True where the class is present.
        rows: the M samples of the table that these are; None: all of them.
    """

    def __init__(
        self, scores: np.ndarray, positive: np.ndarray, rows: np.ndarray | None = None
    ) -> None:
        self._rows = rows
        falling = -np.ascontiguousarray(scores)
        self._order = np.argsort(falling).astype(np.int32)
        positives = np.flatnonzero(positive)
        ties, tie = np.unique(falling[positives], return_inverse=True)
        self._positives = positives[np.argsort(tie, kind="stable")].astype(np.int32)
        self._hits = np.bincount(tie, minlength=len(ties))  # positives of each tie
        ranked = falling[self._order]
        ends = [np.searchsorted(ranked, ties, side) for side in ("left", "right")]
        self._ends = np.append(np.stack(ends, axis=1).ravel(), len(ranked))  # of each stretch

    def areas(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """AUROC and average precision, shape (R,), under weights (N, R); NaN where undefined."""
        if not len(self._positives):
            undefined = np.full(weights.shape[1], np.nan)
            return undefined, undefined
        if self._rows is not None:
            weights = weights[self._rows]
        stretches = _sums(weights, self._order, self._ends)
        hits = _sums(weights, self._positives, np.cumsum(self._hits))
        total, positives = stretches.sum(axis=0), hits.sum(axis=0)
        negatives = total - positives
        ranked = np.cumsum(stretches, axis=0)[1::2]  # up to the end of each tie
        found = np.cumsum(hits, axis=0)
        precision = divide(found, ranked)
        alarms = ranked - found
        level = stretches[1::2] - hits  # negatives tied with the positives
        above = np.einsum("gr,gr->r", hits, alarms - level / 2)
        with np.errstate(invalid="ignore", divide="ignore"):
            auroc = 1 - above / (positives * negatives)
            area = np.einsum("gr,gr->r", hits, precision) / positives
        return np.where(negatives > 0, auroc, np.nan), area

    def placements(self, codes: np.ndarray) -> Placements | None:
        """DeLong's placements by ranks (Sun & Xu 2014); None without 2 units of either side.

        Args:
            codes: the independent unit (Obuchowski 1997) of each sample of the table, shape (N,).
        """
        own = codes if self._rows is None else codes[self._rows]
        positive = np.zeros(len(own), bool)
        positive[self._positives] = True
        sides = positive, ~positive
        units = [np.bincount(own[side], minlength=1) for side in sides]
        counts = [int(np.count_nonzero(each)) for each in units]
        if min(counts) < 2:
            return None
        placed = self._shares_of_other_side(len(own))
        area = float(placed[positive].mean())
        for side, count in zip(sides, counts, strict=True):
            placed[side] = (placed[side] - area) / side.sum() * np.sqrt(count / (count - 1))
        one, zero = (float((np.bincount(own[side], placed[side]) ** 2).sum()) for side in sides)
        contributions = np.zeros(len(codes))
        contributions[slice(None) if self._rows is None else self._rows] = placed
        return Placements(area, contributions, (one, zero), (counts[0], counts[1]))

    def _shares_of_other_side(self, count: int) -> np.ndarray:
        """Of a positive the share of negatives below, of a negative that of positives above."""
        found = np.cumsum(self._hits)
        above = np.zeros(len(self._ends))  # positives above the samples of a stretch, ties as half
        above[1::2] = found - self._hits / 2
        above[2::2] = found
        placed = np.empty(count)
        below = (found[-1] - above) / found[-1]
        placed[self._order] = np.repeat(1 - below, np.diff(self._ends, prepend=0))
        alarms = self._ends[1::2] - found
        level = np.diff(self._ends, prepend=0)[1::2] - self._hits
        negatives = count - found[-1]
        placed[self._positives] = np.repeat(
            (negatives - alarms + level / 2) / negatives, self._hits
        )
        return placed

    def misplaced(self, samples: int) -> np.ndarray:
        """Positives with a negative no lower, and negatives with a positive no higher.

        Args:
            samples: of the table, N.

        Returns:
            Shape (2, N), bool; all False where a side is empty.
        """
        found = np.zeros((2, samples), bool)
        if 0 < len(self._positives) < len(self._order):
            outranked = np.repeat(self._ends[1::2] > np.cumsum(self._hits), self._hits)
            positives, reached = self._positives, self._order[: self._ends[-2]]
            if self._rows is not None:
                positives, reached = self._rows[positives], self._rows[reached]
            found[1, reached] = True
            found[1, positives] = False
            found[0, positives[outranked]] = True
        return found


def _sums(weights: np.ndarray, rows: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Sums of weights (N, R) over stretches of rows, which end where given; (G, R), double."""
    ones = np.ones(len(rows), weights.dtype)
    starts = np.append(0, ends).astype(rows.dtype)
    member = sparse.csr_matrix((ones, rows, starts), shape=(len(ends), len(weights)))
    return np.asarray(member @ weights, dtype=np.float64)
