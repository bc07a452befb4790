"""Every figure and table of a report is of the run's decision rule, and says so."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk
from support.tables import make_evaluated

from sightline.metrics.evaluation import evaluate_table
from sightline.metrics.metric_sets import headline_names
from sightline.metrics.tuned_table import RULE_TITLES, tuning_facts
from sightline.metrics.tuning import Tuning
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.metric_tables import metric_tables
from sightline.reports.parts import Chart, Section, Table
from sightline.reports.sections.confusion import confusion_report
from sightline.reports.sections.embedding import embedding_report
from sightline.reports.sections.gallery import gallery_report
from sightline.reports.sections.grad_cam import grad_cam_report
from sightline.reports.sections.per_class import per_class_report
from sightline.reports.sections.selective import selective_report

CASES = [
    ("binary", "default"), ("binary", "tuned"), ("multiclass", "default"),
    ("multilabel", "default"), ("multilabel", "tuned"),
]  # fmt: skip


def evaluated_by(mode: str, rule: str) -> EvaluatedSplit:
    thresholds = {"binary": (0.2,), "multilabel": (0.2, 0.7, 0.35)}.get(mode)
    biases = {"binary": (-0.5,), "multilabel": (-0.5, 0.3, 0.0)}.get(mode, (0.5, -0.5, 0.0))
    tuning = Tuning(1.4, thresholds, "f1", biases, rule)
    return make_evaluated(mode, 2 if mode == "binary" else 3, tuning=tuning)


def by_hand(evaluated: EvaluatedSplit) -> np.ndarray:
    """Decisions as rows of 0 and 1, from the stored table and the tuning alone."""
    probs, tuning = evaluated.table.probs.astype(float), evaluated.tuning
    if evaluated.label_mode.exclusive:
        return np.eye(3)[probs.argmax(axis=1)]
    positive = probs if evaluated.label_mode.multi_label else probs[:, 1:]
    at: object = 0.5
    if tuning.rule == "tuned":
        logits = np.log(positive / (1 - positive)) / tuning.temperature
        positive = 1 / (1 + np.exp(-logits - np.array(tuning.biases)))
        at = np.array(tuning.thresholds)
    yes = (positive > at).astype(float)
    return yes if evaluated.label_mode.multi_label else np.hstack([1 - yes, yes])


def table_of(section: Section, caption: str) -> Table:
    (found,) = [p for p in section.parts if isinstance(p, Table) and p.caption == caption]
    return found


@pytest.mark.parametrize(("mode", "rule"), CASES)
def test_every_number_follows_from_the_prediction_table(mode: str, rule: str) -> None:
    evaluated = evaluated_by(mode, rule)
    decided, truth = by_hand(evaluated), evaluated.truth
    found = evaluate_table(evaluated.label_mode, evaluated.table, evaluated.tuning)
    suffix = "_tuned" if rule == "tuned" else ""
    known = ~np.isnan(truth)
    np.testing.assert_array_equal(evaluated.decision_rows, decided)
    right = ((decided == truth) | ~known).all(axis=1)
    np.testing.assert_array_equal(evaluated.wrong, ~right)
    accuracy = found.metrics[f"accuracy{suffix}"]
    several = evaluated.label_mode.multi_label
    share = (decided == truth)[known].mean() if several else right.mean()
    assert accuracy == pytest.approx(share, abs=1e-6)

    *panels, last = evaluated.matrices
    for matrix, c in zip(panels or [last], range(3), strict=False):
        rows = known[:, c]
        wanted = (
            sk.confusion_matrix(truth[rows, c], decided[rows, c]) if panels
            else sk.confusion_matrix(truth.argmax(axis=1), decided.argmax(axis=1))
        )  # fmt: skip
        np.testing.assert_array_equal(matrix.counts, wanted)
    diagonal = sum(np.trace(matrix.counts) for matrix in panels or [last])
    assert diagonal / sum(m.counts.sum() for m in panels or [last]) == pytest.approx(accuracy)

    for c, row in enumerate(found.per_class):
        rows = known[:, c]
        for name, score in (("precision", sk.precision_score), ("recall", sk.recall_score),
                            ("f1", sk.f1_score)):  # fmt: skip
            value = score(truth[rows, c], decided[rows, c], zero_division=0)
            assert row[name + suffix] == pytest.approx(value, abs=1e-6)

    confusion = confusion_report(evaluated, max_pairs=10)
    off = [row[2] for row in table_of(
        confusion, f"{'Labels' if panels else 'Pairs'} that are confused most, {evaluated.rule}"
    ).rows] if mode != "binary" else []  # fmt: skip
    assert sum(int(str(cell)) for cell in off) == (last.counts.sum() - np.trace(last.counts)) * (
        mode != "binary"
    )


@pytest.mark.parametrize(("mode", "rule"), CASES)
def test_the_rule_is_named_in_each_section(mode: str, rule: str) -> None:
    evaluated = evaluated_by(mode, rule)
    words = RULE_TITLES[rule]
    found = evaluate_table(evaluated.label_mode, evaluated.table, evaluated.tuning)
    for section in (confusion_report(evaluated, 10), per_class_report(evaluated, found.per_class)):
        assert f"by the {words}" in section.text
    suffix = "_tuned" if rule == "tuned" else ""
    headline, _ = metric_tables(
        {"test": found.rows()}, headline_names(evaluated.label_mode, evaluated.tuning), words
    )
    assert headline.caption == f"Headline metrics, {words}"
    names = [row[0] for row in headline.rows]
    assert f"accuracy{suffix}" in names
    assert f"f1_macro{suffix}" in names
    facts = tuning_facts(evaluated.label_mode, evaluated.tuning)
    assert facts["decision rule"].startswith(f"{rule}: ")
    if rule == "tuned":
        assert "over 0.2" in facts["decision rule"]


@pytest.mark.parametrize(("mode", "rule"), CASES)
def test_each_figure_and_gallery_of_decisions_names_the_rule(mode: str, rule: str) -> None:
    evaluated = evaluated_by(mode, rule)

    def features(names: object) -> np.ndarray:
        return evaluated.probs[:, :2] + np.arange(len(evaluated.table))[:, None]

    def image(name: str) -> np.ndarray:
        return np.zeros((4, 4, 3), np.uint8)

    for section in (
        confusion_report(evaluated, 10), gallery_report(evaluated, image, 3),
        selective_report(evaluated), embedding_report(evaluated, features, "pca", 500, 0),
    ):  # fmt: skip
        assert f"by the {RULE_TITLES[rule]}" in section.text or "errors of the" in section.text
        for part in section.parts:
            if isinstance(part, Chart):
                assert RULE_TITLES[rule] in part.alt
            elif part.name != "embedding":  # coordinates, without decisions
                assert part.caption.endswith(RULE_TITLES[rule])
    thresholds = "divided by those of the threshold" in selective_report(evaluated).text
    assert thresholds == (mode != "multiclass")


def test_grad_cam_explains_the_class_that_is_decided_for() -> None:
    evaluated = evaluated_by("binary", "tuned")
    asked: list[int] = []

    def explain(names: object, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked.extend(classes.tolist())
        return np.zeros((len(classes), 1, 8, 8), np.uint8), np.zeros((len(classes), 8, 8))

    section = grad_cam_report(evaluated, explain, count=400, seed=0)
    (ids,) = [[t.record["id"] for g in section.parts for t in g.tiles]]  # type: ignore[union-attr]
    place = {name: i for i, name in enumerate(evaluated.table.ids)}
    decided = by_hand(evaluated).argmax(axis=1)
    assert asked == [int(decided[place[name]]) for name in ids]
    assert (evaluated.probs.argmax(axis=1) != decided).any()
