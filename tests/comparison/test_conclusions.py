"""Conclusions in simulated worlds of a known truth, and the formulas beside published ones."""

from __future__ import annotations

import math
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_ind
from support.scripts import load_script

from sightline.comparison import tables
from sightline.comparison.compared_run import ComparedRun, bounds_of
from sightline.comparison.estimates import estimate, over_samples
from sightline.comparison.expected_maximum import expected_maximum, optimism
from sightline.comparison.leaderboard import make_leaderboard
from sightline.comparison.notes import about_tests
from sightline.comparison.pair_tests import compare_pairs
from sightline.comparison.printed import verdict_line
from sightline.comparison.replicates import Replicates, difference_uncertainty, mean_uncertainty
from sightline.comparison.sampling_errors import covariance_of_shares
from sightline.comparison.stored_values import StoredValues
from sightline.comparison.tables import Comparison
from sightline.comparison.uncertainty import Part, Uncertainty
from sightline.comparison.verdicts import TOO_FEW
from sightline.errors import UserError

WORLDS = 400


@pytest.fixture(scope="module")
def simulated() -> ModuleType:
    """The benchmark, whose tables are the same with more worlds and cells."""
    return load_script("benchmarks/conclusions.py", "conclusions")


def at_most(share: float, level: float) -> bool:
    """Up to three standard errors of the simulation."""
    return share <= level + 3 * math.sqrt(level * (1 - level) / WORLDS)


@pytest.mark.parametrize(("seeds", "deviation"), [(1, 0.01), (3, 0.01), (5, 0.0), (5, 0.005)])
def test_equal_configs(simulated: ModuleType, seeds: int, deviation: float) -> None:
    """Of one seed nothing is said of configs; else at most one in twenty, and intervals hold."""
    rng = np.random.default_rng([seeds, int(1e4 * deviation)])
    true = (simulated.ACCURACY,) * 2
    of_configs, of_runs, held = simulated.claims(
        simulated.make_world(rng, true, seeds, 1000, deviation) for _ in range(WORLDS)
    )
    if seeds == 1:
        assert of_configs == 0
        assert of_runs > 0.08  # so often would a config have been called better
        return
    assert at_most(of_configs, 0.05)
    assert at_most(1 - held, 0.05)
    assert at_most(held - 0.95, 0.03)


def test_a_true_gap_is_found(simulated: ModuleType) -> None:
    rng = np.random.default_rng(0)
    worlds = [simulated.make_world(rng, (0.865, 0.85), 5, 2000, 0.003) for _ in range(WORLDS)]
    pairs = [world.pairs()[0] for world in worlds]
    right = [pair.first.runs[0].params["config"] == "0" for pair in pairs]
    power = np.mean([pair.is_shown and won for pair, won in zip(pairs, right, strict=True)])
    assert power >= 0.6 - 2 * math.sqrt(0.6 * 0.4 / WORLDS)
    assert not any(pair.is_shown and not won for pair, won in zip(pairs, right, strict=True))


def test_the_best_of_several_equal_configs(simulated: ModuleType) -> None:
    """It was picked on these images; corrected for its own tests alone, it would win too often."""
    rng = np.random.default_rng(1)
    worlds = [simulated.make_world(rng, (0.85,) * 10, 2, 300, 0.005) for _ in range(WORLDS)]
    pairs = [world.pairs() for world in worlds]
    assert at_most(float(np.mean([any(pair.is_shown for pair in each) for each in pairs])), 0.05)
    smallest = [min(pair.tested.p for pair in each) for each in pairs]
    assert np.mean(np.array(smallest) * 9 <= 0.05) > 0.08


def test_one_part_is_a_t_interval() -> None:
    """Beside SciPy's and statsmodels' tests of the same values."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.9, 0.01, 5), rng.normal(0.89, 0.02, 7)
    found = difference_uncertainty(Replicates(first), Replicates(second))
    difference = first.mean() - second.mean()
    reference = stats.ttest_ind(first, second, equal_var=False)
    assert found.p(difference) == pytest.approx(reference.pvalue, rel=1e-6)
    interval = reference.confidence_interval()
    assert difference - found.half_width() == pytest.approx(interval.low, abs=1e-9)
    expected = ttost_ind(first, second, -0.02, 0.02, usevar="unequal")[0]
    assert found.p_equivalent(difference, 0.02) == pytest.approx(expected, rel=1e-6)
    assert found.p_equivalent(0.03, 0.02) > 0.5
    alone = mean_uncertainty(Replicates(first))
    low, high = stats.t.interval(0.95, 4, first.mean(), stats.sem(first))
    assert 2 * alone.half_width() == pytest.approx(high - low)


def test_p_is_where_the_interval_ends() -> None:
    uncertainty = Uncertainty((Part(0.5, 3.0), Part(0.8, 500)))
    for distance in (0.01, 0.5, 2.0, 5.0, 30.0):
        p = uncertainty.p(distance)
        assert uncertainty.half_width(1 - p) == pytest.approx(distance, rel=1e-4), distance
        assert uncertainty.p(-distance) == p
    assert (uncertainty.p(0.0), uncertainty.p_equivalent(0.0, 1e-12)) == (1.0, pytest.approx(0.5))
    nothing = Uncertainty((Part(0.0, 2),))
    assert (nothing.p(0.0), nothing.p(0.1), nothing.p_equivalent(0.1, 0.05)) == (1.0, 0.0, 1.0)


def test_power_at_the_smallest_difference_shown() -> None:
    known = Uncertainty((Part(1.0),))
    assert known.smallest_shown() == pytest.approx(stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
    assert known.smallest_shown(0.005) > known.smallest_shown()


def test_the_covariance_of_shares() -> None:
    """Beside NumPy's own, up to the few samples that are added; and by whole groups."""
    rng = np.random.default_rng(0)
    right = (rng.random((1, 5000)) + 0.3 * rng.random((4, 5000)) < 0.8).astype(float)
    expected = np.cov(right) / 5000
    assert covariance_of_shares(right, None, 2) == pytest.approx(expected, rel=0.01)
    codes = np.arange(5000) // 2
    doubled = np.repeat(right, 2, axis=1)
    grouped = covariance_of_shares(doubled, np.repeat(np.arange(5000), 2), 2)
    assert grouped == pytest.approx(expected, rel=0.01)  # a copy of each sample tells nothing new
    assert covariance_of_shares(right, codes, 2) == pytest.approx(expected, rel=0.1)
    perfect = covariance_of_shares(np.ones((3, 50)), None, 3)
    assert 0.02 < math.sqrt(perfect.mean()) < 0.04  # 50 of 50 do not show that all will be right


@pytest.mark.parametrize("samples", [0, 1, 200])
def test_runs_of_one_value_have_no_interval_of_no_width(samples: int) -> None:
    """Three equal trainings show no spread over seeds; over samples it is known all the same."""
    right = {str(seed): np.arange(samples) < 0.78 * samples for seed in range(3)}
    values = {run: float(each.mean()) if samples else 0.78 for run, each in right.items()}
    runs = [
        ComparedRun(run, run, "FINISHED", {"seed": run}, {"test/accuracy": value}, {})
        for run, value in values.items()
    ]
    found = estimate(runs, "test/accuracy")
    assert found.half_width is None
    assert "±" not in str(found)
    if samples:
        found = over_samples(found, runs, StoredValues(values, {}, right, samples=samples))
        assert (found.half_width is not None) == found.over_samples == (samples > 1)


def test_runs_that_differ_by_the_whole_range_have_no_interval() -> None:
    runs = [
        ComparedRun(seed, seed, "FINISHED", {"seed": seed}, {"test/accuracy": value}, {})
        for seed, value in (("0", 0.35), ("1", 0.95))
    ]
    assert estimate(runs, "test/accuracy").half_width == pytest.approx(3.81, abs=0.01)
    assert estimate(runs, "test/accuracy", bounds_of("test/accuracy")).half_width is None
    assert bounds_of("val_best/cohen_kappa_tuned") == (-1, 1)
    assert bounds_of("val/loss") == bounds_of("val/of_a_plugin") == (-math.inf, math.inf)


@pytest.mark.parametrize("samples", [1, 2, 40])
def test_no_difference_beyond_the_range_is_named(samples: int) -> None:
    """With one or two images none would be shown, however great."""
    right = {"a": np.ones(samples, bool), "b": np.arange(samples) % 2 == 1}
    runs = [
        ComparedRun(run, run, "FINISHED", {"lr": run}, {"val/accuracy": each.mean()}, {})
        for run, each in right.items()
    ]
    values = {run.run_id: run.metrics["val/accuracy"] for run in runs}
    board = make_leaderboard(runs, "val/accuracy", True, bounds=bounds_of("val/accuracy"))
    stored = StoredValues(values, {}, right, samples=samples)
    pair = compare_pairs(board, 1, "val", stored)[0]
    row = tables.tests_table(Comparison("", board, "val", (pair,), None)).rows[0]
    notes = " ".join(about_tests(Comparison("", board, "val", (pair,), None)))
    if samples == 40:
        assert pair.smallest_shown is None or pair.smallest_shown < 1
        assert TOO_FEW not in row
        assert "Too few to say" not in notes
    else:
        assert pair.is_too_small
        assert row[-1] == TOO_FEW
        assert "accuracy has values from 0 to 1" in notes
    assert pair.tested is not None
    assert pair.ends == (pair.tested.low, pair.tested.high)  # Tango's, within what is possible
    wide = replace(pair, tested=replace(pair.tested, low=-1.5, high=0.4))
    assert wide.ends == (-1, 0.4)  # as of a few seeds that differ much
    whole = replace(pair, tested=replace(pair.tested, low=-1.5, high=1.4))
    assert verdict_line(whole).endswith("[too few to say])")
    assert tables.tests_table(Comparison("", board, "val", (whole,), None)).rows[0][3] == TOO_FEW


def test_an_undefined_metric_has_no_sampling_error() -> None:
    values = {"a": math.nan, "b": math.nan}
    resampled = dict.fromkeys(values, np.full(100, np.nan))
    stored = StoredValues(values, {}, resampled=resampled, samples=40)
    with pytest.raises(UserError, match="defined in 0 of 100"):
        stored.covariance(["a"], ["b"])
    together = StoredValues(
        {"a": 0.5}, {}, {"a": np.ones(9, bool)}, codes=np.zeros(9, int), samples=9
    )
    with pytest.raises(UserError, match="one group"):
        together.covariance(["a"])


@pytest.mark.parametrize("count", [2, 5, 50])
def test_the_expected_maximum(count: int) -> None:
    drawn = np.random.default_rng(0).normal(size=(20_000, count)).max(axis=1)
    assert expected_maximum(count) == pytest.approx(drawn.mean(), abs=4 * stats.sem(drawn))
    assert expected_maximum(2) == pytest.approx(1 / math.sqrt(math.pi))
    assert "The best of 50 by val_best/loss is optimistic" in optimism(50, "val_best/loss")
    assert "2.2 standard errors" in optimism(50, "val_best/loss")
