"""Thresholds whose precision or recall is guaranteed: Learn then Test.

Angelopoulos, Bates, Candès, Jordan and Lei (2021), "Learn then Test: Calibrating Predictive
Algorithms to Achieve Risk Control": each threshold is a hypothesis, "what is to be held is not",
with an exact binomial p-value. They are tested in a fixed order, at the error rate delta each,
until the first one that is not rejected: with a probability of at least 1 - delta over the draw of
val, every rejected threshold holds in the population. Samples have to be independent.

Precision is tested from the highest threshold down, beginning where the first rejection is
possible at all, and recall from the lowest threshold up.
"""

import math

import numpy as np
from scipy.stats import binom

from sightline.metrics.thresholds import Ranked


def samples_needed(hold: float, confidence: float) -> int:
    """Decisions (for precision), or positives (for recall), with which all right would suffice."""
    return math.ceil(math.log(1 - confidence) / math.log(hold)) if hold < 1 else 0


def certified_threshold(ranked: Ranked, held: str, hold: float, confidence: float) -> float | None:
    """The certified threshold with the greatest recall, or precision; None where there is none.

    Args:
        ranked: candidates of one label on val.
        held: precision or recall.
        hold: the least value, in (0, 1).
        confidence: 1 - delta, in (0, 1).
    """
    delta, trials = 1 - confidence, ranked.decided
    if held == "precision":
        order = np.flatnonzero(trials >= samples_needed(hold, confidence))  # from the highest down
    else:
        trials = np.full_like(ranked.decided, ranked.present)
        order = np.arange(len(trials))[::-1]  # from the lowest up
    p_values = binom.sf(ranked.hits[order] - 1, trials[order], hold)
    failed = np.flatnonzero(p_values > delta)
    passed = order[: failed[0]] if len(failed) else order
    return float(ranked.candidates[passed[-1]]) if len(passed) else None
