"""Prediction sets against loops over the definition, and their coverage against its law."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import betabinom, chisquare
from support.configs import changed_config, tuning_config
from support.random_tables import make_mode, random_table

from sightline.errors import UserError
from sightline.inference.decisions import Decisions
from sightline.metrics.conformal import PredictionSets, fit_sets, samples_needed
from sightline.metrics.evaluation import evaluate_table
from sightline.metrics.fitted_tuning import check_val, fit_on_val
from sightline.metrics.tuned_table import parts_of_val
from sightline.metrics.tuning import Tuning
from sightline.predictions import Predictions
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Table, WithInterval
from sightline.reports.sections.selective import selective_report

MODES = ["binary", "multiclass", "multilabel"]
SCORES = ["threshold", "aps", "raps"]


def sets_config(**changed: Any) -> Any:
    return tuning_config(aim=None, coverage=0.8, **changed)


def score_by_hand(probs: list[float], option: int, score: str) -> float:
    """One option of one answer, by walking down from the most probable one."""
    if score == "threshold":
        return 1 - probs[option]
    mass, place = 0.0, 1
    for other in sorted(probs, reverse=True):
        if other <= probs[option]:
            break
        mass, place = mass + other, place + 1
    return mass + (0.01 * max(0, place - 5) if score == "raps" else 0.0)


def quantile_by_hand(scores: list[float], coverage: float) -> float:
    wanted = math.ceil((len(scores) + 1) * coverage)
    return sorted(scores)[wanted - 1] if wanted <= len(scores) else math.inf


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("by", [None, "class", "site"])
def test_sets_are_those_of_a_loop_over_the_definition(score: str, by: str | None) -> None:
    rng = np.random.default_rng(0)
    options = rng.dirichlet(np.ones(8), (300, 1))
    truth = np.array([rng.choice(8, p=each[0]) for each in options])[:, None]
    column = rng.choice(["a", "b"], 300) if by == "site" else None
    sets = fit_sets(options, truth, sets_config(sets=score, sets_by=by), column)
    held = sets.hold(options, column)
    scores = [[score_by_hand(list(row), k, score) for k in range(8)] for row in options[:, 0]]
    for i in range(300):
        for k in range(8):
            like = [
                scores[j][truth[j, 0]] for j in range(300)
                if (by != "class" or truth[j, 0] == k)
                and (column is None or column[j] == column[i])
            ]  # fmt: skip
            limit = quantile_by_hand(like, 0.8)
            if abs(scores[i][k] - limit) > 1e-9 or scores[i][k] == limit:
                assert held[i, 0, k] == (scores[i][k] <= limit)
    if by == "site":  # where the site is not known, the sets of all of them together
        both = sets.hold(options, np.array(["a"] * 300)) | sets.hold(options, np.array(["b"] * 300))
        np.testing.assert_array_equal(sets.hold(options), both)
        np.testing.assert_array_equal(sets.hold(options, np.array(["c"] * 300)), both)


@pytest.mark.parametrize("score", SCORES)
def test_coverage_follows_its_law_over_a_thousand_splits(score: str) -> None:
    """Of m new samples the covered ones are beta-binomial: Beta(k, n + 1 - k) given val."""
    n, m, splits = 39, 20, 1000
    rng = np.random.default_rng(1)
    options = rng.dirichlet(np.full(6, 0.7), (splits * (n + m), 1))
    drawn = rng.random((len(options), 1, 1))
    truth = (options.cumsum(axis=-1) < drawn).sum(axis=-1).clip(max=5)
    config, counts = sets_config(sets=score), np.zeros(m + 1)
    for rows in np.arange(len(options)).reshape(splits, n + m):
        val, new = rows[:n], rows[n:]
        held = fit_sets(options[val], truth[val], config).hold(options[new])
        counts[np.take_along_axis(held, truth[new][..., None], axis=-1).sum()] += 1
    k = math.ceil((n + 1) * 0.8)
    expected = splits * betabinom(m, k, n + 1 - k).pmf(np.arange(m + 1))
    common = expected >= 10
    seen = np.append(counts[common], counts[~common].sum())
    law = np.append(expected[common], expected[~common].sum())
    assert chisquare(seen, law).pvalue > 1e-3


def test_coverage_of_each_class_and_of_each_label_follows_the_same_law() -> None:
    n, splits = 29, 1000  # of each class
    rng = np.random.default_rng(2)
    truth = np.repeat([[0], [1]], n + 1, axis=0).reshape(2, n + 1)
    k = math.ceil((n + 1) * 0.8)
    covered = np.zeros((splits, 2))
    for split in range(splits):
        present = rng.beta(1 + truth, 2 - truth)
        options = np.stack([1 - present, present], axis=-1)
        val = options[:, :n].reshape(-1, 1, 2), truth[:, :n].reshape(-1, 1)
        held = fit_sets(*val, sets_config(sets_by="class")).hold(options[:, n:])
        covered[split] = [held[c, 0, c] for c in (0, 1)]
    sd = math.sqrt(k / (n + 1) * (1 - k / (n + 1)) / splits)
    np.testing.assert_allclose(covered.mean(axis=0), k / (n + 1), atol=4 * sd)


def masked(name: str, samples: int = 200) -> tuple[Any, Predictions]:
    mode = make_mode(name)
    table = random_table(mode, samples)
    if name == "multilabel":
        table.targets[::7, 1] = -1
    return mode, replace(table, metadata={"site": np.array(["a", "b"] * (samples // 2))})


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("by", [None, "class", "site"])
def test_predictions_and_metrics_are_of_the_same_sets(name: str, by: str | None) -> None:
    mode, table = masked(name)
    fitted = fit_on_val(mode, table, sets_config(sets_by=by))
    assert Tuning.from_dict(fitted.to_dict()) == fitted
    found = evaluate_table(mode, table, fitted)
    assert found.metrics["set_coverage"] >= 0.8
    assert found.intervals["set_coverage"].low < found.metrics["set_coverage"]
    cross = evaluate_table(mode, table, fitted, parts=parts_of_val(fitted, table)).metrics
    assert 0.7 < cross["set_coverage"] <= 1
    if by != "site":  # predictions do not know it
        rows = Decisions(mode, fitted).rows(table.probs).to_pylist()
        names = mode.class_names
        if name == "multilabel":
            known = table.targets >= 0
            may = np.array([[c in row["set"] for c in names] for row in rows])
            unsure = np.array([[c in row["unsure"] for c in names] for row in rows])
            right = np.where(table.targets == 1, may, ~may | unsure)[known]
            assert right.mean() == pytest.approx(found.metrics["set_coverage"])
            assert (~unsure).mean() == pytest.approx(found.metrics["set_single"])
        else:
            sizes = [len(row["set"]) for row in rows]
            hits = [names[t] in row["set"] for t, row in zip(table.targets, rows, strict=True)]
            assert np.mean(hits) == pytest.approx(found.metrics["set_coverage"])
            assert np.mean(sizes) == pytest.approx(found.metrics["set_size"])
    section = selective_report(EvaluatedSplit("test", mode, table, fitted))
    (rows_of,) = (p for p in section.parts if isinstance(p, Table) and p.name == "set_coverage")
    everything = rows_of.rows[0][2]
    assert isinstance(everything, WithInterval)
    assert everything.value == pytest.approx(found.metrics["set_coverage"])
    if by == "site":
        assert [row[0] for row in rows_of.rows[1:3]] == ["site: a", "site: b"]


def test_no_set_by_aps_is_empty_and_certain_models_have_single_ones() -> None:
    options = np.tile([[[0.97, 0.02, 0.01]]], (50, 1, 1))
    truth = np.zeros((50, 1), int)
    assert (fit_sets(options, truth, sets_config(sets="aps")).hold(options).sum(axis=-1) == 1).all()


@pytest.mark.parametrize("name", MODES)
def test_a_val_that_is_too_small_is_refused_with_the_number(name: str) -> None:
    mode, table = masked(name, 18)
    given = mode, table.targets, pa.table({"site": table.metadata["site"]})
    assert samples_needed(0.95) == 19
    with pytest.raises(UserError, match=r"coverage=0.95 takes at least 19 samples of val, .*1[58]"):
        check_val(*given, tuning_config(coverage=0.95))
    with pytest.raises(UserError, match=r"takes at least 10 samples.*9 of site a.*9 of site b"):
        check_val(*given, tuning_config(coverage=0.905, sets_by="site"))
    with pytest.raises(UserError, match=r"expected class, or a column.*Did you mean 'site'"):
        check_val(*given, tuning_config(coverage=0.5, sets_by="sites"))
    with pytest.raises(UserError, match="c0"):
        check_val(*given, tuning_config(coverage=0.95, sets_by="class"))
    check_val(*given, tuning_config(coverage=0.5))
    if name == "multilabel":
        with pytest.raises(UserError, match="absent and present, by threshold"):
            check_val(*given, tuning_config(coverage=0.5, sets="aps"))
    small = fit_on_val(mode, table.select(slice(0, 6)), tuning_config(aim=None, coverage=0.95))
    assert "takes at least 19" in small.remarks[-1]
    assert isinstance(small.sets, PredictionSets)
    assert evaluate_table(mode, table, small).metrics["set_coverage"] == 1


def test_options_without_a_coverage_are_refused() -> None:
    with pytest.raises(UserError, match=r"tuning.sets=aps needs tuning.coverage"):
        changed_config("tuning.sets=aps")
