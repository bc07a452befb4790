"""What is fitted on val: temperature and thresholds, and what they do to probabilities."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from sklearn import metrics as sk
from support.configs import tuning_config
from support.random_tables import make_mode, random_table
from support.runs import Trained

from sightline import load
from sightline.config.compose import compose_job
from sightline.errors import UserError
from sightline.metrics.calibration import calibrated, calibration_metrics, fit_temperature
from sightline.metrics.thresholds import Ranked, aim_of, best_threshold
from sightline.metrics.tuned_table import TunedTable, parts_of_val, rule_words
from sightline.metrics.tuning import Tuning, check_aim, fit_tuning, tuning_record
from sightline.predictions import Predictions

MODES = ["binary", "multiclass", "multilabel"]


def test_a_tuning_reads_back_as_it_was_stored() -> None:
    tuning = Tuning(1.7, (0.2, 0.8), "f1")
    assert Tuning.from_dict(tuning.to_dict()) == tuning
    assert Tuning.from_dict({}) == Tuning()


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_calibrating_stored_probabilities_divides_the_logits(name: str, temperature: float) -> None:
    mode = make_mode(name)
    logits = 4 * torch.randn(200, mode.num_outputs, generator=torch.Generator().manual_seed(1))
    calibrated = mode.calibrate(mode.probs(logits), temperature)
    exact = (logits / temperature).double()
    if name == "binary":
        expected = torch.cat([(-exact).sigmoid(), exact.sigmoid()], dim=1)
    else:
        expected = exact.softmax(dim=1) if name == "multiclass" else exact.sigmoid()
    # A float32 next to 1 has lost some of its logit.
    torch.testing.assert_close(calibrated, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", MODES)
def test_saturated_probabilities_stay_finite_and_certain(name: str) -> None:
    mode = make_mode(name)
    logits = torch.full((2, mode.num_outputs), -500.0)
    logits[0, 0] = 500.0
    probs = mode.probs(logits)
    calibrated = mode.calibrate(probs, 2.0)
    assert torch.isfinite(calibrated).all()
    assert torch.equal(mode.decide(calibrated), mode.decide(probs))


@pytest.mark.parametrize("name", MODES)
def test_metadata_is_stored_with_the_table(tmp_path, name: str) -> None:  # type: ignore[no-untyped-def]
    table = random_table(make_mode(name), 4)
    columns = {"hospital": np.array(["a", "b", "", "a"]), "age": np.array([1.5, np.nan, 3, 4])}
    table = Predictions(
        table.ids, table.targets, table.probs, table.class_names, table.label_mode, columns
    )
    table.write(tmp_path / "t.parquet")
    back = Predictions.read(tmp_path / "t.parquet")
    assert back.metadata.keys() == columns.keys()
    for key, column in columns.items():
        np.testing.assert_array_equal(back.metadata[key], column)


def certainty(seed: int, samples: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Targets drawn with the probability that a logit says, and the logit made too large."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal(samples)
    targets = (rng.random(samples) < 1 / (1 + np.exp(-logits))).astype(np.int64)
    return targets, scale * logits


def test_the_temperature_that_made_probabilities_too_certain_is_found() -> None:
    mode = make_mode("binary")
    targets, logits = certainty(0, 20_000, scale=3.0)
    probs = mode.probs(torch.from_numpy(logits)[:, None])
    table = Predictions(
        np.arange(20_000).astype(str), targets, probs.numpy(), mode.class_names, "binary"
    )
    temperature = fit_temperature(mode, table)
    assert temperature == pytest.approx(3.0, rel=0.05)
    after = calibrated(mode, table, temperature)
    before_metrics, after_metrics = (calibration_metrics(mode, each) for each in (table, after))
    assert after_metrics["ece"] < 0.02 < 0.05 < before_metrics["ece"]
    assert after_metrics["log_loss"] < before_metrics["log_loss"]


@pytest.mark.parametrize("name", MODES)
def test_no_other_temperature_has_less_log_loss(name: str) -> None:
    mode = make_mode(name)
    table = random_table(mode, 400)
    best = fit_temperature(mode, table)

    def loss(temperature: float) -> float:
        return calibration_metrics(mode, calibrated(mode, table, temperature))["log_loss"]

    assert all(loss(best) <= loss(best * factor) + 1e-12 for factor in (0.5, 0.99, 1.01, 2))


@pytest.mark.parametrize("name", MODES)
def test_without_a_mistake_no_temperature_is_fitted(name: str) -> None:
    """The less the better, without an end: probabilities of 0 and 1 from a handful of images."""
    mode = make_mode(name)
    table = random_table(mode, 60)
    if name == "multiclass":
        logits = 10 * np.eye(len(mode.class_names))[table.targets]
    else:
        logits = np.where(table.targets.reshape(60, -1) == 1, 5.0, -5.0)
    probs = mode.probs(torch.from_numpy(logits)).numpy()
    assert fit_temperature(mode, replace(table, probs=probs)) == 1.0


AIMS = [
    {"aim": "f1"},
    {"aim": "precision", "hold": 0.8},
    {"aim": "recall", "hold": 0.9},
    {"aim": "cost", "false_positive_cost": 1.0, "false_negative_cost": 5.0},
]


def value_of(aim: dict[str, object], targets: np.ndarray, preds: np.ndarray) -> float:
    """What an aim is worth, by scikit-learn; -inf where what is held is not."""
    precision = sk.precision_score(targets, preds, zero_division=0)
    recall = sk.recall_score(targets, preds)
    if aim["aim"] == "f1":
        return float(sk.f1_score(targets, preds))
    if aim["aim"] == "precision":
        return float(recall) if precision >= 0.8 and preds.any() else -np.inf
    if aim["aim"] == "recall":
        return float(precision) if recall >= 0.9 else -np.inf
    wrong, missed = ((preds == 1) & (targets == 0)).sum(), ((preds == 0) & (targets == 1)).sum()
    return -float(wrong + 5 * missed)


@pytest.mark.parametrize("aim", AIMS, ids=lambda aim: str(aim["aim"]))
def test_a_threshold_serves_its_aim_as_well_as_any(aim: dict[str, object]) -> None:
    rng = np.random.default_rng(2)
    scores = rng.random(150).round(2)  # with ties
    targets = (rng.random(150) < scores).astype(np.int64)
    targets[:10] = -1
    threshold = best_threshold(Ranked.of(scores, targets), aim_of(tuning_config(**aim)))
    assert threshold is not None
    known = targets >= 0
    values = {
        t: value_of(aim, targets[known], (scores[known] > t).astype(int))
        for t in [*np.linspace(-0.005, 1.005, 102), threshold]
    }
    assert values[threshold] == pytest.approx(max(values.values()))


def test_what_has_no_threshold_stays_at_a_half_and_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mode = make_mode("multilabel", 3)
    table = random_table(mode, 100)
    targets = table.targets.copy()
    targets[:, 1] = 0
    table = replace(table, targets=targets)
    tuning = fit_tuning(mode, table, tuning_config(aim="f1"))
    assert tuning.thresholds is not None
    assert tuning.thresholds[1] == 0.5
    assert "No threshold for c1:" in caplog.text
    record = tuning_record(mode, tuning)
    assert list(record["thresholds"]) == ["c0", "c1", "c2"]
    assert fit_tuning(mode, table, tuning_config(aim=None)).thresholds is None


def test_an_aim_and_its_numbers_fit_each_other() -> None:
    with pytest.raises(UserError, match="decides by the most probable class"):
        check_aim(make_mode("multiclass"), tuning_config(aim="f1"))
    for words, expected in (
        (["tuning.aim=precision"], "needs tuning.hold"),
        (["tuning.hold=0.9"], "does not take it"),
        (["tuning.aim=cost", "tuning.false_positive_cost=1"], "needs tuning.false_negative_cost"),
        (["tuning.aim=f2"], "tuning.aim: expected"),
        (["tuning.aim=recall", "tuning.hold=1.5"], "tuning.hold"),
    ):
        with pytest.raises(UserError, match=expected):
            compose_job(words)


@pytest.mark.parametrize("name", MODES)
def test_a_training_keeps_what_it_fitted_on_val(
    trained: Callable[[str], Trained], name: str
) -> None:
    run = trained(name)
    state = torch.load(run.checkpoint, map_location="cpu", weights_only=True)
    tuning = Tuning.from_dict(state["sightline"]["tuning"])
    model = load(run.checkpoint)
    assert model.tuning == tuning
    val = Predictions.read(run.folder / "predictions" / "val.parquet")
    fitted = 1.0 if tuning.refused else fit_temperature(model.label_mode, val)
    assert tuning.temperature == pytest.approx(fitted)
    assert (tuning.thresholds is None) == (name == "multiclass")
    logged = MlflowClient(run.store).get_run(run.run_id).data
    metrics, words = logged.metrics, rule_words(model.label_mode, tuning)
    assert logged.tags["decision_rule"] == words
    assert f"**decision rule**: {words}" in logged.tags["mlflow.note.content"]
    results = json.loads((run.folder / "results.json").read_text())
    assert results["tuning"]["decision_rule"] == words
    assert results["tuning"]["rule"] == tuning.rule
    for prefix, split in (("val_best", "val"), ("test", "test")):
        table = Predictions.read(run.folder / "predictions" / f"{split}.parquet")
        own = parts_of_val(tuning, table) if split == "val" else None
        tuned = TunedTable(model.label_mode, table, tuning, own)
        found = calibration_metrics(model.label_mode, tuned.calibrated)
        for key, value in found.items():
            assert metrics[f"{prefix}/{key}_calibrated"] == pytest.approx(value, abs=1e-6)
        if tuning.thresholds is not None:
            right = (tuned.decisions("tuned").numpy() == table.targets).mean()
            assert metrics[f"{prefix}/accuracy_tuned"] == pytest.approx(right, abs=1e-6)
        record = json.loads((run.folder / f"confusion_matrix/{split}.json").read_text())
        summed = [np.array(m["counts"]) for m in record["matrices"] if m["sums_to_n"]]
        share = sum(map(np.trace, summed)) / sum(each.sum() for each in summed)
        assert record["decision_rule"] == tuning.rule
        assert metrics[f"{prefix}/{record['accuracy']}"] == pytest.approx(share, abs=1e-6)
    assert metrics["val_best/log_loss_calibrated"] <= metrics["val_best/log_loss"] + 1e-9
