"""Paired tests: against SciPy's and statsmodels' own, and simulated where the truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests
from support.configs import tuning_config
from support.random_tables import make_mode, random_table

from sightline.comparison.compared_run import ComparedRun
from sightline.comparison.hypothesis_tests import (
    PairedResult,
    exact_p,
    holm,
    mcnemar,
    paired_bootstrap,
)
from sightline.comparison.stored_metrics import stored_metric
from sightline.comparison.stored_values import Sampling, evaluate_runs
from sightline.errors import UserError
from sightline.metrics.evaluation import evaluate_table
from sightline.metrics.resampling import draw, values_on
from sightline.metrics.tuned_table import parts_of_val
from sightline.metrics.tuning import fit_tuning
from sightline.metrics.values import compute_all_metrics
from sightline.predictions import Predictions

MODES = ("binary", "multiclass", "multilabel")
DRAWS = 2000
LEVEL = 0.05
MARGIN = 3 * np.sqrt(LEVEL * (1 - LEVEL) / DRAWS)  # of sampling, at that level


def with_unknown(table: Predictions) -> Predictions:
    """Some labels are not known, and of one sample none, where there are several."""
    if table.targets.ndim == 1:
        return table
    targets = table.targets.copy()
    targets[::3, 0] = -1
    targets[5] = -1
    return replace(table, targets=targets)


def only(table: Predictions, rows: np.ndarray) -> Predictions:
    return replace(table, ids=table.ids[rows], targets=table.targets[rows], probs=table.probs[rows])


@pytest.mark.parametrize("mode", MODES)
def test_every_metric_can_be_resampled(mode: str) -> None:
    """Also those that evaluation has no intervals for; on repeated rows the values are the same."""
    label_mode = make_mode(mode, 3)
    table = with_unknown(random_table(label_mode, 60))
    weights = next(draw(len(table), 3, seed=0))
    for name in compute_all_metrics(label_mode, table):
        values = values_on(weights, *stored_metric(table, name))
        for column, value in zip(weights.T, values, strict=True):
            repeated = only(table, np.repeat(np.arange(len(table)), column.astype(int)))
            expected = compute_all_metrics(label_mode, repeated).get(name, np.nan)
            assert value == pytest.approx(expected, abs=1e-6, nan_ok=True), name


@pytest.mark.parametrize("mode", MODES)
def test_samples_decided_rightly_are_the_accuracy(mode: str) -> None:
    label_mode = make_mode(mode, 3)
    table = with_unknown(random_table(label_mode, 60))
    name = "accuracy_subset" if mode == "multilabel" else "accuracy"
    metric, decided = stored_metric(table, name)
    right = metric.correct(decided)
    assert right is not None
    assert right.mean() == pytest.approx(compute_all_metrics(label_mode, table)[name])
    metric, decided = stored_metric(table, "f1_macro")
    assert metric.correct(decided) is None


@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (5, 9), (30, 12), (200, 260)])
def test_mcnemar_equals_the_reference(counts: tuple[int, int]) -> None:
    first = np.repeat([True, True, False, False], [300, counts[0], counts[1], 40])
    second = np.repeat([True, False, True, False], [300, counts[0], counts[1], 40])
    tested = mcnemar(first, second)
    table = [[300, counts[0]], [counts[1], 40]]
    assert tested.p == pytest.approx(float(reference_mcnemar(table, exact=True).pvalue), abs=1e-12)
    assert tested.difference == pytest.approx((counts[0] - counts[1]) / len(first))
    assert tested.low <= tested.difference <= tested.high


@pytest.mark.parametrize("seed", range(4))
def test_holm_equals_the_reference(seed: int) -> None:
    p_values = np.random.default_rng(seed).random(9).round(1) / 10
    expected = multipletests(p_values, method="holm")[1]
    assert holm(list(p_values)) == pytest.approx(list(expected), abs=1e-12)
    assert holm([]) == []
    of_ten = multipletests([*p_values, 1.0], method="holm")[1][:-1]
    assert holm(list(p_values), family=10) == pytest.approx(list(of_ten), abs=1e-12)


def test_bootstrap_equals_the_reference() -> None:
    """The same interval as `scipy.stats.bootstrap` of the paired difference, up to resampling."""
    mode = make_mode("binary")
    one, other = random_table(mode, 400, seed=1), random_table(mode, 400, seed=2)
    other = replace(other, targets=one.targets)
    tested = bootstrap(one, other, "auroc_macro", 4000)

    def statistic(rows: np.ndarray) -> float:
        areas = [roc_auc_score(each.targets[rows], each.probs[rows, 1]) for each in (one, other)]
        return areas[0] - areas[1]

    reference = stats.bootstrap(
        (np.arange(400),), statistic, vectorized=False, method="percentile", n_resamples=400,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    low, high = reference.confidence_interval
    assert tested.low == pytest.approx(low, abs=0.02)
    assert tested.high == pytest.approx(high, abs=0.02)
    assert tested.difference == pytest.approx(statistic(np.arange(400)), abs=1e-6)


def test_tuned_values_on_val_are_cross_fitted_as_those_that_are_ranked() -> None:
    """The stored order of the samples says which part each is in."""
    mode = make_mode("binary")
    table = random_table(mode, 120)
    table = replace(table, ids=np.random.default_rng(1).permutation(table.ids))
    tuning = fit_tuning(mode, table, tuning_config(aim="f1"))
    run = ComparedRun("a", "a", "FINISHED", {}, {}, {})
    for split, parts in (("val", parts_of_val(tuning, table)), ("test", None)):
        found = evaluate_runs(
            [run], "accuracy_tuned", split, {"a": table}, {"a": tuning}, Sampling(10, 0)
        )
        ranked = evaluate_table(mode, table, tuning, parts=parts).metrics["accuracy_tuned"]
        assert found.values["a"] == pytest.approx(ranked, abs=1e-6), split
    assert found.values["a"] != evaluate_runs(
        [run], "accuracy_tuned", "val", {"a": table}, {"a": tuning}, Sampling(10, 0)
    ).values["a"]  # fmt: skip


def bootstrap(one: Predictions, other: Predictions, metric: str, resamples: int) -> PairedResult:
    found = [stored_metric(table, metric) for table in (one, other)]
    (weights,) = draw(len(one), resamples, seed=0)
    once = np.ones((len(one), 1), np.float32)
    values = [values_on(weights, *each) for each in found]
    exact = [float(values_on(once, *each)[0]) for each in found]
    return paired_bootstrap(exact[0] - exact[1], *values)


def simulated_p_values(
    accuracy_1: float, accuracy_2: float, samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of `DRAWS` pairs of models with independent errors: our p-values and the reference's."""
    rng = np.random.default_rng(0)
    right_1, right_2 = (rng.random((DRAWS, samples)) < a for a in (accuracy_1, accuracy_2))
    counts = np.stack([(right_1 & ~right_2).sum(axis=1), (right_2 & ~right_1).sum(axis=1)], axis=1)
    counts.sort(axis=1)  # two-sided p-values are the same either way round
    distinct, which = np.unique(counts, axis=0, return_inverse=True)
    ours = [exact_p(int(one), int(other)) for one, other in distinct]
    reference = [reference_mcnemar([[0, b], [c, 0]], exact=True).pvalue for b, c in distinct]
    return np.array(ours)[which], np.array(reference)[which]


@pytest.mark.parametrize("samples", [200, 2000])
def test_false_positives_of_mcnemar(samples: int) -> None:
    ours, reference = simulated_p_values(0.9, 0.9, samples)
    assert (ours <= LEVEL).mean() <= LEVEL + MARGIN
    assert np.allclose(ours, reference)


@pytest.mark.parametrize("metric", ["f1_macro", "log_loss"])
def test_false_positives_of_the_bootstrap(metric: str) -> None:
    """Models that are equally good, and wrong independently of each other."""
    rng = np.random.default_rng(0)
    draws, samples = 400, 300
    (weights,) = draw(samples, 300, seed=1)
    found = 0
    for _ in range(draws):
        targets = rng.integers(3, size=samples)
        values = []
        for _ in range(2):
            noise = rng.normal(size=(samples, 3)) + 2 * np.eye(3)[targets]
            probs = (np.exp(noise) / np.exp(noise).sum(axis=1, keepdims=True)).astype(np.float32)
            ids = np.arange(samples).astype(str)
            table = Predictions(ids, targets, probs, ("a", "b", "c"), "multiclass")
            values.append(values_on(weights, *stored_metric(table, metric)))
        found += paired_bootstrap(0.0, *values).p <= LEVEL
    assert found / draws <= LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / draws)
    assert found > 0


def test_power_of_mcnemar() -> None:
    """At a true difference of 3 points in 2,000 samples, beside the reference's."""
    ours, reference = simulated_p_values(0.90, 0.87, 2000)
    assert (ours <= LEVEL).mean() == (reference <= LEVEL).mean() > 0.8


def test_an_undefined_metric_is_a_reason() -> None:
    undefined = np.full(200, np.nan)
    with pytest.raises(UserError, match="defined in 0 of 200 resamples"):
        paired_bootstrap(np.nan, undefined, undefined)
    some = np.where(np.arange(200) < 80, 0.5, np.nan)
    with pytest.raises(UserError, match="defined in 80 of 200 resamples"):
        paired_bootstrap(0.0, some, some)
    with pytest.raises(UserError, match="defined in 0 of 200"):  # only on the samples as they are
        paired_bootstrap(np.nan, np.full(200, 0.5), np.full(200, 0.5))


def grouped_pairs(size: int, worlds: int, number: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Equally good models whose errors go together within a group: (worlds, number, size)."""
    rng = np.random.default_rng(0)
    shape = (worlds, number, size)
    found = []
    for _ in range(2):
        latent = np.sqrt(0.5) * rng.normal(size=(worlds, number, 1))
        found.append(latent + np.sqrt(0.5) * rng.normal(size=shape) < 1)
    return found[0], found[1]


@pytest.mark.parametrize("size", [5, 10])
def test_false_positives_of_mcnemar_in_groups(size: int) -> None:
    """100 patients with several images each: as if they were independent, too many."""
    first, second = grouped_pairs(size, 600)
    codes = np.repeat(np.arange(100), size)
    found = {"groups": 0, "samples": 0}
    covered = 0
    for one, other in zip(first.reshape(600, -1), second.reshape(600, -1), strict=True):
        tested = mcnemar(one, other, codes)
        found["groups"] += tested.p <= LEVEL
        found["samples"] += exact_p(int((one & ~other).sum()), int((other & ~one).sum())) <= LEVEL
        covered += tested.low <= 0 <= tested.high
    margin = 3 * np.sqrt(LEVEL * (1 - LEVEL) / 600)
    assert LEVEL - margin <= found["groups"] / 600 <= LEVEL + margin
    assert found["samples"] / 600 > LEVEL + margin
    assert abs(covered / 600 - 0.95) <= margin


def test_mcnemar_in_groups_is_the_published_statistic() -> None:
    """Durkalski et al. 2003 by a loop: Σ (b - c) / n, squared, by the sum of its squares."""
    rng = np.random.default_rng(3)
    codes = rng.permutation(np.repeat(np.arange(40), 4))
    first, second = rng.random((2, 160)) < [[0.8], [0.65]]
    terms = []
    for code in range(40):
        one, other = first[codes == code], second[codes == code]
        terms.append((np.sum(one & ~other) - np.sum(other & ~one)) / len(one))
    statistic = np.sum(terms) ** 2 / np.sum(np.square(terms))
    tested = mcnemar(first, second, codes)
    assert tested.p == pytest.approx(stats.chi2.sf(statistic, 1))
    assert "40 groups (Durkalski et al. 2003)" in tested.test
    assert tested.difference == pytest.approx(first.mean() - second.mean())
    alone = mcnemar(first, second, np.arange(160))  # each sample is a group of its own
    assert alone == mcnemar(first, second)
    with pytest.raises(UserError, match="one group"):
        mcnemar(first, second, np.zeros(160, int))
