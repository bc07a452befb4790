"""Thresholds for F1, drawn towards 0.5 as far as the data leave open.

The threshold with the greatest F1 on few positives is mostly chance. By the rule of one standard
error (Breiman et al. 1984, section 3.4.3) any threshold may be taken whose F1 is not further below
the greatest than the standard error of the difference; the one taken lies half-way between the best
and that which is nearest to 0.5. Simulated labels, calibrated and not, have a greater F1 on new
samples by it than by the best threshold, and at most 0.005 less than by 0.5 (10 positives or more;
benchmarks/README.md).
"""

import numpy as np

from sightline.metrics.thresholds import Aim, Ranked, best_candidate, scores_of


def shrunk_threshold(ranked: Ranked, f1: Aim) -> float | None:
    """The threshold of one label; None where its targets are all alike.

    Args:
        ranked: candidates on val.
        f1: the aim, whose scores are F1.
    """
    scores = scores_of(ranked, f1)
    if scores is None:
        return None
    best = best_candidate(ranked, scores)
    near = np.flatnonzero(scores[best] - scores <= _standard_errors(ranked, scores, best) + 1e-12)
    nearest = near[np.argmin(np.abs(ranked.candidates[near] - 0.5))]
    return float((ranked.candidates[best] + ranked.candidates[nearest]) / 2)


def _standard_errors(ranked: Ranked, f1: np.ndarray, best: int) -> np.ndarray:
    """Of the difference of each candidate's F1 to that of the best one, shape (M,).

    By the delta method a sample adds (2 h - F1 (d + p)) / (D + P) to F1, with h, d, p whether it is
    a hit, decided, present. Samples are alike by their target and by which of both decide them.
    """
    hits, decided = ranked.hits, ranked.decided
    weight = 1 / (decided + ranked.present)
    hit, other = (2 - 2 * f1) * weight, -f1 * weight  # a hit; decided wrongly, or missed
    more = decided > decided[best]
    by_one = np.abs(hits - hits[best])
    kinds = (
        (np.minimum(hits, hits[best]), hit - hit[best]),
        (np.minimum(decided, decided[best]) - np.minimum(hits, hits[best]), other - other[best]),
        (by_one, np.where(more, hit - other[best], other - hit[best])),
        (np.abs(decided - decided[best]) - by_one, np.where(more, other, -other[best])),
        (ranked.present - np.maximum(hits, hits[best]), other - other[best]),
    )
    return np.asarray(np.sqrt(sum(number * added**2 for number, added in kinds)))
