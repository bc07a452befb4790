"""Abstention: the certainty below which a model abstains, fitted on val for a wanted risk."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from sightline.metrics.certified import certified_threshold, samples_needed
from sightline.metrics.thresholds import Ranked


@dataclass(frozen=True)
class Abstention:
    """The certainty over which a model answers.

    Attributes:
        threshold: in [0, 1].
        risk: share of given answers that may be wrong.
        guarantee: the confidence with which the risk is held on new samples; None: on val alone.
    """

    threshold: float
    risk: float
    guarantee: float | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> Self | None:
        """The inverse of `dataclasses.asdict`; None of None."""
        if values is None:
            return None
        sure = values.get("guarantee")
        return cls(
            float(values["threshold"]), float(values["risk"]), None if sure is None else float(sure)
        )

    def answers(self, certainty: np.ndarray) -> np.ndarray:
        """Where an answer is given, of the same shape, bool."""
        return np.asarray(certainty > self.threshold)

    def words(self) -> str:
        """What is held, and by what."""
        sure = f" with {self.guarantee:.0%} confidence" if self.guarantee else ""
        return (
            f"no answer at a certainty of {self.threshold:.4g} or less: of the others at most "
            f"{self.risk:g} are wrong{sure}, fitted on val"
        )


def fit_abstention(
    certainty: np.ndarray, right: np.ndarray, known: np.ndarray, risk: float,
    guarantee: float | None,
) -> Abstention | None:  # fmt: skip
    """The abstention that answers most with at most the wanted risk; None where none does.

    With a guarantee the thresholds are tested by Learn then Test (`certified`).

    Args:
        certainty: of each answer on val, shape (N, A).
        right: whether it is right, likewise.
        known: whether its target is known, likewise.
        risk: in (0, 1).
        guarantee: the confidence, in (0, 1), or None.
    """
    ranked = Ranked.of(certainty[known], right[known].astype(np.int64))
    if guarantee is not None:
        threshold = certified_threshold(ranked, "precision", 1 - risk, guarantee)
        return None if threshold is None else Abstention(threshold, risk, guarantee)
    wrong = ranked.decided - ranked.hits
    held = np.flatnonzero((wrong <= risk * ranked.decided + 1e-9) & (ranked.decided > 0))
    return Abstention(float(ranked.candidates[held[-1]]), risk) if len(held) else None


def out_of_reach(risk: float, guarantee: float | None) -> str:
    """Why there is no abstention."""
    if guarantee is None:
        return f"tuning.risk={risk:g} is out of reach on val: no answer is withheld."
    return (
        f"tuning.risk={risk:g}: no certainty is certified with {guarantee:.0%} confidence, which "
        f"takes at least {samples_needed(1 - risk, guarantee)} known answers on val, all right: no "
        "answer is withheld."
    )
