"""Intervals: their resamples are the metrics themselves under weights, and they cover the truth."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from sklearn import metrics as sk
from support.random_tables import make_mode, random_table
from test_all_metrics import CASES, degenerate

from sightline.label_modes.base import LabelMode
from sightline.metrics.decided import DecidedTable
from sightline.metrics.evaluation import evaluate_table
from sightline.metrics.intervals import compute_intervals, percentiles, wilson
from sightline.metrics.registry import registry_of
from sightline.metrics.resampling import draw
from sightline.metrics.tuning import Tuning
from sightline.metrics.values import compute_all_metrics, per_class_rows
from sightline.predictions import Predictions

MODES = ["binary", "multiclass", "multilabel"]


def measured(
    mode: LabelMode, table: Predictions, weights: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Every metric with a resampled form, and the per-class columns."""
    sample = DecidedTable(mode, table).resample(weights)
    metrics = [each for each in registry_of().of(mode) if each.not_resampled is None]
    assert {"accuracy", "f1_macro", "auroc_macro", "log_loss"} <= {each.name for each in metrics}
    return {each.name: each.resampled(sample) for each in metrics}, sample.rates | sample.areas


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_with_every_sample_once_a_resample_is_the_metric_itself(name: str, kind: str) -> None:
    mode = make_mode(name)
    table = random_table(mode, 300) if kind == "random" else degenerate(mode, kind)
    values, columns = measured(mode, table, np.ones((len(table), 1), np.float32))
    exact = compute_all_metrics(mode, table)
    for key, value in values.items():
        assert value[0] == pytest.approx(exact[key], abs=1e-5, nan_ok=True), key
    for index, row in enumerate(per_class_rows(mode, table)):
        for key, column in columns.items():
            assert column[0, index] == pytest.approx(row[key], abs=1e-5, nan_ok=True), key


@pytest.mark.parametrize("name", MODES)
def test_a_resample_is_the_table_with_samples_repeated(name: str) -> None:
    mode = make_mode(name)
    table = random_table(mode, 80)
    (weights,) = draw(80, 5, seed=1)
    values, _ = measured(mode, table, weights)
    for index in range(5):
        rows = np.repeat(np.arange(80), weights[:, index].astype(int))
        assert len(rows) == 80
        repeated = replace(
            table, ids=table.ids[rows], targets=table.targets[rows], probs=table.probs[rows]
        )
        exact = compute_all_metrics(mode, repeated)
        for key, value in values.items():
            assert value[index] == pytest.approx(exact[key], abs=1e-5, nan_ok=True), key


@pytest.mark.parametrize("name", MODES)
def test_intervals_hold_their_metric_and_are_the_same_again(name: str) -> None:
    mode = make_mode(name)
    table = random_table(mode, 400)
    tuning = Tuning(1.5, {"binary": (0.4,), "multilabel": (0.3,) * 5}.get(name), "f1")
    found = evaluate_table(mode, table, tuning, resamples=300)
    for key, interval in found.intervals.items():
        assert interval.low <= found.metrics[key] <= interval.high, key
    assert {"accuracy", "f1_macro", "auroc_macro", "log_loss_calibrated"} <= found.intervals.keys()
    assert ("f1_macro_tuned" in found.intervals) == (name != "multiclass")
    again = evaluate_table(mode, table, tuning, resamples=300)
    assert again.intervals == found.intervals


def right_or_wrong(rng: np.random.Generator, samples: int, accuracy: float) -> Predictions:
    targets = rng.integers(0, 2, samples)
    right = rng.random(samples) < accuracy
    positive = np.where(right == (targets == 1), 0.8, 0.2).astype(np.float32)
    probs = np.stack([1 - positive, positive], axis=1)
    return Predictions(np.arange(samples).astype(str), targets, probs, ("n", "p"), "binary")


def test_bootstrap_intervals_cover_the_truth_as_often_as_they_say() -> None:
    mode = make_mode("binary")
    rng = np.random.default_rng(7)
    (weights,) = draw(1000, 1000, seed=0)  # the same for all: each table's samples are independent
    covered = 0
    for _ in range(500):
        table = right_or_wrong(rng, 1000, 0.9)
        interval = percentiles(measured(mode, table, weights)[0]["accuracy"])
        assert interval is not None
        covered += interval.low <= 0.9 <= interval.high
    assert 0.93 <= covered / 500 <= 0.97


@pytest.mark.parametrize("samples", [100, 200, 400])
def test_wilsons_intervals_cover_the_truth_in_small_samples(samples: int) -> None:
    hits = np.random.default_rng(7).binomial(samples, 0.98, 2000)
    intervals = {k: wilson(k, samples) for k in set(hits.tolist())}
    covered = [intervals[k].low <= 0.98 <= intervals[k].high for k in hits.tolist()]
    assert 0.93 <= np.mean(covered) <= 0.97


def test_few_misses_have_wilsons_interval() -> None:
    table = right_or_wrong(np.random.default_rng(0), 200, 0.98)
    mode = make_mode("binary")
    interval = compute_intervals(mode, table, resamples=100).metrics["accuracy"]
    assert interval.method == "wilson"
    hits, n, z = round(sk.accuracy_score(table.targets, table.probs[:, 1] > 0.5) * 200), 200, 1.96
    z = NormalDist().inv_cdf(0.975)
    p = hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert (interval.low, interval.high) == pytest.approx((middle - half, middle + half))


def test_a_metric_that_no_resample_changes_has_no_interval() -> None:
    mode = make_mode("multiclass")
    table = random_table(mode, 50)
    table = replace(table, targets=table.probs.argmax(axis=1))
    found = evaluate_table(mode, table, Tuning(), resamples=100)
    assert "f1_macro" not in found.intervals
    assert found.intervals["accuracy"].high == 1
    assert found.intervals["accuracy"].low == pytest.approx(50 / (50 + 1.959964**2))
