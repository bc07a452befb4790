"""Scores of unknown images against loops, and their detection against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.covariance import EmpiricalCovariance
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from torch import nn

from sightline.errors import UserError
from sightline.metrics.ood_detection import detect
from sightline.metrics.ood_scores import ModelOutputs, score_of
from sightline.models.linear_head import head_values, linear_head

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


def published_vim(
    given: np.ndarray, train: np.ndarray, weights: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    """The virtual logit of Wang et al. 2022 minus the energy, by singular vectors."""
    origin, width = -np.linalg.pinv(weights) @ bias, train.shape[1]
    axes = np.linalg.svd(train - origin)[2][: width // 2]

    def outside(rows: np.ndarray) -> np.ndarray:
        away = rows - origin
        return np.asarray(np.linalg.norm(away - away @ axes.T @ axes, axis=1))

    alpha = (train @ weights.T + bias).max(axis=1).mean() / outside(train).mean()
    logits = given @ weights.T + bias
    return np.asarray(alpha * outside(given) - np.log(np.exp(logits).sum(axis=1)))


def test_vim_is_the_published_formula_with_the_models_own_head() -> None:
    vim = published_vim(NEW, FEATURES, HEAD.T, BIAS)
    np.testing.assert_allclose(score_of("vim", GIVEN, TRAIN, TARGETS, True), vim, atol=1e-6)

    dead, given = FEATURES.copy(), NEW.copy()
    dead[:, 3:5] = 0  # as after a ReLU that no training image reaches: the weights there are unseen
    train = ModelOutputs(dead @ HEAD + BIAS, dead, (HEAD.T, BIAS))
    unknown = ModelOutputs(given @ HEAD + BIAS, given)
    vim = published_vim(given, dead, HEAD.T, BIAS)
    np.testing.assert_allclose(score_of("vim", unknown, train, TARGETS, True), vim, atol=1e-6)

    one = HEAD[:, :1], BIAS[:1]  # of binary labels: as two logits that sum to 0
    train = ModelOutputs(FEATURES @ one[0] + one[1], FEATURES, (one[0].T, one[1]))
    unknown = ModelOutputs(NEW @ one[0] + one[1], NEW)
    weights, bias = np.hstack([-one[0], one[0]]).T / 2, np.hstack([-one[1], one[1]]) / 2
    vim = published_vim(NEW, FEATURES, weights, bias)
    np.testing.assert_allclose(score_of("vim", unknown, train, TARGETS, True), vim, atol=1e-6)


def test_the_head_is_found_among_the_layers() -> None:
    layers = [nn.Linear(6, 3), nn.ReLU(), nn.Linear(6, 3), nn.Linear(6, 3, bias=False)]
    network = nn.Sequential(*layers)
    features = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert linear_head(network, features, network[2](features)) is network[2]
        assert linear_head(network, features, network[3](features)) is network[3]
        assert linear_head(network, features, network[2](features).tanh()) is None
    without = layers[3]
    assert isinstance(without, nn.Linear)
    weight, bias = head_values(without)
    np.testing.assert_array_equal(weight, without.weight.detach().double())
    assert not bias.any()


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
    one_above = detect(np.arange(40.0), np.append(np.arange(100.0, 118.0), 38.5))
    assert one_above.intervals["aupr"] is None  # one image decides it: nearly the whole range
