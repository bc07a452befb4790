"""Thresholds of yes-or-no decisions for a chosen aim, fitted on val alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from sightline.config.tuning_schema import TuningConfig
from sightline.label_modes.counts import rates_of

# From counts of hits, decided (arrays over candidates) and present samples to a score of each
# candidate, where higher is better; -inf: not allowed.
Aim = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def aim_of(config: TuningConfig) -> Aim:
    """The aim that the config names: the threshold is the candidate with the greatest score."""
    hold = config.hold or 0.0
    false_positive_cost = config.false_positive_cost or 0.0
    false_negative_cost = config.false_negative_cost or 0.0

    def f1(hits: np.ndarray, decided: np.ndarray, present: int) -> np.ndarray:
        return _rates(hits, decided, present)["f1"]

    def precision(hits: np.ndarray, decided: np.ndarray, present: int) -> np.ndarray:
        """Recall, where the precision is held."""
        rates = _rates(hits, decided, present)
        held = (rates["precision"] >= hold) & (decided > 0)
        return np.where(held, rates["recall"], -np.inf)

    def recall(hits: np.ndarray, decided: np.ndarray, present: int) -> np.ndarray:
        """Precision, where the recall is held."""
        rates = _rates(hits, decided, present)
        return np.where(rates["recall"] >= hold, rates["precision"], -np.inf)

    def cost(hits: np.ndarray, decided: np.ndarray, present: int) -> np.ndarray:
        """Minus the cost of false positives and false negatives."""
        false_positives, false_negatives = decided - hits, present - hits
        return -(false_positive_cost * false_positives + false_negative_cost * false_negatives)

    aims = {"auto": f1, "f1": f1, "precision": precision, "recall": recall, "cost": cost}
    assert config.aim is not None
    return aims[config.aim]


def _rates(hits: np.ndarray, decided: np.ndarray, present: int) -> dict[str, np.ndarray]:
    return rates_of(hits, decided, np.full_like(decided, present))


@dataclass(frozen=True)
class Ranked:
    """Candidates for the threshold of one label, the highest first, and what each would decide.

    Attributes:
        candidates: half-way between two scores, shape (M,).
        decided: samples over each, shape (M,), double.
        hits: of these the positive ones.
        present: positive samples.
        absent: negative samples.
    """

    candidates: np.ndarray
    decided: np.ndarray
    hits: np.ndarray
    present: int
    absent: int

    @classmethod
    def of(cls, scores: np.ndarray, targets: np.ndarray) -> Self:
        """Of probabilities (N,) and targets (N,) of 0, 1, and negative where not known."""
        known = targets >= 0
        scores, positive = scores[known], targets[known] == 1
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # of each tie
        ends = ends[: len(ranked)]
        around = np.concatenate([[1.0], ranked[ends], [0.0]])
        present = int(positive.sum())
        return cls(
            (around[:-1] + around[1:]) / 2,  # before the first score, between, after the last
            np.append(0, ends + 1).astype(np.float64),
            np.append(0, np.cumsum(positive[order])[ends]).astype(np.float64),
            present,
            len(scores) - present,
        )


def best_threshold(ranked: Ranked, aim: Aim) -> float | None:
    """The threshold with the greatest score; of equally good ones that nearest to 0.5.

    Returns:
        A value half-way between two scores; None where the targets are all alike, or no threshold
        reaches the precision or recall to hold.
    """
    scores = scores_of(ranked, aim)
    return None if scores is None else float(ranked.candidates[best_candidate(ranked, scores)])


def scores_of(ranked: Ranked, aim: Aim) -> np.ndarray | None:
    """The score of each candidate, shape (M,); None where none is allowed."""
    if 0 in (ranked.present, ranked.absent):
        return None
    scores = aim(ranked.hits, ranked.decided, ranked.present)
    return scores if np.isfinite(scores.max()) else None


def best_candidate(ranked: Ranked, scores: np.ndarray) -> int:
    """The position of the candidate with the greatest score, of several the nearest to 0.5."""
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    return int(best[np.argmin(np.abs(ranked.candidates[best] - 0.5))])
