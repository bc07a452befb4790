"""Thresholds drawn towards 0.5: against a loop over samples, and by worlds whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.metrics import f1_score
from support.configs import tuning_config
from support.random_tables import make_mode

from sightline.metrics.shrunk_thresholds import shrunk_threshold
from sightline.metrics.thresholds import Ranked, aim_of, best_threshold
from sightline.metrics.tuning import fit_tuning
from sightline.predictions import Predictions

F1 = aim_of(tuning_config(aim="f1"))


def by_hand(scores: np.ndarray, targets: np.ndarray, ranked: Ranked) -> float:
    """The same, with each sample's influence on F1 written out."""

    def influence(threshold: float) -> tuple[float, np.ndarray]:
        preds = scores > threshold
        f1 = f1_score(targets, preds, zero_division=0)
        return f1, (2 * preds * targets - f1 * (preds + targets)) / (preds.sum() + targets.sum())

    found = [influence(threshold) for threshold in ranked.candidates]
    greatest = max(f1 for f1, _ in found)
    distance = np.abs(ranked.candidates - 0.5)
    best = min(
        (i for i, (f1, _) in enumerate(found) if f1 >= greatest - 1e-12), key=lambda i: distance[i]
    )
    errors = [np.sqrt(((found[best][1] - each) ** 2).sum()) for _, each in found]
    near = [i for i, (f1, _) in enumerate(found) if greatest - f1 <= errors[i] + 1e-12]
    return float(
        (ranked.candidates[best] + ranked.candidates[min(near, key=lambda i: distance[i])]) / 2
    )


@pytest.mark.parametrize("seed", range(4))
def test_equals_a_loop_over_samples(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.random(60).round(2)  # with ties
    targets = (rng.random(60) < scores / 2).astype(np.int64)
    ranked = Ranked.of(scores, targets)
    assert shrunk_threshold(ranked, F1) == pytest.approx(by_hand(scores, targets, ranked))


def test_nothing_to_choose_from() -> None:
    assert shrunk_threshold(Ranked.of(np.array([0.2, 0.8]), np.array([1, 1])), F1) is None


@pytest.mark.parametrize("bias", [0.0, 1.5, -1.5], ids=["calibrated", "too high", "too low"])
@pytest.mark.parametrize("positives", [10, 30])
def test_more_f1_on_new_samples_than_by_the_best_threshold(positives: int, bias: float) -> None:
    """Scores are normal, 2.5 apart, of prevalence 0.1, so that F1 of a threshold is known."""
    prevalence, distance, n = 0.1, 2.5, positives * 10
    rng = np.random.default_rng(0)

    def truth(threshold: float) -> float:
        cut = (logit(threshold) - bias + distance**2 / 2 - logit(prevalence)) / distance
        hit, wrong = norm.sf(cut - distance), norm.sf(cut)
        share = prevalence * hit + (1 - prevalence) * wrong
        return float(2 * prevalence * hit / (share + prevalence))

    shrunk, best = [], []
    for _ in range(100):
        targets = (rng.random(n) < prevalence).astype(np.int64)
        score = distance * (rng.normal(size=n) + distance * targets) - distance**2 / 2
        ranked = Ranked.of(expit(score + logit(prevalence) + bias), targets)
        shrunk.append(truth(shrunk_threshold(ranked, F1) or 0.5))
        best.append(truth(best_threshold(ranked, F1) or 0.5))
    assert np.mean(shrunk) > np.mean(best) - 0.01
    assert np.mean(shrunk) > truth(0.5) - 0.005
    if not bias:
        assert np.mean(shrunk) > np.mean(best) + 0.003


@pytest.mark.parametrize(("positives", "fitted"), [(9, False), (10, True)])
def test_a_label_of_few_positives_keeps_a_half(positives: int, fitted: bool) -> None:
    mode = make_mode("multilabel", 2)
    rng = np.random.default_rng(3)
    targets = np.zeros((200, 2), np.int64)
    targets[:positives, 0] = targets[:60, 1] = 1
    probs = expit(rng.normal(size=(200, 2)) + 2 * targets - 3).astype(np.float32)
    table = Predictions(np.arange(200).astype(str), targets, probs, ("c0", "c1"), "multilabel")
    tuning = fit_tuning(mode, table, tuning_config(aim="f1", calibrate=False))
    assert tuning.thresholds is not None
    assert (tuning.thresholds[0] != 0.5) == fitted
    assert any("fewer than 10 positive" in each for each in tuning.remarks) != fitted
