"""Thresholds of labels with few positives: F1 on new samples, whose truth is known.

    python benchmarks/thresholds.py [WORLDS]

16 labels: prevalence and distance of their normal scores, and what their probabilities are off by
(logits times and plus). For each number of positives on val, the mean F1 that is lost to the best
threshold there is, and the most that is lost to 0.5 of any label.
"""

import sys
from collections.abc import Callable
from itertools import product

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from sightline.config.tuning_schema import TuningConfig
from sightline.metrics.shrunk_thresholds import shrunk_threshold
from sightline.metrics.thresholds import Ranked, aim_of, best_threshold

LABELS = [(0.02, 2.5), (0.1, 1.5), (0.1, 2.5), (0.3, 1.5)]  # prevalence, distance
OFF = [(1.0, 0.0), (1.0, 1.5), (1.0, -1.5), (1.7, 0.0)]  # logits times, and plus
POSITIVES = (4, 10, 20, 40, 100)
F1 = aim_of(TuningConfig(
    calibrate=False, aim="f1", hold=None, false_positive_cost=None, false_negative_cost=None
))  # fmt: skip
RULES: dict[str, Callable[[Ranked], float | None]] = {
    "0.5": lambda ranked: 0.5,
    "the best on val": lambda ranked: best_threshold(ranked, F1),
    "the best, from 20 positives": lambda ranked: (
        best_threshold(ranked, F1) if ranked.present >= 20 else 0.5
    ),
    "drawn towards 0.5": lambda ranked: shrunk_threshold(ranked, F1),
}


def true_f1(
    threshold: np.ndarray | float, label: tuple[float, float], off: tuple[float, float]
) -> np.ndarray:
    """F1 of a threshold in the population."""
    prevalence, distance = label
    logits = (logit(np.clip(threshold, 1e-9, 1 - 1e-9)) - off[1]) / off[0]
    cut = (logits + distance**2 / 2 - logit(prevalence)) / distance
    hit, wrong = norm.sf(cut - distance), norm.sf(cut)
    decided = prevalence * hit + (1 - prevalence) * wrong
    return np.asarray(2 * prevalence * hit / (decided + prevalence))


def world(
    rng: np.random.Generator, n: int, label: tuple[float, float], off: tuple[float, float]
) -> Ranked:
    """One val table of a label."""
    prevalence, distance = label
    targets = (rng.random(n) < prevalence).astype(np.int64)
    score = distance * (rng.normal(size=n) + distance * targets) - distance**2 / 2
    return Ranked.of(expit(off[0] * (score + logit(prevalence)) + off[1]), targets)


def main(worlds: int) -> None:
    """Print a line for each number of positives and rule."""
    grid = np.linspace(0.001, 0.999, 999)
    for positives in POSITIVES:
        lost: dict[str, list[float]] = {name: [] for name in RULES}
        for label, off in product(LABELS, OFF):
            rng = np.random.default_rng(0)
            tables = [world(rng, int(positives / label[0]), label, off) for _ in range(worlds)]
            best = float(true_f1(grid, label, off).max())
            for name, rule in RULES.items():
                chosen = np.array([rule(each) or 0.5 for each in tables])
                lost[name].append(best - float(true_f1(chosen, label, off).mean()))
        for name, found in lost.items():
            most = np.subtract(found, lost["0.5"]).max()
            print(f"{positives} positives, {name}: lost {np.mean(found):.3f} on average; to 0.5 "
                  f"at most {most:.3f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
