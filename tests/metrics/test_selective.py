"""Selective prediction against loops over the definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.configs import changed_config, tuning_config
from support.random_tables import make_mode, random_table

from sightline.errors import UserError
from sightline.inference.decisions import Decisions
from sightline.label_modes.base import LabelMode
from sightline.metrics.abstention import fit_abstention
from sightline.metrics.evaluation import evaluate_table
from sightline.metrics.fitted_tuning import fit_on_val
from sightline.metrics.selective import certainty
from sightline.metrics.tuned_table import parts_of_val
from sightline.metrics.tuning import Tuning
from sightline.metrics.values import compute_all_metrics
from sightline.predictions import Predictions
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Chart, Table
from sightline.reports.sections.selective import selective_report

MODES = ["binary", "multiclass", "multilabel"]


def answers_by_hand(mode: LabelMode, table: Predictions) -> list[tuple[float, bool]]:
    """Certainty and outcome of each known answer, one at a time."""
    found = []
    for probs, target in zip(table.probs.astype(float), table.targets, strict=True):
        if mode.name == "multilabel":
            for p, t in zip(probs, target, strict=True):
                if t >= 0:
                    found.append((max(p, 1 - p), (p > 0.5) == (t == 1)))
        elif mode.name == "binary":
            found.append((max(probs), (probs[1] > 0.5) == (target == 1)))
        else:
            found.append((max(probs), int(np.argmax(probs)) == target))
    return found


def masked(name: str, samples: int = 150) -> tuple[LabelMode, Predictions]:
    mode = make_mode(name)
    table = random_table(mode, samples)
    if name == "multilabel":
        table.targets[::7, 1] = -1
    return mode, table


@pytest.mark.parametrize("name", MODES)
def test_the_curve_is_the_loop_over_its_definition(name: str) -> None:
    mode, table = masked(name)
    answers = answers_by_hand(mode, table)
    risks = []
    for sure, _ in answers:
        wrong = [not right for other, right in answers if other >= sure]
        risks.append(sum(wrong) / len(wrong))
    ours = compute_all_metrics(mode, table)
    assert ours["aurc"] == pytest.approx(np.mean(risks), abs=1e-9)
    rng = np.random.default_rng(0)
    for percent in (80, 90, 95):
        number = int(np.ceil(percent / 100 * len(answers)))
        means = []
        for _ in range(100):  # ties in random orders
            order = rng.permutation(len(answers))
            ranked = sorted((answers[i] for i in order), key=lambda each: -each[0])
            means.append(np.mean([right for _, right in ranked[:number]]))
        assert ours[f"accuracy_coverage{percent}"] == pytest.approx(np.mean(means), abs=2e-3)


@pytest.mark.parametrize("name", MODES)
def test_the_order_of_the_samples_and_repeats_change_nothing(name: str) -> None:
    mode, table = masked(name)
    twice = table.select(np.random.default_rng(0).permutation(np.repeat(np.arange(150), 2)))
    one, other = compute_all_metrics(mode, table), compute_all_metrics(mode, twice)
    assert other["aurc"] == pytest.approx(one["aurc"], abs=1e-12)
    found = evaluate_table(mode, table, Tuning())
    for metric in ("aurc", "accuracy_coverage80"):
        interval = found.intervals[metric]
        assert interval.low < one[metric] < interval.high


def test_certainty_is_measured_from_the_threshold() -> None:
    mode = make_mode("multilabel", 2)
    probs = torch.tensor([[0.2, 0.9], [0.1, 0.9]])
    sure = certainty(mode, probs, mode.decide(probs, (0.2, 0.8)), (0.2, 0.8))
    odds = np.array([[1, 9 / 4], [(0.9 / 0.1) / (0.8 / 0.2), 9 / 4]])
    np.testing.assert_allclose(sure.numpy(), odds / (1 + odds), atol=1e-6)
    raw = certainty(mode, probs, mode.decide(probs))
    np.testing.assert_allclose(raw.numpy(), [[0.8, 0.9], [0.9, 0.9]], atol=1e-6)


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("guarantee", [None, 0.9])
def test_the_fitted_certainty_holds_the_risk_with_the_most_answers(
    name: str, guarantee: float | None
) -> None:
    mode, table = masked(name, 600)
    fitted = fit_on_val(mode, table, tuning_config(aim=None, risk=0.2, guarantee=guarantee))
    abstention = fitted.abstention
    assert abstention is not None
    assert Tuning.from_dict(fitted.to_dict()) == fitted
    answers = answers_by_hand(mode, table)
    given = [right for sure, right in answers if sure > abstention.threshold]
    assert np.mean(given) >= 0.8
    values = evaluate_table(mode, table, fitted).metrics
    assert values["selective_risk"] == pytest.approx(1 - np.mean(given))
    assert values["selective_coverage"] == pytest.approx(len(given) / len(answers))
    cuts = [sure for sure, _ in answers if sure < abstention.threshold][::10]
    more = [[right for sure, right in answers if sure >= cut] for cut in cuts]
    if guarantee is None:
        assert all(np.mean(each) < 0.8 for each in more)
    else:
        plain = fit_on_val(mode, table, tuning_config(aim=None, risk=0.2)).abstention
        assert plain is not None
        assert plain.threshold < abstention.threshold
    cross = evaluate_table(mode, table, fitted, parts=parts_of_val(fitted, table))
    assert 0 < cross.metrics["selective_coverage"] < 1


def test_a_guaranteed_risk_is_broken_as_seldom_as_it_says() -> None:
    """P(right | certainty c) = c: the true risk of answering over t is known."""
    broken, draws = 0, 300
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        sure = rng.uniform(0.5, 1, (400, 1))
        right = rng.random((400, 1)) < sure
        abstention = fit_abstention(sure, right, np.ones_like(right), 0.15, 0.8)
        if abstention is not None:
            broken += (1 - abstention.threshold) / 2 > 0.15  # uniform over [t, 1]
    assert broken / draws <= 0.2 + 3 * np.sqrt(0.2 * 0.8 / draws)


@pytest.mark.parametrize("name", MODES)
def test_predictions_say_from_what_the_model_abstains(name: str) -> None:
    mode, table = masked(name, 300)
    fitted = fit_on_val(mode, table, tuning_config(aim="auto", risk=0.2, calibrate=True))
    rows = Decisions(mode, fitted).rows(table.probs).to_pylist()
    withheld = [row["abstain"] for row in rows]
    coverage = evaluate_table(mode, table, fitted).metrics["selective_coverage"]
    if name == "multilabel":
        known = table.targets >= 0
        given = np.array([[c not in row for c in mode.class_names] for row in withheld])[known]
    else:
        given = ~np.array(withheld)
    assert given.mean() == pytest.approx(coverage)
    assert "abstain" not in Decisions(mode, Tuning()).schema.names


@pytest.mark.parametrize("name", MODES)
def test_the_report_has_the_metrics_of_the_same_decisions(name: str) -> None:
    mode, table = masked(name)
    fitted = fit_on_val(mode, table, tuning_config(aim=None, risk=0.2))
    section = selective_report(EvaluatedSplit("test", mode, table, fitted))
    chart, rows = section.parts
    assert isinstance(chart, Chart)
    assert isinstance(rows, Table)
    found = evaluate_table(mode, table, fitted).metrics
    by_answers = {str(row[0]): row for row in rows.rows}
    assert by_answers["the surest 80%"][3] == pytest.approx(1 - found["accuracy_coverage80"])
    last = by_answers["over the fitted certainty"]
    assert last[1] == pytest.approx(found["selective_coverage"])
    assert last[3] == pytest.approx(found["selective_risk"])
    assert f"{found['aurc']:.4f}" in section.text


def test_what_cannot_be_held_is_said(caplog: pytest.LogCaptureFixture) -> None:
    mode, table = masked("multiclass", 60)
    table.targets[:] = (table.probs.argmax(axis=1) + 1) % 5
    fitted = fit_on_val(mode, table, tuning_config(aim=None, risk=0.02))
    assert fitted.abstention is None
    assert "tuning.risk=0.02 is out of reach on val" in fitted.remarks[-1]
    config = tuning_config(aim=None, risk=0.02, guarantee=0.9)
    assert "at least 114 known answers" in fit_on_val(mode, table, config).remarks[-1]
    with pytest.raises(UserError, match=r"tuning.risk"):
        changed_config("tuning.guarantee=0.9")
    assert changed_config("tuning.guarantee=0.9", "tuning.risk=0.1").tuning.risk == 0.1
