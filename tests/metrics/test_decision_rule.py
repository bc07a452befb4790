"""The decision rule: declared once, judged by cross-fitting, and kept at 0.5 without evidence."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit, logit
from sklearn import metrics as sk
from support.configs import tuning_config
from support.random_tables import make_mode, random_table

from sightline.config.compose import compose_job
from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.metrics.certified import certified_threshold, samples_needed
from sightline.metrics.crossfit import f1_gain, parts_of
from sightline.metrics.evaluation import evaluate_table
from sightline.metrics.fitted_tuning import fit_on_val
from sightline.metrics.metric_sets import metric_sets
from sightline.metrics.thresholds import Ranked
from sightline.metrics.tuned_table import (
    TunedTable,
    decide_calibrated,
    parts_of_val,
    rule_words,
    thresholds_of_calibrated,
)
from sightline.metrics.tuning import Tuning, fit_tuning
from sightline.predictions import Predictions
from sightline.training.logging.results import shown_result
from sightline.training.prior_shift import prior_shift

MODES = ["binary", "multiclass", "multilabel"]


def drawn(
    mode: LabelMode, n: int, seed: int, prevalence: float = 0.3, strength: float = 1.5,
    scale: float = 1.0, bias: float = 0.0,
) -> Predictions:  # fmt: skip
    """Samples whose logits are those of the posterior, times `scale`, plus `bias`."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((n, mode.num_outputs)) < prevalence).astype(np.int64)
    scores = rng.standard_normal(targets.shape) + strength * (targets - 0.5)
    logits = scale * (strength * scores + logit(prevalence)) + bias
    probs = mode.probs(torch.from_numpy(logits)).numpy()
    encoded = targets if mode.multi_label else targets[:, 0]
    return Predictions(np.arange(n).astype(str), encoded, probs, mode.class_names, mode.name)


def values(
    mode: LabelMode, table: Predictions, tuning: Tuning, parts: np.ndarray | None = None
) -> dict[str, float]:
    sets = metric_sets(mode, table, tuning, parts=parts)
    return {name: value for each in sets for name, value in each.values().items()}


def test_a_tuning_of_an_older_checkpoint_decides_as_it_did() -> None:
    old = Tuning.from_dict({"temperature": 1.7, "thresholds": [0.2], "aim": "f1"})
    assert (old.rule, old.biases, old.parts) == ("tuned", None, ())
    assert Tuning.from_dict({"temperature": 1.7, "thresholds": None, "aim": None}).rule == "default"
    parts = (Tuning(1.5, (0.3,), "f1", (0.1,), "default"),)
    now = Tuning(1.7, (0.2,), "f1", (0.5,), "default", True, ("a remark.",), parts)
    assert Tuning.from_dict(json.loads(json.dumps(now.to_dict()))) == now
    with pytest.raises(ValueError, match="unknown"):
        Tuning.from_dict({"rule": "other"})


@pytest.mark.parametrize("name", MODES)
def test_parts_hold_each_class_and_whole_groups(name: str) -> None:
    mode = make_mode(name, 3)
    table = random_table(mode, 300)
    parts = parts_of(table)
    assert np.bincount(parts).tolist() == [60] * 5
    assert np.array_equal(parts, parts_of(table))
    if not mode.multi_label:
        counts = np.array([np.bincount(parts[table.targets == c]) for c in range(mode.num_outputs)])
        assert np.ptp(counts, axis=1).max() <= 1
    groups = np.random.default_rng(0).integers(0, 40, 300)
    grouped = parts_of(replace(table, groups=groups))
    assert all(len(np.unique(grouped[groups == g])) == 1 for g in np.unique(groups))
    assert len(np.unique(grouped)) == 5
    assert set(parts_of(table.select(slice(3)))) == {0, 1, 2}


def test_the_cross_fitted_value_on_val_is_that_of_new_samples() -> None:
    """The plain one, fitted and judged on the same samples, is too good."""
    mode = make_mode("binary")
    new = drawn(mode, 10_000, seed=10_000)
    errors = []

    def f1(table: Predictions, tuning: Tuning, parts: np.ndarray | None) -> float:
        decided = TunedTable(mode, table, tuning, parts).decisions("tuned")
        return float(mode.rate("f1", decided, torch.from_numpy(table.targets), "none")[1])

    for seed in range(60):
        val = drawn(mode, 120, seed)
        tuning = fit_tuning(mode, val, tuning_config(aim="f1"))
        truth = f1(new, tuning, None)
        parts = parts_of_val(tuning, val)
        assert parts is not None
        plain, crossed = (f1(val, tuning, each) for each in (None, parts))
        errors.append((plain - truth, crossed - truth))
    mean, error = np.mean(errors, axis=0), np.std(errors, axis=0) / np.sqrt(len(errors))
    assert mean[0] > 0.02
    assert abs(mean[1]) < 3 * error[1]
    assert abs(mean[1]) < mean[0] / 2


@pytest.mark.parametrize("name", ["binary", "multilabel"])
def test_val_is_decided_by_what_was_fitted_without_each_part(name: str) -> None:
    mode = make_mode(name, 3)
    val = drawn(mode, 300, seed=1, scale=2.0)
    tuning = fit_tuning(mode, val, tuning_config(aim="f1", calibrate=True))
    parts = parts_of_val(tuning, val)
    assert parts is not None
    assert len({each.thresholds for each in tuning.parts}) > 1
    decided = TunedTable(mode, val, tuning, parts).decisions("tuned").numpy()
    for k, each in enumerate(tuning.parts):
        rows = parts == k
        assert each.thresholds is not None
        probs = val.probs[rows].astype(float)
        positive = probs[:, 1:] if name == "binary" else probs
        yes = expit(logit(positive) / each.temperature) > np.array(each.thresholds)
        assert np.array_equal(decided[rows].reshape(yes.shape), yes)
    assert parts_of_val(Tuning(), val) is None


def test_a_label_with_few_positives_keeps_a_half(caplog: pytest.LogCaptureFixture) -> None:
    mode = make_mode("multilabel", 3)
    val = drawn(mode, 300, seed=2)
    targets = val.targets.copy()
    targets[np.flatnonzero(targets[:, 1] == 1)[4:], 1] = 0
    tuning = fit_tuning(mode, replace(val, targets=targets), tuning_config(aim="f1"))
    assert tuning.thresholds is not None
    assert tuning.thresholds[1] == 0.5
    assert 0.5 not in (tuning.thresholds[0], tuning.thresholds[2])
    assert all(part.thresholds is not None and part.thresholds[1] == 0.5 for part in tuning.parts)
    (remark,) = [each for each in tuning.remarks if "No threshold for c1:" in each]
    assert remark in caplog.text
    assert "fewer than 10 positive" in remark


def test_without_a_gain_beyond_noise_the_default_rule_stays() -> None:
    mode = make_mode("binary")
    weak = [drawn(mode, 210, seed, prevalence=0.55, strength=0.6) for seed in range(20)]
    found = [fit_tuning(mode, each, tuning_config()) for each in weak]
    assert sum(each.rule == "tuned" for each in found) <= 2
    stays = next(each for each in found if each.rule == "default")
    assert stays.thresholds is not None  # their metrics are still shown, as _tuned
    assert any("the default rule, 0.5, stays" in remark for remark in stays.remarks)
    assert rule_words(mode, stays) == "default: a probability over 0.5 is c1"
    asked = fit_tuning(mode, weak[found.index(stays)], tuning_config(aim="f1"))
    assert (asked.rule, asked.thresholds) == ("tuned", stays.thresholds)
    shifted = drawn(mode, 400, seed=0, prevalence=0.5, strength=2.0, bias=2.0)
    gained = fit_tuning(mode, shifted, tuning_config())
    assert gained.rule == "tuned"
    assert "c1 over" in rule_words(mode, gained)


@pytest.mark.parametrize("both", [True, False])
def test_the_gain_of_f1_is_that_of_scikit_learn(both: bool) -> None:
    rng = np.random.default_rng(3)
    targets = rng.integers(-1, 2, (200, 3))
    before, after = rng.integers(0, 2, (2, 200, 3))
    mode = make_mode("multilabel", 3)
    gain = f1_gain(before, after, targets, random_table(mode, 200), both)

    def score(decided: np.ndarray) -> float:
        known = [(targets[:, c] >= 0, c) for c in range(3)]
        average = "macro" if both else "binary"
        return float(np.mean([
            sk.f1_score(targets[rows, c], decided[rows, c], average=average) for rows, c in known
        ]))  # fmt: skip

    assert gain.value == pytest.approx(score(after) - score(before))
    assert gain.low < gain.value


@pytest.mark.parametrize("held", ["precision", "recall"])
def test_a_certified_threshold_holds_with_its_confidence(held: str) -> None:
    """Against the population; that which val just holds falls short in about half of all fits."""
    mode, hold = make_mode("binary"), 0.8
    new = drawn(mode, 100_000, seed=99, strength=2.0)
    whole = Ranked.of(new.probs[:, 1].astype(float), new.targets)
    short = {None: 0, 0.9: 0}
    certified = 0
    for seed in range(200):
        val = drawn(mode, 400, seed, strength=2.0)
        ranked = Ranked.of(val.probs[:, 1].astype(float), val.targets)
        for guarantee in short:
            if guarantee is None:
                config = tuning_config(aim=held, hold=hold)
                thresholds = fit_tuning(mode, val, config).thresholds if seed < 40 else None
                threshold = thresholds[0] if thresholds else None
            else:
                threshold = certified_threshold(ranked, held, hold, guarantee)
                certified += threshold is not None
            if threshold is None:
                continue
            at = int((whole.candidates > threshold).sum()) - 1
            of = whole.decided[at] if held == "precision" else whole.present
            short[guarantee] += whole.hits[at] / of < hold
    assert certified > 100
    assert short[0.9] <= 0.1 * 200 + 2 * np.sqrt(200 * 0.1 * 0.9)
    assert short[None] >= 10  # of 40


def test_a_guarantee_out_of_reach_says_what_it_takes(caplog: pytest.LogCaptureFixture) -> None:
    assert samples_needed(0.9, 0.9) == 22
    mode = make_mode("binary")
    val = drawn(mode, 60, seed=0, prevalence=0.2)
    sure = tuning_config(aim="recall", hold=0.9, guarantee=0.9)
    tuning = fit_tuning(mode, val, sure)
    assert (tuning.thresholds, tuning.rule) == ((0.5,), "tuned")
    assert "at least 22 positive samples on val" in caplog.text
    assert "nothing is guaranteed; 0.5 stays" in caplog.text
    plain = fit_tuning(mode, drawn(mode, 300, seed=0), tuning_config(aim="recall", hold=0.9))
    assert any("in about half of all fits" in remark for remark in plain.remarks)
    assert sure.words == "recall>=0.9 with 90% confidence"
    for words in (["tuning.guarantee=0.9"], ["tuning.aim=recall", "tuning.hold=1",
                                             "tuning.guarantee=0.9"]):  # fmt: skip
        with pytest.raises(UserError, match=r"tuning\.guarantee=0\.9"):
            compose_job(words)


def test_a_guarantee_of_the_risk_alone_leaves_thresholds_to_their_own_rules() -> None:
    mode = make_mode("multilabel", 3)
    val = drawn(mode, 300, seed=2)
    targets = val.targets.copy()
    targets[np.flatnonzero(targets[:, 1] == 1)[4:], 1] = 0
    targets[:, 2] = 0
    val = replace(val, targets=targets)
    costs = {"false_positive_cost": 1.0, "false_negative_cost": 5.0}
    for aim in ({"aim": "auto"}, {"aim": "f1"}, {"aim": "cost", **costs}):
        with_risk = fit_tuning(mode, val, tuning_config(**aim, risk=0.1, guarantee=0.9))
        assert with_risk.thresholds == fit_tuning(mode, val, tuning_config(**aim)).thresholds
        assert with_risk.thresholds is not None
        assert with_risk.thresholds[1:] == (0.5, 0.5)
    words = ["tuning.aim=recall", "tuning.hold=1", "tuning.guarantee=0.9", "tuning.risk=0.1"]
    with pytest.raises(UserError, match=r"tuning\.hold under 1"):
        compose_job(words)


@pytest.mark.parametrize("name", MODES)
def test_a_val_of_one_group_is_fitted_without_a_part_to_judge_it_by(name: str) -> None:
    """Nothing is left to fit on without that group: 0.5, no answer withheld, sets of everything."""
    mode = make_mode(name, 3)
    val = replace(random_table(mode, 40), groups=np.zeros(40, np.int64))
    aim = None if name == "multiclass" else "f1"
    config = tuning_config(aim=aim, calibrate=True, risk=0.4, guarantee=0.9, coverage=0.8)
    tuning = fit_on_val(mode, val, config)
    (part,) = tuning.parts
    assert set(part.thresholds or ()) <= {0.5}
    judged = TunedTable(mode, val, tuning, parts_of_val(tuning, val)).fitted
    assert judged.answered.all()
    assert judged.sets is not None
    assert judged.sets.all()
    with_remark = any("several answers" in remark for remark in tuning.remarks)
    assert with_remark == mode.multi_label


def test_a_model_that_knows_nothing_is_not_calibrated() -> None:
    mode = make_mode("binary")
    config = tuning_config(aim=None, calibrate=True)
    rng = np.random.default_rng(0)
    for scale in (0.3, 3.0):  # its certainty is noise
        logits = torch.from_numpy(scale * rng.standard_normal((300, 1)))
        targets = (rng.random(300) < 0.4).astype(np.int64)
        val = Predictions(np.arange(300).astype(str), targets, mode.probs(logits).numpy(),
                          mode.class_names, "binary")  # fmt: skip
        tuning = fit_tuning(mode, val, config)
        assert (tuning.temperature, tuning.biases, tuning.calibrates) == (1.0, None, False)
        assert any("stay uncalibrated" in remark for remark in tuning.remarks)
        found = values(mode, val, tuning)
        assert found["ece_calibrated"] == found["ece"]
    certain = fit_tuning(mode, drawn(mode, 600, seed=0, scale=2.5), config)
    assert certain.temperature == pytest.approx(2.5, rel=0.25)


@pytest.mark.parametrize("name", MODES)
def test_biases_undo_the_weights_of_the_training(name: str) -> None:
    """Logits of the posterior, to which weights add their logarithms."""
    mode = make_mode(name, 3)
    rng = np.random.default_rng(0)
    shift = np.array([2.2, -0.7, 0.4])[: mode.num_outputs]
    if mode.exclusive:
        shift -= shift.mean()
        targets = rng.choice(3, 1500, p=[0.1, 0.6, 0.3])
        exact = np.eye(3)[targets] + rng.standard_normal((1500, 3)) + np.log([0.1, 0.6, 0.3])
        exact = exact - exact.mean(axis=1, keepdims=True)
        val = Predictions(np.arange(1500).astype(str), targets, mode.probs(
            torch.from_numpy(exact + shift)).numpy(), mode.class_names, name)  # fmt: skip
    else:
        val = drawn(mode, 1500, seed=0, prevalence=0.2)
        logits = mode.logits(torch.from_numpy(val.probs))
        val = replace(val, probs=mode.probs(logits + torch.from_numpy(shift)).numpy())
    tuning = fit_tuning(mode, val, tuning_config(calibrate=True), shift)
    assert tuning.biases is not None
    np.testing.assert_allclose(tuning.biases, -shift, atol=0.3)
    with_biases, alone = values(mode, val, tuning), values(
        mode, val, fit_tuning(mode, val, tuning_config(calibrate=True)))  # fmt: skip
    assert with_biases["log_loss_calibrated"] < alone.get("log_loss_calibrated", alone["log_loss"])
    # The default rule stays that of the probabilities as trained, also from calibrated ones alone.
    plain = replace(tuning, rule="default", thresholds=None)
    ruled = TunedTable(mode, val, plain)
    decided = mode.decide(torch.from_numpy(val.probs))
    calibrated = torch.from_numpy(ruled.calibrated.probs)
    assert torch.equal(ruled.decisions("default"), decided)
    assert torch.equal(decide_calibrated(mode, plain, calibrated), decided)
    thresholds = thresholds_of_calibrated(mode, plain)
    assert (thresholds is None) == mode.exclusive
    if thresholds is not None:
        assert torch.equal(mode.decide(calibrated, thresholds), decided)


@pytest.mark.parametrize("name", MODES)
def test_the_shift_follows_from_class_weights_and_from_a_balanced_sampler(name: str) -> None:
    mode = make_mode(name, 3)
    rng = np.random.default_rng(0)
    if mode.multi_label:
        targets = (rng.random((3000, 3)) < [0.02, 0.3, 0.5]).astype(np.int8)
    else:
        targets = rng.choice(2 if name == "binary" else 3, 3000, p=[0.9, 0.1] if name == "binary"
                             else [0.1, 0.3, 0.6])  # fmt: skip
    weights = mode.weights(None, targets)
    plain = mode.criterion(None, 0.0)
    by_loss = prior_shift(mode, mode.criterion(weights, 0.0), targets, "shuffle")
    by_sampler = prior_shift(mode, plain, targets, "balanced")
    assert prior_shift(mode, plain, targets, "shuffle") is None
    assert by_loss is not None
    assert by_sampler is not None
    if not mode.multi_label:  # both make the classes equally frequent
        np.testing.assert_allclose(by_loss, by_sampler, atol=0.02)
    else:
        assert by_sampler[0] > 1  # the rarest label is drawn most
        np.testing.assert_allclose(by_loss, np.log(np.atleast_1d(weights)), atol=1e-6)


@pytest.mark.parametrize("rule", ["default", "tuned"])
@pytest.mark.parametrize("name", ["binary", "multilabel"])
def test_both_results_are_there_under_their_names(name: str, rule: str) -> None:
    mode = make_mode(name, 3)
    table = drawn(mode, 300, seed=5)
    thresholds = (0.3, 0.6, 0.4)[: len(mode.threshold_names)]
    tuning = Tuning(1.3, thresholds, "f1", rule=rule)
    found = evaluate_table(mode, table, tuning)
    for key, which in (("accuracy", "default"), ("accuracy_tuned", "tuned")):
        decided = TunedTable(mode, table, tuning).decisions(which).numpy()
        assert found.metrics[key] == pytest.approx((decided == table.targets).mean(), abs=1e-6)
    (shown,) = shown_result("test", found, f"accuracy{tuning.suffix}").values()
    assert shown.startswith(f"{found.metrics[f'accuracy{tuning.suffix}']:.2f}")
    assert shown.endswith(", tuned thresholds") == (rule == "tuned")
    record = found.record()
    assert record["tuning"]["rule"] == rule
    json.dumps(record)
    row = found.per_class[-1]
    assert {"f1_tuned_low", "recall_tuned_high", "f1_low"} <= row.keys()
    low, high = row["recall_tuned_low"], row["recall_tuned_high"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert low <= float(str(row["recall_tuned"])) <= high
