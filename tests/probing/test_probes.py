"""The probes against scikit-learn and hand-written loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier

from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.label_modes.binary import Binary
from sightline.label_modes.multiclass import Multiclass
from sightline.label_modes.multilabel import Multilabel
from sightline.probing import linear
from sightline.probing.few_shot import FewShot, draw_samples, feasible_shots
from sightline.probing.fitted import Labelled, Standardisation
from sightline.probing.judge import Judge, make_judge
from sightline.probing.linear import fit_linear, train_heads
from sightline.probing.logistic import RegularisationPath, fit_logistic
from sightline.probing.nearest_neighbours import NEIGHBOURS, TEMPERATURES, Votes, fit_neighbours

WIDE = 12


def mode_of(name: str) -> LabelMode:
    if name == "multilabel":
        return Multilabel(("a", "b", "c"))
    return Binary(("a", "b"), "b") if name == "binary" else Multiclass(("a", "b", "c"))


def samples(name: str, count: int, seed: int, wide: int = WIDE) -> Labelled:
    """Features in which classes overlap; a few labels are not known."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(3, wide))
    if name == "multilabel":
        targets = rng.integers(0, 2, (count, 3))
        features = targets @ centres + rng.normal(size=(count, wide))
        targets[rng.random((count, 3)) < 0.1] = -1
        return Labelled(features.astype(np.float32), targets)
    targets = rng.integers(0, 2 if name == "binary" else 3, count)
    features = centres[targets] + 1.5 * rng.normal(size=(count, wide)) + 0.5
    return Labelled(features.astype(np.float32), targets)


def judge_of(name: str, val: Labelled) -> Judge:
    return make_judge(mode_of(name), val.targets, "val/loss", ())


def neighbours_by_hand(train: Labelled, features: np.ndarray, k: int, t: float) -> np.ndarray:
    """Of scikit-learn: neighbours with the same weights, for one column of classes each."""

    def weights(distances: np.ndarray) -> np.ndarray:
        return np.exp((1 - distances) / t)

    columns = [train.targets] if train.targets.ndim == 1 else list(train.targets.T)
    model = KNeighborsClassifier(k, weights=weights, metric="cosine", algorithm="brute")
    if train.targets.ndim == 1:
        found: np.ndarray = model.fit(train.features, columns[0]).predict_proba(features)
        return found
    probs = []
    for column in columns:  # votes of neighbours whose label is known, among the k nearest of all
        votes = model.fit(train.features, column).predict_proba(features)
        yes = votes[:, model.classes_ == 1][:, 0]
        no = votes[:, model.classes_ == 0][:, 0]
        probs.append(yes / (yes + no))
    return np.stack(probs, axis=1)


@pytest.mark.parametrize("name", ["binary", "multiclass", "multilabel"])
def test_neighbours_vote_as_in_scikit_learn(name: str) -> None:
    train, val = samples(name, 150, 0), samples(name, 40, 1)
    votes = Votes(mode_of(name), train, 20)
    for found, (k, t) in zip(votes.of(val.features, [(5, 0.1), (20, 0.02)]),
                             [(5, 0.1), (20, 0.02)], strict=True):  # fmt: skip
        assert found == pytest.approx(neighbours_by_hand(train, val.features, k, t), abs=1e-5)


def test_k_and_temperature_are_those_that_val_likes_best() -> None:
    train, val = samples("multiclass", 120, 0), samples("multiclass", 80, 1)
    fitted = fit_neighbours(train, val, judge_of("multiclass", val), None, 0)
    reached = {
        (k, t): accuracy_score(
            val.targets, neighbours_by_hand(train, val.features, k, t).argmax(1)
        )
        for k in NEIGHBOURS if k <= 120 for t in TEMPERATURES
    }  # fmt: skip
    chosen = fitted.chosen["k"], fitted.chosen["temperature"]
    assert reached[int(chosen[0]), chosen[1]] == max(reached.values())
    assert [row["accuracy"] for row in fitted.tried] == pytest.approx(list(reached.values()))
    kept = fit_neighbours(train, val, judge_of("multiclass", val), {"k": 500, "temperature": 1}, 0)
    assert kept.chosen == {"k": 120, "temperature": 1}


def test_blocks_of_samples_do_not_change_votes(monkeypatch: pytest.MonkeyPatch) -> None:
    train, val = samples("multiclass", 60, 0), samples("multiclass", 31, 1)
    votes = Votes(mode_of("multiclass"), train, 10)
    [whole] = votes.of(val.features, [(10, 0.07)])
    monkeypatch.setattr("sightline.probing.nearest_neighbours.BLOCK", 100)
    assert votes.of(val.features, [(10, 0.07)])[0] == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("wide", [WIDE, 300])  # fewer features than samples, and more
@pytest.mark.parametrize("name", ["binary", "multiclass", "multilabel"])
def test_a_regression_is_that_of_scikit_learn(name: str, wide: int) -> None:
    train, val = samples(name, 150, 0, wide), samples(name, 60, 1, wide)
    fitted = fit_logistic(train, val, judge_of(name, val), None, 0)
    scaling = Standardisation.of(train.features)
    scaled, seen = scaling.apply(train.features), scaling.apply(val.features)
    model = LogisticRegression(C=fitted.chosen["C"], tol=1e-9, max_iter=5000)
    if name == "multilabel":
        columns = []
        for number in range(3):
            known = train.targets[:, number] >= 0
            model.fit(scaled[known].astype(float), train.targets[known, number])
            columns.append(model.predict_proba(seen)[:, 1])
        expected = np.stack(columns, axis=1)
    else:
        expected = model.fit(scaled.astype(float), train.targets).predict_proba(seen)
    assert fitted.probs(val.features) == pytest.approx(expected, abs=5e-3)


def test_classes_and_labels_that_train_lacks_get_small_probabilities() -> None:
    train = samples("multiclass", 60, 0)
    train = train.select(np.flatnonzero(train.targets != 1))
    weight, bias = RegularisationPath(mode_of("multiclass"), train).fit(1.0)
    logits = train.features @ weight.T + bias
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert 0 < probs[:, 1].max() < 0.05
    own = LogisticRegression(tol=1e-8).fit(train.features, train.targets).predict_proba
    assert probs[:, [0, 2]] == pytest.approx(own(train.features), abs=0.05)
    targets = np.array([[1, 0], [1, 1], [1, 0], [1, 1]])
    several = Labelled(np.eye(4, dtype=np.float32), targets)
    weight, bias = RegularisationPath(Multilabel(("a", "b")), several).fit(1.0)
    assert (weight[0] == 0).all()
    assert bias[0] == pytest.approx(math.log(4.5 / 0.5))


@pytest.mark.parametrize("name", ["binary", "multiclass", "multilabel"])
def test_heads_of_several_rates_are_trained_as_each_alone(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """By torch's SGD and its cosine, one head at a time."""
    monkeypatch.setattr(linear, "EPOCHS", 3)
    monkeypatch.setattr(linear, "BATCH_SIZE", 32)
    mode, train, rates = mode_of(name), samples(name, 70, 0), (1e-3, 1e-1)
    weights, biases = train_heads(mode, train, rates, seed=5)
    for rate, weight, bias in zip(rates, weights, biases, strict=True):
        draw = torch.Generator().manual_seed(5)
        layer = torch.nn.Linear(WIDE, mode.num_outputs)
        with torch.no_grad():
            layer.weight.copy_(torch.randn(mode.num_outputs, WIDE, generator=draw) * 0.01)
            layer.bias.zero_()
        optimizer = torch.optim.SGD(layer.parameters(), lr=rate, momentum=0.9)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 9)
        for _ in range(3):
            for rows in torch.randperm(70, generator=draw).split(32):
                logits = layer(torch.from_numpy(train.features[rows]))
                targets = torch.from_numpy(train.targets[rows])
                loss = mode.criterion(None, 0.0)(*mode.loss_inputs(logits, targets))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        assert weight == pytest.approx(layer.weight.detach().numpy(), abs=1e-5)
        assert bias == pytest.approx(layer.bias.detach().numpy(), abs=1e-5)


def test_a_rate_at_which_weights_overflow_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "RATES", (1e-2, 1e38))
    train, val = samples("multilabel", 60, 0), samples("multilabel", 30, 1)
    train.features[:] *= 1e3
    fitted = fit_linear(train, val, judge_of("multilabel", val), None, 0)
    assert fitted.chosen == {"lr": 1e-2}
    assert fitted.head is not None
    assert np.isfinite(fitted.probs(val.features)).all()


def test_a_head_on_raw_features_does_what_the_scaled_one_did() -> None:
    train = samples("multiclass", 50, 0)
    scaling = Standardisation.of(train.features)
    scaled = scaling.apply(train.features)
    assert scaled.mean(axis=0) == pytest.approx(np.zeros(WIDE), abs=1e-5)
    assert scaled.std() == pytest.approx(1, abs=0.05)
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(3, WIDE)), rng.normal(size=3)
    head = scaling.on_raw(weight, bias)
    raw = train.features @ head.weight.T + head.bias
    assert raw == pytest.approx(scaled @ weight.T + bias, abs=1e-4)


def test_draws_have_so_many_of_each_class_and_repeat() -> None:
    for name, count in (("multiclass", 5), ("multilabel", 5)):
        targets = samples(name, 100, 0).targets
        rows = draw_samples(mode_of(name), targets, count, 0, 1)
        assert rows.tolist() == draw_samples(mode_of(name), targets, count, 0, 1).tolist()
        assert rows.tolist() != draw_samples(mode_of(name), targets, count, 0, 2).tolist()
        if name == "multiclass":
            assert np.bincount(targets[rows]).tolist() == [5, 5, 5]
        else:
            assert ((targets[rows] == 1).sum(axis=0) >= 5).all()


def test_shots_that_train_cannot_give_are_refused_or_left_out() -> None:
    mode, targets = mode_of("multiclass"), np.array([0] * 20 + [1] * 7 + [2] * 9)
    assert feasible_shots(mode, targets, None) == (1, 5)
    assert feasible_shots(mode, targets, (7,)) == (7,)
    with pytest.raises(UserError, match="shots=8: the class 'b' has 7 training samples"):
        feasible_shots(mode, targets, (8,))


def test_the_interval_over_draws_is_students() -> None:
    few = FewShot(5, (0.5, 0.7, 0.65, 0.6))
    low, high = stats.t.interval(0.95, 3, np.mean(few.values), stats.sem(few.values))
    assert few.half_width == pytest.approx((high - low) / 2)
    assert FewShot(1, (0.5,)).half_width is None


def test_settings_are_chosen_by_the_monitor() -> None:
    val = samples("binary", 30, 1)
    judge = make_judge(mode_of("binary"), val.targets, "val/f1_macro", ())
    assert judge.metric.name == "f1_macro"
    with pytest.raises(UserError, match=r"label_mode=binary has no such metric. Did you mean"):
        make_judge(mode_of("binary"), val.targets, "val/f1_macr", ())
