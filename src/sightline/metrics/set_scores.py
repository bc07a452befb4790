"""Scores of options for prediction sets: LAC, APS and RAPS."""

import numpy as np


def scores_of(options: np.ndarray, score: str, penalty: float = 0.0, rank: int = 0) -> np.ndarray:
    """How badly each option fits, shape (N, A, K).

    threshold: one minus its probability (LAC; Sadinle, Lei and Wasserman 2019).
    aps: the probability of all options that are more probable (Romano, Sesia and Candès 2020, with
    u = 1 in place of a random draw: the smallest set over a mass holds the option that crosses
    it): no set is empty.
    raps: the same, and `penalty` for each rank after `rank` (Angelopoulos et al. 2021).

    Args:
        options: probabilities, shape (N, A, K).
        score: its name.
        penalty, rank: of raps.
    """
    if score == "threshold":
        return 1 - options
    order = np.argsort(-options, axis=-1, kind="stable")
    ranked = np.take_along_axis(options, order, axis=-1)
    first = np.ones(ranked.shape, bool)
    first[..., 1:] = ranked[..., 1:] != ranked[..., :-1]
    before = np.maximum.accumulate(np.where(first, np.cumsum(ranked, axis=-1) - ranked, 0), axis=-1)
    if score == "raps":
        places = np.where(first, np.arange(1, ranked.shape[-1] + 1), 0)
        before = before + penalty * np.maximum(np.maximum.accumulate(places, axis=-1) - rank, 0)
    found = np.empty_like(before)
    np.put_along_axis(found, order, before, axis=-1)
    return found
