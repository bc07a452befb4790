"""Thresholds of yes-or-no decisions for a chosen aim, fitted on val alone."""

from collections.abc import Callable

import numpy as np

from sightline.config.schema import TuningConfig
from sightline.label_modes.counts import divide

# From hits, decided and present counts, arrays over candidates, to what is best; -inf: not allowed.
Aim = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def aim_of(config: TuningConfig) -> Aim:
    """What a threshold is chosen for: of all candidates, the one where it is greatest."""
    hold = config.hold or 0.0
    false_positive_cost = config.false_positive_cost or 0.0
    false_negative_cost = config.false_negative_cost or 0.0

    def f1(hits: np.ndarray, decided: np.ndarray, present: int) -> np.ndarray:
        return divide(2 * hits, decided + present)

    def precision(hits: np.ndarray, decided: np.ndarray, present: int) -> np.ndarray:
        """Recall, where the precision is held."""
        held = (divide(hits, decided) >= hold) & (decided > 0)
        return np.where(held, hits / present, -np.inf)

    def recall(hits: np.ndarray, decided: np.ndarray, present: int) -> np.ndarray:
        """Precision, where the recall is held."""
        return np.where(hits / present >= hold, divide(hits, decided), -np.inf)

    def cost(hits: np.ndarray, decided: np.ndarray, present: int) -> np.ndarray:
        """Minus what false positives and false negatives cost."""
        false_positives, false_negatives = decided - hits, present - hits
        return -(false_positive_cost * false_positives + false_negative_cost * false_negatives)

    aims = {"auto": f1, "f1": f1, "precision": precision, "recall": recall, "cost": cost}
    assert config.aim is not None
    return aims[config.aim]


def fit_threshold(scores: np.ndarray, targets: np.ndarray, aim: Aim) -> float | None:
    """The threshold that serves an aim best; of equally good ones that nearest to 0.5.

    Args:
        scores: probabilities, shape (N,); over the threshold is a yes.
        targets: 0, 1, and negative where not known.
        aim: see `aim_of`.

    Returns:
        A value half-way between two scores; None where the targets are all alike, or no threshold
        reaches what is to be held.
    """
    known = targets >= 0
    scores, positive = scores[known], targets[known] == 1
    present = int(positive.sum())
    if present in (0, len(scores)):
        return None
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # of each tie
    decided = np.append(0, ends + 1).astype(np.float64)
    hits = np.append(0, np.cumsum(positive[order])[ends]).astype(np.float64)
    values = ranked[ends]
    around = np.concatenate([[1.0], values, [0.0]])
    candidates = (around[:-1] + around[1:]) / 2  # before the first score, between, after the last
    good = aim(hits, decided, present)
    if not np.isfinite(good.max()):
        return None
    best = np.flatnonzero(good >= good.max() - 1e-12)
    return float(candidates[best[np.argmin(np.abs(candidates[best] - 0.5))]])
