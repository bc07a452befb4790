"""Intervals: the formulas, the metrics under weights, groups, and what is withheld.

That intervals hold the truth as often as they say is in test_coverage.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import logit
from scipy.stats import binom, binomtest
from scipy.stats import t as student
from sklearn import metrics as sk
from support.random_tables import make_mode, random_table
from test_all_metrics import CASES, degenerate

from sightline.label_modes.base import LabelMode
from sightline.metrics.decided import DecidedTable
from sightline.metrics.estimates import delong_interval, jackknife_interval
from sightline.metrics.evaluation import evaluate_table
from sightline.metrics.intervals import compute_intervals
from sightline.metrics.registry import registry_of
from sightline.metrics.resampling import draw
from sightline.metrics.shares import mean_interval, mid_p, share_interval, share_of
from sightline.metrics.tuning import Tuning
from sightline.metrics.units import Units
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
    found = evaluate_table(mode, table, tuning)
    for key, interval in found.intervals.items():
        assert interval.low <= found.metrics[key] <= interval.high, key
        assert interval.method.endswith(", 400 samples"), key
    assert not found.withheld
    assert {"accuracy", "f1_macro", "auroc_macro", "log_loss_calibrated"} <= found.intervals.keys()
    assert ("f1_macro_tuned" in found.intervals) == (name != "multiclass")
    again = evaluate_table(mode, table, tuning)
    assert again.intervals == found.intervals


def right_or_wrong(rng: np.random.Generator, samples: int, accuracy: float) -> Predictions:
    targets = rng.integers(0, 2, samples)
    right = rng.random(samples) < accuracy
    positive = np.where(right == (targets == 1), 0.8, 0.2).astype(np.float32)
    probs = np.stack([1 - positive, positive], axis=1)
    return Predictions(np.arange(samples).astype(str), targets, probs, ("n", "p"), "binary")


@pytest.mark.parametrize("name", MODES)
def test_a_class_that_a_resample_lacks_keeps_its_value(name: str) -> None:
    mode = make_mode(name)
    table = random_table(mode, 60)
    decided = DecidedTable(mode, table)
    present = table.targets == 1 if name != "multilabel" else table.targets[:, 1] == 1
    weights = (~present).astype(np.float32)[:, None]
    sample, whole = decided.resample(weights), decided.resample(np.ones((60, 1), np.float32))
    for column in ("precision", "recall", "f1"):
        rates = np.delete(sample.counts.rates()[column], 1, axis=1)
        expected = (np.nansum(rates) + whole.rates[column][0, 1]) / len(mode.class_names)
        assert sample.averages[f"{column}_macro"][0] == pytest.approx(expected)
    for column, values in sample.areas.items():
        assert values[0, 1] == whole.areas[column][0, 1]


@pytest.mark.parametrize(("hits", "of"), [(0, 50), (1, 50), (199, 200), (200, 200), (120, 400)])
def test_at_the_ends_of_mid_p_the_hits_are_as_improbable_as_the_level_says(
    hits: int, of: int
) -> None:
    def at_least(share: float) -> float:
        return float(binom.sf(hits, of, share) + binom.pmf(hits, of, share) / 2)

    low = 0.0 if hits == 0 else brentq(lambda p: at_least(p) - 0.025, 1e-9, 1 - 1e-9)
    high = 1.0 if hits == of else brentq(lambda p: at_least(p) - 0.975, 1e-9, 1 - 1e-9)
    if hits in (0, of):
        exact = binomtest(hits, of).proportion_ci(0.95, method="exact")
        low, high = exact.low, exact.high
    found = mid_p(hits, of)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)
    halves = mid_p(hits + 0.5 * (hits < of), of)  # between two whole numbers
    assert found.low <= halves.low <= mid_p(min(hits + 1, of), of).low


@pytest.mark.parametrize("of", [10, 25, 50, 200])
def test_mid_p_covers_every_share(of: int) -> None:
    """Exactly, by the binomial distribution; Wilson's covers 84 % of some."""
    ends = [mid_p(hits, of) for hits in range(of + 1)]
    shares = np.linspace(0.0005, 0.9995, 1000)
    inside = np.array([(each.low <= shares) & (shares <= each.high) for each in ends])
    covered = (binom.pmf(np.arange(of + 1)[:, None], of, shares) * inside).sum(axis=0)
    assert covered.min() > 0.92
    assert 0.945 < covered.mean() < 0.975


def test_shares_have_the_mid_p_interval() -> None:
    table = right_or_wrong(np.random.default_rng(0), 200, 0.98)
    found = compute_intervals(make_mode("binary"), table).metrics
    decided, target = table.probs[:, 1] > 0.5, table.targets == 1
    counts = {
        "accuracy": (decided == target, np.ones(200)), "precision": (decided & target, decided),
        "recall": (decided & target, target), "f1_micro": (decided == target, np.ones(200)),
        "recall_weighted": (decided == target, np.ones(200)),
    }  # fmt: skip
    for name, (hits, of) in counts.items():
        expected = mid_p(hits.sum(), of.sum())
        assert (found[name].low, found[name].high) == pytest.approx((expected.low, expected.high))
    jaccard = mid_p((decided & target).sum(), (decided | target).sum())
    f1 = [2 * end / (1 + end) for end in (jaccard.low, jaccard.high)]
    assert [found["f1"].low, found["f1"].high] == pytest.approx(f1)


def test_a_mean_of_shares_has_the_interval_of_zou_and_donner() -> None:
    table = right_or_wrong(np.random.default_rng(0), 200, 0.9)
    found = compute_intervals(make_mode("binary"), table).metrics
    decided, target = table.probs[:, 1] > 0.5, table.targets == 1
    sides = [(~decided & ~target, ~target), (decided & target, target)]
    shares = [hit.sum() / of.sum() for hit, of in sides]
    ends = [mid_p(hit.sum(), of.sum()) for hit, of in sides]
    below = np.hypot(*(share - end.low for share, end in zip(shares, ends, strict=True))) / 2
    above = np.hypot(*(end.high - share for share, end in zip(shares, ends, strict=True))) / 2
    errors = sum((hit - share * of) / of.sum() / 2
                 for (hit, of), share in zip(sides, shares, strict=True))  # fmt: skip
    mean, variance = np.mean(shares), (errors**2).sum() * 200 / 199
    trials = min(200, mean * (1 - mean) / variance)  # that know the mean as well
    counted = mid_p(mean * trials, trials)
    for name in ("recall_macro", "balanced_accuracy"):
        assert found[name].low == pytest.approx(min(mean - below, counted.low), abs=2e-3)
        assert found[name].high == pytest.approx(max(mean + above, counted.high), abs=2e-3)
    # Labels that say the same are as one label: their mean is as certain as each.
    units = Units.of(table)
    one = share_of(decided == target, np.ones(200), units)
    assert one is not None
    twice = mean_interval([one, one], units)
    assert twice is not None
    assert (twice.low, twice.high) == pytest.approx((one.interval.low, one.interval.high), abs=2e-3)


def test_a_mean_of_shares_with_few_misses_each_is_no_more_certain_than_all_counted_together() -> (
    None
):
    """By Zou and Donner's distances alone the lower end was 0.6 times as far: it covered 91 %."""
    targets = np.repeat(np.arange(6), 150)
    hit = np.ones(900)
    hit[[0, 1, 150, 300, 450, 451, 600, 750, 751]] = 0
    units = Units(np.arange(900), 900, False)
    classes = [share_of(hit * (targets == each), targets == each, units) for each in range(6)]
    found = mean_interval([each for each in classes if each is not None], units)
    together = mid_p(891, 900)
    assert found is not None
    assert found.low == pytest.approx(together.low, abs=0.004)
    assert found.low <= together.low
    assert found.high == pytest.approx(together.high, abs=0.001)


def test_the_variance_of_auroc_is_delongs() -> None:
    mode = make_mode("multiclass", 3)
    table = random_table(mode, 90)
    found = []
    for index, scores in enumerate(DecidedTable(mode, table).ranked_scores):
        positive, column = table.targets == index, table.probs[:, index].astype(float)
        one, zero = column[positive], column[~positive]
        kernel = (one[:, None] > zero) + 0.5 * (one[:, None] == zero)
        expected = kernel.mean(1).var(ddof=1) / len(one) + kernel.mean(0).var(ddof=1) / len(zero)
        placed = scores.placements(np.arange(90))
        assert placed is not None
        assert placed.auroc == pytest.approx(sk.roc_auc_score(positive, column))
        assert sum(placed.variances) == pytest.approx(expected)
        assert (placed.contributions**2).sum() == pytest.approx(expected)
        found.append(placed)
    interval = delong_interval(found, Units.of(table))
    assert interval is not None
    # Wider than by DeLong's variance of the mean alone, by the exponential model's small share.
    mean = np.mean([each.auroc for each in found])
    plain = np.sqrt((np.sum([each.contributions for each in found], axis=0) ** 2).sum()) / 3
    half = (logit(interval.high) - logit(interval.low)) / 2 * mean * (1 - mean)
    assert 1.9 < half / plain < 2.3


def test_the_jackknife_is_one_of_samples_left_out_in_turn() -> None:
    mode = make_mode("multiclass", 3)
    table = random_table(mode, 60)
    preds = table.probs.argmax(axis=1)

    def f1(rows: np.ndarray) -> float:
        return logit(sk.f1_score(table.targets[rows], preds[rows], average="macro"))

    every = np.arange(60)
    values = np.array([f1(np.delete(every, row)) for row in every])
    middle = 60 * f1(every) - 59 * values.mean()
    se = np.sqrt(59 / 60 * ((values - values.mean()) ** 2).sum())
    found = compute_intervals(mode, table).metrics["f1_macro"]
    ends = logit(np.array([found.low, found.high]))
    assert ends.mean() == pytest.approx(middle, abs=1e-4)
    assert student.ppf(0.975, 59) * se <= np.ptp(ends) / 2 <= student.ppf(0.975, 20) * se


@pytest.mark.parametrize("name", MODES)
def test_samples_repeated_in_a_group_say_no_more_than_one(name: str) -> None:
    mode = make_mode(name)
    single = random_table(mode, 150)
    groups = np.repeat(np.arange(150), 4)
    alone = compute_intervals(mode, single)
    together = compute_intervals(mode, replace(single.select(groups), groups=groups))
    unaware = compute_intervals(mode, single.select(groups))
    assert together.units == "150 groups"
    for key in ("accuracy", "f1_macro", "auroc_macro", "log_loss", "ece"):
        widths = [f.metrics[key].high - f.metrics[key].low for f in (alone, together, unaware)]
        assert together.metrics[key].method.endswith(", 150 groups")
        assert widths[1] == pytest.approx(widths[0], rel=0.2), key
        # The interval of an ECE reaches to the observed one at least, however many samples.
        assert widths[2] < (0.9 if key == "ece" else 0.75) * widths[0], key
    cells = [found.per_class["recall"][0] for found in (alone, together)]
    assert cells[0] is not None
    assert cells[1] is not None
    assert cells[1].high - cells[1].low == pytest.approx(cells[0].high - cells[0].low, rel=0.2)


def test_a_group_of_one_sample_each_is_that_sample() -> None:
    hits, trials = np.arange(40) % 3 == 0, np.ones(40)
    codes = np.arange(40)
    alone = share_interval(hits, trials, Units(codes, 40, False))
    grouped = share_interval(hits, trials, Units(codes, 40, True))
    assert alone is not None
    assert grouped is not None
    assert (grouped.low, grouped.high) == pytest.approx((alone.low, alone.high), rel=0.05)


def test_whole_groups_are_drawn() -> None:
    groups = np.array([7, 7, 3, 3, 3, 9])
    (weights,) = draw(6, 500, seed=0, groups=groups)
    assert weights.shape == (6, 500)
    for code in (3, 7, 9):
        assert (np.ptp(weights[groups == code], axis=0) == 0).all()
    assert (weights[[0, 2, 5]].sum(axis=0) == 3).all()
    assert weights[5].mean() == pytest.approx(1, abs=0.15)
    assert np.array_equal(next(draw(6, 3, 1)), next(draw(6, 3, 1, np.arange(6))))


def test_what_rests_on_too_little_is_withheld_with_its_reason() -> None:
    mode, rng = make_mode("binary"), np.random.default_rng(0)
    table = random_table(mode, 300)
    rare = replace(table, targets=(np.arange(300) < 3).astype(np.int64))
    found = evaluate_table(mode, rare, Tuning())
    assert found.withheld["auroc_macro"] == "3 positives of c1"
    assert found.withheld["average_precision_macro"] == "3 positives of c1"
    assert "auroc_macro" not in found.intervals
    rows = {str(row["metric"]): row for row in found.rows()}
    assert rows["auroc_macro"]["withheld"] == "too few to say: 3 positives of c1"
    assert rows["accuracy"]["method"] == "mid-P, 300 samples"
    assert found.record()["metrics"]["auroc_macro"]["low"] is None
    good = right_or_wrong(rng, 200, 1.0)
    few = replace(good, targets=np.where(np.arange(200) < 4, 1 - good.targets, good.targets))
    assert evaluate_table(mode, few, Tuning()).withheld["log_loss"] == "4 wrong decisions"
    grouped = evaluate_table(mode, replace(few, groups=np.arange(200) // 4), Tuning())
    assert grouped.withheld["log_loss"] == "wrong decisions in 1 group"
    groups = evaluate_table(mode, replace(table, groups=np.arange(300) % 19), Tuning())
    assert not groups.intervals
    assert set(groups.withheld.values()) == {"19 groups"}
    assert all(f"{key}_low" not in row for row in groups.per_class for key in ("recall", "auroc"))


def test_areas_near_one_need_samples_on_the_wrong_side() -> None:
    mode, rng = make_mode("binary"), np.random.default_rng(0)
    targets = np.repeat([0, 1], 100)
    positive = np.where(targets == 1, 0.7, 0.2) + 0.1 * rng.random(200)
    positive[100:103] = 0.05  # three positives below all negatives

    def found(scores: np.ndarray, groups: np.ndarray | None = None) -> dict[str, str]:
        probs = np.stack([1 - scores, scores], axis=1).astype(np.float32)
        ids = np.arange(200).astype(str)
        table = Predictions(ids, targets, probs, ("n", "p"), "binary", groups=groups)
        columns = compute_intervals(mode, table)
        assert (columns.per_class["auroc"][1] is None) == ("auroc_macro" in columns.withheld)
        return columns.withheld

    reason = "3 positives ranked no higher than a negative"
    withheld = found(positive)
    assert withheld["auroc_macro"] == withheld["average_precision_macro"] == reason
    grouped = found(positive, np.arange(200) // 4)
    assert grouped["auroc_macro"] == "positives ranked no higher than a negative in 1 group"
    positive[100:106] = 0.05
    assert "auroc_macro" not in found(positive)
    positive[100:] = 0.7
    positive[:4] = 0.9
    assert found(positive)["auroc_macro"] == "4 negatives ranked no lower than a positive"


def test_a_share_of_few_groups_is_withheld() -> None:
    mode = make_mode("binary")
    table = random_table(mode, 300)
    groups = np.arange(300) // 10
    targets = np.where(groups < 4, 1, 0)
    found = compute_intervals(mode, replace(table, targets=targets, groups=groups))
    assert found.withheld["recall"] == "counted samples in 4 groups"
    assert found.per_class["recall"][1] is None
    assert found.per_class["recall"][0] is not None
    assert "accuracy" in found.metrics


def test_a_rare_class_among_many_does_not_take_the_average_away() -> None:
    mode = make_mode("multiclass", 40)
    table = random_table(mode, 1200)
    counts = np.bincount(table.targets, minlength=40)
    assert counts.min() >= 5
    first = np.flatnonzero(table.targets == 0)[4:]
    table = table.select(np.setdiff1d(np.arange(1200), first))  # 4 samples of class 0
    assert "f1_macro" in compute_intervals(mode, table).metrics
    five = make_mode("multiclass", 5)
    few = random_table(five, 400)
    few = few.select(np.setdiff1d(np.arange(400), np.flatnonzero(few.targets == 2)[4:]))
    assert compute_intervals(five, few).withheld["f1_macro"] == "4 positives of c2"


def test_a_spread_that_one_sample_makes_is_no_interval() -> None:
    """As on a small val: average precision 0.99 with one positive far down its ranking."""
    mode, rng = make_mode("multiclass", 4), np.random.default_rng(0)
    targets = np.arange(160) % 4
    scores = rng.normal(size=(160, 4)) + 4.2 * np.eye(4)[targets]
    scores[3] = [3.0, 0.0, 0.0, -5.0]
    probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    table = replace(random_table(mode, 160), targets=targets, probs=probs.astype(np.float32))
    found = compute_intervals(mode, table)
    assert found.withheld["average_precision_macro"] == "1 sample decides its spread"
    assert found.per_class["average_precision"][3] is None
    assert all(each.freedom >= 3 for each in found.metrics.values())
    again = replace(table, probs=np.where(np.arange(160)[:, None] % 8 == 3, probs[[3]], probs))
    assert "average_precision_macro" in compute_intervals(mode, again).metrics


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("samples", [1, 2, 3, 6])
def test_an_interval_that_is_the_whole_range_is_not_given(name: str, samples: int) -> None:
    mode = make_mode(name)
    for seed in range(4):
        found = compute_intervals(mode, random_table(mode, samples, seed=seed))
        given = [each for part in found.per_class.values() for each in part if each]
        assert all(each.high - each.low < 0.9 for each in given)
        for metric in registry_of().of(mode):
            if metric.name in found.metrics and metric.bounds[1] < np.inf:
                each = found.metrics[metric.name]
                assert each.high - each.low < 0.9 * (metric.bounds[1] - metric.bounds[0])
        if samples == 1 and name != "multilabel":
            assert found.withheld["accuracy"].startswith("the interval would be 0.0")


def test_a_metric_that_does_not_vary_has_no_interval() -> None:
    assert (
        jackknife_interval(0.5, np.full(20, 0.5), "logit", Units(np.arange(20), 20, False)) is None
    )
    mode = make_mode("multiclass")
    table = random_table(mode, 50)
    table = replace(table, targets=table.probs.argmax(axis=1))
    found = evaluate_table(mode, table, Tuning())
    assert found.withheld["f1_macro"] == "0 wrong decisions"
    assert found.intervals["accuracy"].high == 1
    assert found.intervals["accuracy"].low == pytest.approx(0.025 ** (1 / 50))
