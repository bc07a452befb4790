"""Prediction sets against other libraries, as recorded, and against the published definition.

Recorded: sizes of the sets that MAPIE 1.6.0 (threshold, and aps with include_last_label=True) and
TorchCP 1.2.1 (all three; raps with penalty 0.1 and kreg 2) give for the same probabilities. Both
draw a random u for each score of aps and raps, MAPIE also where no label is dropped at random. It
was held at 1, the form without randomisation; with other draws the sets differ.
"""

from __future__ import annotations

import numpy as np
import pytest
from support.configs import tuning_config

from sightline.metrics.conformal import fit_sets

VAL, ALL, COVERAGE = 80, 140, 0.8
RECORDED = {
    "threshold": "331224323332233322332333222232322322323323344221122134332232",
    "aps": "321323323322243324333333223332342323323333334323123144332332",
    "raps": "322323323332233323333333223332332333323333333323223233332332",
}


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, 6) and true classes (N,), in a stream that NumPy keeps for ever."""
    rng = np.random.RandomState(0)
    probs = rng.dirichlet(np.full(6, 0.7), ALL)
    return probs, (probs.cumsum(axis=1) < rng.random_sample((ALL, 1))).sum(axis=1).clip(max=5)


@pytest.mark.parametrize("score", RECORDED)
def test_sets_are_those_of_mapie_and_torchcp(score: str) -> None:
    probs, truth = drawn()
    config = tuning_config(coverage=COVERAGE, sets=score, raps_penalty=0.1, raps_rank=2)
    held = fit_sets(probs[:VAL, None], truth[:VAL, None], config).hold(probs[VAL:, None])[:, 0]
    for row, size in enumerate(map(int, RECORDED[score])):
        most_probable = np.argsort(-probs[VAL + row], kind="stable")[:size]
        assert set(np.flatnonzero(held[row])) == set(most_probable), row


def published_set(probs: np.ndarray, mass: float, u: float = 1.0) -> set[int]:
    """S(x, u; π, τ): equations 4 and 5 of Romano, Sesia and Candès 2020, of one sample."""
    order = np.argsort(-probs)
    masses = np.cumsum(probs[order])
    last = int(np.argmax(masses >= mass)) if masses[-1] >= mass else len(probs) - 1
    dropped = u <= (masses[last] - mass) / probs[order[last]]
    return set(order[: last if dropped else last + 1].tolist())


def test_aps_is_the_published_definition_without_randomisation() -> None:
    probs, truth = drawn()
    found = fit_sets(
        probs[:VAL, None], truth[:VAL, None], tuning_config(coverage=COVERAGE, sets="aps")
    )
    masses = []
    for row, true in zip(probs[:VAL], truth[:VAL], strict=True):
        low, high = -1e-9, 1.0  # equation 7: the least mass whose set holds the truth
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (low, middle) if true in published_set(row, middle) else (middle, high)
        masses.append(high)
    limit = np.sort(masses)[int(np.ceil((VAL + 1) * COVERAGE)) - 1]
    held = found.hold(probs[VAL:, None])[:, 0]
    for row, options in zip(probs[VAL:], held, strict=True):
        assert set(np.flatnonzero(options)) == published_set(row, limit + 1e-9)
