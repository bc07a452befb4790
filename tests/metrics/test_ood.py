"""Scores of unknown images against loops, and their detection against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import EmpiricalCovariance
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors

from sightline.errors import UserError
from sightline.metrics.ood_detection import detect
from sightline.metrics.ood_scores import ModelOutputs, score_of

RNG = np.random.default_rng(0)
TARGETS = RNG.integers(0, 4, 300)
FEATURES = RNG.normal(size=(300, 10)) + 2 * np.eye(4, 10)[TARGETS]
HEAD, BIAS = RNG.normal(size=(10, 4)), RNG.normal(size=4)
TRAIN = ModelOutputs(FEATURES @ HEAD + BIAS, FEATURES)
NEW = RNG.normal(size=(40, 10))
GIVEN = ModelOutputs(NEW @ HEAD + BIAS, NEW)


def test_scores_of_logits_are_their_formulas() -> None:
    for row, logits in enumerate(GIVEN.logits):
        exps = [np.exp(each) for each in logits]
        by_hand = {
            "msp": -max(exps) / sum(exps), "max_logit": -max(logits), "energy": -np.log(sum(exps))
        }  # fmt: skip
        several = {
            "msp": -1 / (1 + np.exp(-max(logits))), "max_logit": -max(logits),
            "energy": -sum(np.log(1 + each) for each in exps),
        }  # fmt: skip
        for name, value in by_hand.items():
            assert score_of(name, GIVEN, TRAIN, TARGETS, True)[row] == pytest.approx(value)
            labels = np.zeros((300, 4), int)
            assert score_of(name, GIVEN, TRAIN, labels, False)[row] == pytest.approx(several[name])
    one = ModelOutputs(GIVEN.logits[:, :1], NEW)
    certain = 1 / (1 + np.exp(-np.abs(GIVEN.logits[:, 0])))
    np.testing.assert_allclose(score_of("msp", one, TRAIN, TARGETS, False), -certain)
    half = np.abs(GIVEN.logits[:, 0]) / 2  # alike for both classes
    np.testing.assert_allclose(score_of("max_logit", one, TRAIN, TARGETS, False), -half)
    both = -np.log(np.exp(half) + np.exp(-half))
    np.testing.assert_allclose(score_of("energy", one, TRAIN, TARGETS, False), both)


def test_scores_of_features_are_those_of_scikit_learn() -> None:
    def unit(rows: np.ndarray) -> np.ndarray:
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    near = NearestNeighbors(n_neighbors=50).fit(unit(FEATURES)).kneighbors(unit(NEW))[0][:, -1]
    np.testing.assert_allclose(score_of("knn", GIVEN, TRAIN, TARGETS, True), near, atol=1e-6)

    means = [FEATURES[c == TARGETS].mean(axis=0) for c in range(4)]
    centred = FEATURES - np.array(means)[TARGETS]
    shared = EmpiricalCovariance(assume_centered=True).fit(centred)
    least = np.min([shared.mahalanobis(NEW - mean) for mean in means], axis=0)
    found = score_of("mahalanobis", GIVEN, TRAIN, TARGETS, True)
    np.testing.assert_allclose(found, least, rtol=1e-6)

    origin = -np.linalg.pinv(HEAD.T) @ BIAS
    axes = np.linalg.svd(FEATURES - origin)[2][:5]  # the five principal ones of ten

    def outside(rows: np.ndarray) -> np.ndarray:
        away = rows - origin
        return np.linalg.norm(away - away @ axes.T @ axes, axis=1)

    alpha = TRAIN.logits.max(axis=1).mean() / outside(FEATURES).mean()
    vim = alpha * outside(NEW) - np.log(np.exp(GIVEN.logits).sum(axis=1))
    np.testing.assert_allclose(score_of("vim", GIVEN, TRAIN, TARGETS, True), vim, atol=1e-6)


def test_what_a_model_or_labels_do_not_allow_is_refused() -> None:
    labels = np.zeros((300, 4), int)
    with pytest.raises(UserError, match="one class an image"):
        score_of("mahalanobis", GIVEN, TRAIN, labels, False)
    bent = ModelOutputs(np.tanh(TRAIN.logits), FEATURES)
    with pytest.raises(UserError, match="linear head"):
        score_of("vim", bent, bent, TARGETS, True)


def test_detection_is_that_of_scikit_learn() -> None:
    known, unknown = RNG.normal(0, 1, 200).round(1), RNG.normal(1.5, 1, 120).round(1)
    found = detect(known, unknown)
    scores, positive = np.concatenate([known, unknown]), np.repeat([0, 1], [200, 120])
    assert found.values["auroc"] == pytest.approx(roc_auc_score(positive, scores), abs=1e-6)
    assert found.values["aupr"] == pytest.approx(
        average_precision_score(positive, scores), abs=1e-6
    )
    at = min(t for t in known if (known <= t).mean() >= 0.95)
    assert found.values["fpr95"] == pytest.approx((unknown <= at).mean())
    assert found.threshold == at
    for name, interval in found.intervals.items():
        assert interval is not None
        assert interval.low < found.values[name] < interval.high
