"""Calibration errors against formulas written here, and against chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.random_tables import make_mode, random_table
from torchmetrics.functional.classification import multiclass_calibration_error

from sightline.metrics.evaluation import evaluate_table
from sightline.metrics.tuning import Tuning
from sightline.metrics.values import compute_all_metrics
from sightline.predictions import Predictions


def calibrated_table(samples: int, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    positive = rng.random(samples)
    targets = (rng.random(samples) < positive).astype(np.int64)
    probs = np.stack([1 - positive, positive], axis=1).astype(np.float32)
    return Predictions(np.arange(samples).astype(str), targets, probs, ("n", "p"), "binary")


def equal_width_error(confidence: np.ndarray, outcome: np.ndarray) -> float:
    place = np.minimum((confidence * 15).astype(int), 14)
    bins = [place == index for index in range(15) if (place == index).any()]
    return sum(abs((outcome - confidence)[rows].sum()) for rows in bins) / len(confidence)


def test_of_multiclass_it_is_of_the_decided_class() -> None:
    mode = make_mode("multiclass")
    table = random_table(mode, 400)
    expected = multiclass_calibration_error(
        torch.from_numpy(table.probs).double(), torch.from_numpy(table.targets), 5, n_bins=15
    )
    assert compute_all_metrics(mode, table)["ece"] == pytest.approx(float(expected))


def test_equal_mass_and_debiased_errors_are_those_of_kumar_et_al() -> None:
    table = calibrated_table(600)
    order = np.argsort(table.probs[:, 1])
    error, squares = 0.0, 0.0
    for rows in np.array_split(order, 15):
        confidence, outcome = table.probs[rows, 1].mean(), table.targets[rows].mean()
        error += len(rows) / 600 * abs(confidence - outcome)
        by_chance = outcome * (1 - outcome) / (len(rows) - 1)
        squares += len(rows) / 600 * ((confidence - outcome) ** 2 - by_chance)
    found = compute_all_metrics(make_mode("binary"), table)
    assert found["ece_equal_mass"] == pytest.approx(error, abs=2e-3)
    assert found["ece_l2_debiased"] == pytest.approx(max(0.0, squares) ** 0.5, abs=0.01)


@pytest.mark.parametrize("samples", [50, 200, 1000])
def test_the_error_by_chance_is_that_of_a_calibrated_model(samples: int) -> None:
    mode = make_mode("binary")
    tables = [calibrated_table(samples, seed) for seed in range(40)]
    found = [compute_all_metrics(mode, table) for table in tables]
    observed = np.array([each["ece"] for each in found])
    expected = np.mean([each["ece_by_chance"] for each in found])
    assert abs(observed.mean() - expected) < 4 * observed.std() / np.sqrt(40)
    assert np.median([each["ece_l2_debiased"] for each in found]) < 0.6 * observed.mean()


def test_a_label_that_is_off_shows_in_the_largest_error() -> None:
    rng = np.random.default_rng(0)
    probs = rng.random((3000, 10)).astype(np.float32) * 0.4 + 0.3
    truth = probs.copy()
    truth[:, 3] -= 0.3
    targets = (rng.random(probs.shape) < truth).astype(np.int64)
    targets[::7, 2] = -1
    names = tuple(f"l{index}" for index in range(10))
    mode = make_mode("multilabel", 10)
    table = Predictions(np.arange(3000).astype(str), targets, probs, names, "multilabel")
    found = compute_all_metrics(mode, table)
    known = targets >= 0
    each = [
        equal_width_error(p[k], t[k])
        for p, t, k in zip(probs.T.astype(float), targets.T, known.T, strict=True)
    ]
    assert found["ece_classwise"] == pytest.approx(np.mean(each), abs=1e-6)
    assert found["ece_classwise_max"] == pytest.approx(max(each), abs=1e-6)
    assert found["ece"] < 0.05 < 0.27 < found["ece_classwise_max"] < 0.33


def test_its_interval_holds_0_where_the_error_is_that_of_chance() -> None:
    mode = make_mode("binary")
    table = calibrated_table(300, seed=3)
    found = evaluate_table(mode, table, Tuning())
    assert found.intervals["ece"].low == 0
    assert found.intervals["ece"].method == "simulated, 300 samples"
    off = replace(table, targets=np.where(table.probs[:, 1] < 0.5, 1, table.targets))
    assert evaluate_table(mode, off, Tuning()).intervals["ece"].low > 0.1
